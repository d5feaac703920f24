"""A tuned model scored on labelled files: the run's own numbers come back, and what does not fit is refused."""

import dataclasses
import json

import pytest

from electra_tf.config import FineTuningConfig
from electra_tf.tasks.evaluate import _TASK_NAMES
from electra_tf.tasks.finetune import task_of
from electra_tf.tasks.options import TASKS, QuestionAnswering, TokenClassification
from experiments import evaluate, finetune
from tests.experiments.in_process import run
from tests.tasks.question_answering.moods import moods as moods_asked_for
from tests.tasks.question_answering.moods import write_squad
from tests.tasks.tagging.moods import moods, write_columns
from tests.tasks.tiny import reviews, save_networks, write_tsv

OPTIONS = ("--text_columns=sentence", "--label_column=label")


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    """The folder of a run that reads long texts in windows, on sets whose texts are mostly longer than a window."""
    folder = tmp_path_factory.mktemp("tuned")
    save_networks(folder / "pretrained")
    for name, count, seed in (("train", 200, 0), ("validation", 50, 1)):
        texts, labels = reviews(count, seed=seed)
        write_tsv(folder / f"{name}.tsv", [f"{'the film ' * 5}{text}" for text in texts], labels)
    run(finetune, f"--train={folder}/train.tsv", f"--validation={folder}/validation.tsv", *OPTIONS, "--long_text=max",
        "--stride=7", f"--model={folder}/pretrained", f"--output={folder}/run", "--random_weights",
        "--sequence_length=14", "--batch_size=16", "--epochs=5", "--learning_rate=6e-3", "--layer_decay=0.9")
    return folder


def test_a_run_is_scored_again_as_it_scored_itself(tuned, tmp_path, capsys):
    run(evaluate, f"--model={tuned}/run", f"--data={tuned}/validation.tsv", *OPTIONS, f"--output={tmp_path}/scores")
    result, of_run = (json.loads((folder / "result.json").read_text())
                      for folder in (tmp_path / "scores", tuned / "run"))
    trial, = of_run["trials"]
    assert result["metrics"] == trial["metrics"] and result["score"] == of_run["median"] > 0.8
    assert (result["task"], result["metric"], result["examples"]) == ("text_classification", "accuracy", 50)
    assert result["inputs"]["data"] == of_run["inputs"]["validation"] and result["versions"]["tensorflow"]
    predictions = [folder / "predictions.jsonl" for folder in (tmp_path / "scores", tuned / "run" / "trials" / "0")]
    assert predictions[0].read_text() == predictions[1].read_text()
    assert (tmp_path / "scores" / "scores.png").stat().st_size > 1000
    out = capsys.readouterr().out
    assert f"text_classification: accuracy {result['score']:.4f}, macro_f1 " in out
    settings = json.loads((tuned / "run" / "model" / "config.json").read_text())
    assert '"long_text": "max"' in json.dumps(settings) and '"stride": 7' in json.dumps(settings)


@pytest.mark.parametrize("options, flags, write, rows", [
    (TokenClassification(token_column=0, tag_column=1), ["--token_column=0", "--tag_column=1"], write_columns, moods),
    (QuestionAnswering(beam_size=5), [], write_squad, moods_asked_for)], ids=["tags", "questions"])
def test_other_tasks_are_known_from_the_folder(tuned, tmp_path, capsys, options, flags, write, rows):
    task, data = task_of(options), write(tmp_path / "data.json", *rows(12, seed=3))
    read = task.read(data)
    model = task.new_model(tuned / "pretrained" / "discriminator", train=read, load_weights=False,
                           config=FineTuningConfig(sequence_length=30))
    model.save_to_preset(tmp_path / "model")
    run(evaluate, f"--model={tmp_path}/model", f"--data={data}", f"--output={tmp_path}/scores", *flags)
    result = json.loads((tmp_path / "scores" / "result.json").read_text())
    scores = task.scores(model, task.examples(model, read))
    assert result["metrics"] == pytest.approx(scores.numbers())
    types = {name: dataclasses.asdict(one) for name, one in getattr(scores, "by_type", {}).items()}
    assert result["trials"][0].get("per_class", {}) == types
    assert bool(types) == isinstance(options, TokenClassification)
    assert (tmp_path / "scores" / "report.html").stat().st_size > 1000
    assert len((tmp_path / "scores" / "predictions.jsonl").read_text().splitlines()) == 12
    assert f"{options.name}: " in capsys.readouterr().out


def test_a_model_of_each_task_can_be_scored():
    assert set(_TASK_NAMES.values()) == set(TASKS)


def test_each_flag_is_an_option_of_a_task():
    known = {name for task in TASKS.values() for name in task.__dataclass_fields__}
    assert set(evaluate.FILE_OPTIONS) <= known and len(set(evaluate.FILE_OPTIONS)) == len(evaluate.FILE_OPTIONS)


@pytest.mark.parametrize("flags, message", [
    (["--data=unlabelled.tsv"], "unlabelled.tsv, line 1: column 'label' does not exist; the columns are sentence"),
    (["--data=other.tsv"], "other.tsv, line 3: label 'mixed' is unknown; expected one of neg, pos"),
    (["--data=other.tsv", "--text_columns=label"], "this classifier takes single texts and got pairs"),
    (["--data=no.tsv"], "no.tsv cannot be read: No such file or directory"),
    (["--data=other.tsv", "--model={tuned}/pretrained"],
     "holds a model of kind 'discriminator', which was not tuned for a task; fine-tune it first"),
    (["--data=other.tsv", "--model=nowhere"], "nowhere is not a model folder"),
    (["--data=other.tsv", "--label_separator=,"], "--label_separator says nothing to --task=text_classification"),
    (["--data=other.tsv", "--long_text=mean"], "flag '--long_text' does not exist"),
    (["--data=good.tsv", "--output=."], "holds other work"),
])
def test_what_does_not_fit_is_refused_and_nothing_is_left(tuned, tmp_path, monkeypatch, capsys, flags, message):
    monkeypatch.chdir(tmp_path)
    write_tsv(tmp_path / "good.tsv", ["a", "b"], ["pos", "neg"])
    write_tsv(tmp_path / "other.tsv", ["a", "b"], ["pos", "mixed"])
    (tmp_path / "unlabelled.tsv").write_text("sentence\na\n")
    before = sorted(tmp_path.iterdir())
    flags = [flag.format(tuned=tuned) for flag in flags]
    usual = [f"--model={tuned}/run", "--output=scores", *OPTIONS]
    run(evaluate, *usual, *flags, code=2)
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before
