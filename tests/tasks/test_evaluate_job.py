"""The job that scores a tuned model: what it takes from the run, what it writes, and what reads that again."""

import json

import pytest

from electra_tf.errors import InputError
from electra_tf.tasks.statistics.comparison import compare_results
from experiments import evaluate, finetune
from tests.experiments.in_process import run
from tests.tasks.tiny import reviews, save_networks, write_tsv

OPTIONS = ("--text_columns=sentence", "--label_column=label")
NAMES = {"task", "metric", "split", "trials", "median", "mean", "std", "settings", "settings_hash", "versions"}
NAMES_OF_TRIAL = {"seed", "score", "metrics", "per_class", "best_step", "collapsed"}


def read(folder):
    return json.loads((folder / "result.json").read_text())


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    """A folder with `run`, two trials of two epochs, and its sets; `scores`, the run on its own validation set."""
    folder = tmp_path_factory.mktemp("tuned")
    save_networks(folder / "pretrained")
    for name, count, seed in (("train", 120, 0), ("validation", 40, 1)):
        write_tsv(folder / f"{name}.tsv", *reviews(count, seed=seed))
    run(finetune, f"--train={folder}/train.tsv", f"--validation={folder}/validation.tsv", *OPTIONS, "--long_text=max",
        f"--model={folder}/pretrained", f"--output={folder}/run", "--random_weights", "--metric=matthews", "--seed=5",
        "--num_trials=2", "--sequence_length=20", "--batch_size=16", "--epochs=2", "--learning_rate=3e-3")
    run(evaluate, f"--model={folder}/run", f"--data={folder}/validation.tsv", f"--output={folder}/scores")
    return folder


def test_a_run_and_a_file_are_enough(tuned, tmp_path):
    run(evaluate, f"--model={tuned}/run", f"--data={tuned}/validation.tsv", *OPTIONS, f"--output={tmp_path}/scores")
    assert read(tuned / "scores") == read(tmp_path / "scores")
    of_run = read(tuned / "run")
    assert read(tuned / "scores")["metrics"] in [trial["metrics"] for trial in of_run["trials"]]


