"""GLUE's diagnostic set: a model tuned on MNLI answers it, and is scored where the labels are there."""

import json

import keras
import numpy as np
import pytest
import tensorflow_datasets as tfds

from electra_tf.errors import InputError
from electra_tf.model.encoder import ElectraEncoder
from electra_tf.tasks.glue import diagnostic_data, glue_data
from electra_tf.tasks.text_classification import ElectraTextClassifier
from electra_tf.text.preprocessor import TextPreprocessor
from experiments import evaluate, finetune, glue_submission
from tests.experiments.in_process import run
from tests.tasks.tiny import reviews, save_networks, scatter_weights, tiny_config, tiny_vocabulary

LABELS = ("contradiction", "entailment", "neutral")


def save_classifier(folder, *, labels=LABELS, pairs=True):
    keras.utils.set_random_seed(0)
    model = ElectraTextClassifier(ElectraEncoder(tiny_config(num_layers=1)), labels=labels, pairs=pairs,
                                  preprocessor=TextPreprocessor(tiny_vocabulary(), sequence_length=20))
    scatter_weights(model, seed=0)
    if pairs:  # so that each label is answered at times
        texts = tuple(reviews(30, seed=seed)[0] for seed in (0, 1))
        model.classifier.bias.assign_sub(model(model.preprocessor(texts)).numpy().mean(axis=0))
    model.save_to_preset(folder)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A folder with models of MNLI's labels, and of others."""
    folder = tmp_path_factory.mktemp("models")
    save_classifier(folder / "mnli")
    save_classifier(folder / "moods", labels=("neg", "pos"), pairs=False)
    return folder


@pytest.fixture
def pairs():
    return list(zip(reviews(30, seed=0)[0], reviews(30, seed=1)[0], strict=True))


@pytest.fixture
def labels():
    return [LABELS[place] for place in np.random.default_rng(0).integers(3, size=30)]


def matthews(truths, answers):
    """Gorodkin's correlation of two lists of classes: that of their one-hot rows."""
    first, second = (np.array([[name == label for label in LABELS] for name in names], float)
                     for names in (truths, answers))
    first, second = first - first.mean(axis=0), second - second.mean(axis=0)
    return (first * second).sum() / np.sqrt((first ** 2).sum() * (second ** 2).sum())


def write_unlabelled(path, pairs):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("index\tsentence1\tsentence2\n" + "".join(
        f"{number}\t{first}\t{second}\n" for number, (first, second) in enumerate(pairs)), encoding="utf-8")


def write_labelled(path, pairs, labels):
    """The columns of the file with labels; the phenomena before them are often empty."""
    path.parent.mkdir(parents=True, exist_ok=True)
    header = "Lexical Semantics\tPredicate-Argument Structure\tLogic\tKnowledge\tDomain\tPremise\tHypothesis\tLabel\n"
    path.write_text(header + "".join(f"Quantifiers\t\t\t\tNews\t{first}\t{second}\t{label}\n" for (first, second), label
                                     in zip(pairs, labels, strict=True)), encoding="utf-8")


def test_the_job_writes_a_submission_and_the_scores_of_the_labelled_file(models, tmp_path, capsys, pairs, labels):
    model = models / "mnli"
    write_unlabelled(tmp_path / "glue" / "diagnostic" / "diagnostic.tsv", pairs)
    write_labelled(tmp_path / "glue" / "diagnostic" / "diagnostic-full.tsv", pairs, labels)
    run(evaluate, "--task=glue/ax", f"--model={model}", f"--data_dir={tmp_path}/glue", f"--output={tmp_path}/ax")
    places = ElectraTextClassifier.from_preset(model).predict(pairs, verbose=0).argmax(axis=1)
    answers = [LABELS[place] for place in places]
    assert len(set(answers)) > 1
    lines = (tmp_path / "ax" / "submission" / "AX.tsv").read_text().splitlines()
    assert lines == ["index\tprediction", *(f"{number}\t{answer}" for number, answer in enumerate(answers))]
    result = json.loads((tmp_path / "ax" / "result.json").read_text())
    assert (result["task"], result["metric"], result["examples"]) == ("glue/ax", "matthews", 30)
    assert result["score"] == result["metrics"]["matthews"] == pytest.approx(matthews(labels, answers))
    assert "glue/ax: accuracy" in capsys.readouterr().out
    run(glue_submission, f"--runs={tmp_path}/ax", f"--output={tmp_path}/a.zip")
    wanted = capsys.readouterr().out
    assert "MNLI-m.tsv" in wanted and "AX.tsv" not in wanted