def test_without_an_output_scores_are_printed_and_nothing_is_written(tuned, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    before = sorted(tuned.rglob("*"))
    run(evaluate, f"--model={tuned}/run", f"--data={tuned}/validation.tsv")
    accuracy = read(tuned / "scores")["metrics"]["accuracy"]
    out = capsys.readouterr().out
    assert out.startswith(f"text_classification: accuracy {accuracy:.4f}, macro_f1 ") and out.count("\n") == 1
    assert sorted(tuned.rglob("*")) == before and not list(tmp_path.iterdir())


def test_a_flag_counts_more_than_the_run(tuned, tmp_path, capsys):
    text = (tuned / "validation.tsv").read_text()
    (tmp_path / "other.tsv").write_text(text.replace("sentence\t", "review\t", 1))
    run(evaluate, f"--model={tuned}/run", f"--data={tmp_path}/other.tsv", code=2)
    assert "column 'sentence' does not exist; the columns are review, label" in capsys.readouterr().err
    run(evaluate, f"--model={tuned}/run", f"--data={tmp_path}/other.tsv", "--text_columns=review",
        f"--output={tmp_path}/scores")
    result = read(tmp_path / "scores")
    assert result["metrics"] == read(tuned / "scores")["metrics"]
    assert (result["settings"]["text_columns"], result["settings"]["label_column"]) == (["review"], "label")


def test_a_model_folder_needs_the_columns(tuned, capsys):
    run(evaluate, f"--model={tuned}/run/model", f"--data={tuned}/validation.tsv", code=2)
    error = capsys.readouterr().err
    assert "text_columns has 0 names; give one, or two for pairs." in error and error.count("\n") == 1


def test_the_result_has_the_names_of_a_runs_result_and_what_the_run_tells(tuned):
    result, of_run = read(tuned / "scores"), read(tuned / "run")
    for one in (result, of_run):
        assert set(one) >= NAMES and all(set(trial) >= NAMES_OF_TRIAL for trial in one["trials"])
    kept = next(trial for trial in of_run["trials"] if trial["seed"] == of_run["best_seed"])
    trial, = result["trials"]
    assert {name: trial[name] for name in ("seed", "best_step", "collapsed")} == {
        name: kept[name] for name in ("seed", "best_step", "collapsed")}
    assert result["score"] == result["median"] == result["mean"] == trial["score"] == trial["metrics"]["matthews"]
    assert (result["metric"], result["split"], result["std"], result["examples"]) == ("matthews", "data", None, 40)
    assert result["settings_hash"] == of_run["settings_hash"]
    assert result["settings"] == {**of_run["settings"], "model": f"{tuned}/run", "data": f"{tuned}/validation.tsv"}
    assert result["settings"]["long_text"] == "max" and result["settings"]["learning_rate"] == 3e-3


def test_what_a_model_folder_cannot_tell_is_null(tuned, tmp_path):
    run(evaluate, f"--model={tuned}/run/model", f"--data={tuned}/validation.tsv", *OPTIONS,
        f"--output={tmp_path}/scores")
    result = read(tmp_path / "scores")
    trial, = result["trials"]
    assert set(result) >= NAMES and set(trial) == NAMES_OF_TRIAL
    assert [trial["seed"], trial["best_step"], trial["collapsed"], result["settings_hash"]] == [None] * 4
    assert result["metric"] == "accuracy" and result["settings"]["text_columns"] == ["sentence"]
    assert trial["metrics"] == read(tuned / "scores")["metrics"]


def test_scores_of_each_class_are_those_of_the_written_answers(tuned):
    places = [(tuned / "scores", read(tuned / "scores")["trials"][0])]
    places += [(tuned / "run" / "trials" / str(trial["seed"]), trial) for trial in read(tuned / "run")["trials"]]
    assert len(places) == 3
    for folder, trial in places:
        lines = [json.loads(line) for line in (folder / "predictions.jsonl").read_text().splitlines()]
        assert list(trial["per_class"]) == ["neg", "pos"]
        for name, scores in trial["per_class"].items():
            hits = sum(line["label"] == line["prediction"] == name for line in lines)
            true, answered = (sum(line[key] == name for line in lines) for key in ("label", "prediction"))
            assert scores == {"precision": pytest.approx(hits / max(1, answered)),
                              "recall": pytest.approx(hits / true),
                              "f1": pytest.approx(2 * hits / (true + answered)), "support": true}
        assert trial["per_class"]["pos"]["f1"] == pytest.approx(trial["metrics"]["f1"])
        assert all(isinstance(value, float) for value in trial["metrics"].values())


def test_the_report_shows_scores_and_answers(tuned):
    page = (tuned / "scores" / "report.html").read_text()
    assert "text_classification: matthews on validation.tsv" in page and "true \\ predicted" in page
    assert "What the answers rest on" in page and "Scores of each class" in page
    assert "learning_rate" in page and 'src="http' not in page


def test_what_was_scored_is_compared_without_a_metric(tuned):
    of_run = read(tuned / "run")
    found = compare_results(tuned / "scores", tuned / "run" / "trials" / str(of_run["best_seed"]) / "result.json")
    assert (found.metric, found.split, found.examples, found.test.differing) == ("matthews", "", 40, 0)
    again = compare_results(tuned / "scores" / "result.json", tuned / "scores" / "predictions.jsonl")
    assert (again.metric, again.scores) == (found.metric, found.scores)


def test_the_diagnostic_set_comes_from_tensorflow_datasets_where_no_folder_is_given(tmp_path, monkeypatch, capsys):
    def diagnostic_data(data_dir):
        raise InputError(f"asked for {data_dir}.")

    monkeypatch.setattr(evaluate, "diagnostic_data", diagnostic_data)
    run(evaluate, "--task=glue/ax", "--model=nowhere", f"--output={tmp_path}/ax", code=2)
    assert "asked for None." in capsys.readouterr().err


def test_the_diagnostic_set_needs_an_output(capsys):
    run(evaluate, "--task=glue/ax", "--model=nowhere", "--data_dir=glue", code=2)
    assert "--task=glue/ax needs --output, the folder for the leaderboard's file." in capsys.readouterr().err