@pytest.mark.parametrize("place", ["AX.tsv", "AX/AX.tsv", "MNLI/diagnostic.tsv", "diagnostic/diagnostic.tsv"])
def test_without_labels_there_is_a_submission_alone(models, tmp_path, capsys, pairs, place):
    write_unlabelled(tmp_path / "glue" / place, pairs)
    assert diagnostic_data(tmp_path / "glue").unlabelled == {"AX": str(tmp_path / "glue" / place)}
    if place != "AX.tsv":
        return
    model = models / "mnli"
    run(evaluate, "--task=glue/ax", f"--model={model}", f"--data_dir={tmp_path}/glue", f"--output={tmp_path}/ax")
    assert [path.name for path in (tmp_path / "ax").iterdir()] == ["submission"]
    assert capsys.readouterr().out == f"for the leaderboard: {tmp_path}/ax/submission/AX.tsv\n"


def test_without_files_tensorflow_datasets_has_the_texts(models, tmp_path, monkeypatch, pairs):
    write_unlabelled(tmp_path / "AX.tsv", pairs)
    monkeypatch.setattr(tfds.core.constants, "DATA_DIR", str(tmp_path / "sets"))
    monkeypatch.setattr(tfds.download.DownloadManager, "download", lambda manager, url: str(tmp_path / "AX.tsv"))
    assert evaluate.electra_tf.evaluate_diagnostic(models / "mnli", diagnostic_data(tmp_path),
                                                   output=tmp_path / "files") is None
    run(evaluate, "--task=glue/ax", f"--model={models}/mnli", f"--output={tmp_path}/prepared")
    of_files, prepared = ((tmp_path / name / "submission" / "AX.tsv").read_text() for name in ("files", "prepared"))
    assert prepared == of_files and prepared.count("\n") == 31


def test_a_run_on_mnli_finds_the_diagnostic_file_of_the_official_download(tmp_path, pairs):
    write_unlabelled(tmp_path / "diagnostic" / "diagnostic.tsv", pairs)
    for name in ("train", "dev_matched", "dev_mismatched", "test_matched"):
        write_unlabelled(tmp_path / "MNLI" / f"{name}.tsv", pairs)
    data = glue_data("glue/mnli", tmp_path)
    assert data.unlabelled == {"MNLI-m": str(tmp_path / "MNLI" / "test_matched.tsv"),
                               "AX": str(tmp_path / "diagnostic" / "diagnostic.tsv")}


def test_tuning_on_it_is_refused_with_what_to_run_instead(tmp_path, capsys):
    save_networks(tmp_path / "pretrained")
    run(finetune, "--task=glue/ax", f"--data_dir={tmp_path}", f"--model={tmp_path}/pretrained",
        f"--output={tmp_path}/run", code=2)
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and not (tmp_path / "run").exists()
    assert ("--task=glue/ax has no training set; tune a model with --task=glue/mnli, then run python "
            "experiments/evaluate.py --task=glue/ax --model=RUN --data_dir=DIR --output=DIR.") in error


@pytest.mark.parametrize("flags, message", [
    (["--task=glue/ax", "--data_dir=empty"], "--data_dir: empty has no diagnostic.tsv, AX.tsv or diagnostic-full.tsv"),
    (["--task=glue/ax", "--data_dir=glue", "--label_column=x"], "expected glue/ax without --label_column; any"),
    (["--task=glue/cola", "--data_dir=glue"], "--task=glue/cola: expected glue/ax without --data; any other task"),
    (["--data_dir=glue"], "--data must be given; --data_dir is for --task=glue/ax"),
    (["--task=glue/ax", "--data_dir=glue", "--model={models}/moods"],
     "moods tells neg, pos apart; glue/ax needs a model tuned on MNLI, whose labels are contradiction, entailment"),
])
def test_what_does_not_fit_is_refused_and_nothing_is_left(models, tmp_path, monkeypatch, capsys, pairs, flags, message):
    monkeypatch.chdir(tmp_path)
    write_unlabelled(tmp_path / "glue" / "AX.tsv", pairs)
    run(evaluate, f"--model={models}/mnli", "--output=ax", *(flag.format(models=models) for flag in flags), code=2)
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not (tmp_path / "ax").exists()


def test_a_label_that_is_not_mnlis_is_named(models, tmp_path, pairs, labels):
    model = models / "mnli"
    write_labelled(tmp_path / "glue" / "diagnostic-full.tsv", pairs, ["maybe", *labels[1:]])
    with pytest.raises(InputError, match=r"diagnostic-full\.tsv, line 2: label 'maybe' is unknown"):
        evaluate.electra_tf.evaluate_diagnostic(model, diagnostic_data(tmp_path / "glue"), output=tmp_path / "ax")
    assert not (tmp_path / "ax").exists()
