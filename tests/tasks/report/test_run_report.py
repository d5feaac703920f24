"""The report of a run says what lies in its folder."""

import json

import numpy as np
import pytest

from electra_tf.tasks.report.page import report_html
from electra_tf.tasks.report.parts import ColouredText, Confusion, Curves
from electra_tf.tasks.report.run_report import run_report, trials_part


def trial(seed, score, **more):
    return {"seed": seed, "score": score, "metrics": {"accuracy": score}, "validation": {"accuracy": score + 0.01},
            "best_step": 100 + seed, "collapsed": False, **more}


def write_run(folder, trials, *, best_seed, split="test"):
    for entry in trials:
        place = folder / "trials" / str(entry["seed"])
        place.mkdir(parents=True)
        records = [{"event": "train", "step": 50, "loss": 0.7 + entry["seed"] / 100, "learning_rate": 1e-4},
                   {"event": "validation", "step": 60, "epoch": 0.5, "train_loss": 0.65, "accuracy": 0.6,
                    "is_best": True},
                   {"event": "warning", "step": 60, "message": "dead run"},
                   {"event": "validation", "step": 120, "epoch": 1.0, "train_loss": 0.5, "accuracy": entry["score"],
                    "is_best": True}]
        (place / "log.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
        lines = [{"text": f"text of seed {entry['seed']}", "label": "neg", "prediction": "pos",
                  "probabilities": [0.1, 0.9]}, {"text": "easy", "label": "pos", "prediction": "pos",
                                                 "probabilities": [0.2, 0.8]}]
        (place / "predictions.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    result = {"task": "text_classification", "metric": "accuracy", "split": split, "trials": trials,
              "best_seed": best_seed, "examples": {"train": 4000, "validation": 2, "test": 2},
              "settings": {"model": "tiny_en", "random_weights": False, "learning_rate": 3e-4, "text_columns": ["a"]},
              "settings_hash": "0123456789abcdef", "versions": {"tensorflow": "2.21.0"}}
    (folder / "result.json").write_text(json.dumps(result), encoding="utf-8")
    return folder


@pytest.fixture
def run(tmp_path):
    return write_run(tmp_path / "run", [trial(0, 0.75), trial(1, 0.5, collapsed=True, trial=1),
                                        trial(3, 0.77, trial=1, attempt=1), trial(2, 0.76, trial=2)],
                     best_seed=3)


def section_of(report, title):
    return next(section for section in report.sections if section.title == title)


def test_the_facts_are_those_of_the_trials_that_count(run):
    report = run_report(run)
    facts = {name: (value, note) for name, value, note in report.facts}
    assert report.title == "text_classification: accuracy on test"
    assert report.lead == "3 trials from the weights of tiny_en; rows: 4,000 train, 2 validation, 2 test."
    assert facts["median"][0] == "0.7600"
    assert facts["mean"] == (f"{np.mean([0.75, 0.77, 0.76]):.4f}", f"standard deviation "
                             f"{np.std([0.75, 0.77, 0.76], ddof=1):.4f}")
    assert facts["collapsed trials"] == ("0", "and 1 restarted; median without restarts 0.7500")


def test_every_attempt_is_in_the_table_and_the_curves(run):
    report = run_report(run)
    (table,) = section_of(report, "Trials").parts
    assert table.header == ("trial", "seed", "accuracy", "accuracy, validation", "best step", "collapsed", "attempt",
                            "model")
    assert [(row[0], row[1], row[5], row[6], row[7]) for row in table.rows] == [
        (1, "0", "no", "first", ""), (2, "1", "yes", "first", ""), (2, "3", "no", "restart 1", "kept"),
        (3, "2", "no", "first", "")]
    assert table.marked == (2,)
    losses, scores = section_of(report, "Learning curves").parts
    assert isinstance(losses, Curves) and losses.faded == scores.faded == ("seed 1",)
    assert losses.curves["seed 3"] == [(50, 0.73), (60, 0.65), (120, 0.5)]
    assert scores.curves["seed 3"] == [(60, 0.6), (120, 0.77)]


def test_single_answers_are_those_of_the_kept_model(run):
    report = run_report(run)
    assert isinstance(section_of(report, "Answers").parts[0], Confusion)
    wrong = section_of(report, "Most confidently wrong")
    assert wrong.parts[0].rows == ((0.9, "neg", "pos", "text of seed 3"),)
    assert "test set" in wrong.note and "seed 3" in wrong.note


def test_a_run_of_one_trial_claims_no_spread(tmp_path):
    report = run_report(write_run(tmp_path / "run", [trial(5, 0.75)], best_seed=5, split="validation"))
    assert [name for name, _, _ in report.facts] == ["score", "collapsed trials"]
    assert report.facts[0][1:] == ("0.7500", "accuracy, validation set; one trial shows no spread")


def test_columns_that_say_nothing_are_left_out():
    entry = {**trial(5, 0.75), "validation": {"accuracy": 0.75}}
    assert trials_part([entry], metric="accuracy", best_seed=5).header == (
        "trial", "seed", "accuracy", "best step", "collapsed", "model")


def test_the_page_holds_settings_and_versions(run):
    text = report_html(run_report(run))
    assert "0123456789ab" in text and "2.21.0" in text and "learning_rate" in text
    assert "What the answers rest on" not in text


def with_ensemble(folder, scores):
    path = folder / "result.json"
    result = json.loads(path.read_text(encoding="utf-8"))
    result["settings"]["ensemble"], result["ensemble"] = True, scores
    path.write_text(json.dumps(result), encoding="utf-8")
    return folder


def test_an_ensemble_stands_beside_its_members(run):
    report = run_report(with_ensemble(run, {"accuracy": 0.8125}))
    facts = {name: (value, note) for name, value, note in report.facts}
    assert facts["ensemble"] == ("0.8125", "accuracy, test set; all trials as one model")
    _, table = section_of(report, "Trials").parts
    assert table.header == ("score", "ensemble", "mean of its members", "kept model")
    ((name, *values),) = table.rows
    assert name == "accuracy" and table.marked == (0,) and "all 3 trials" in table.caption
    np.testing.assert_allclose(values, [0.8125, np.mean([0.75, 0.77, 0.76]), 0.77])


def test_an_ensemble_that_could_not_be_scored_is_said_to_have_no_score(run):
    assert section_of(run_report(run), "Trials").note == ""
    section = section_of(run_report(with_ensemble(run, None)), "Trials")
    assert len(section.parts) == 1
    assert section.note == "The ensemble of the trials has no score: every row has trained one of its members."


def test_coloured_texts_have_a_section_of_their_own(run):
    text = ColouredText("pos (true: neg)", [("Fine", 1.5), ("  ", None), ("films", -0.5)])
    page = report_html(run_report(run, coloured_texts=[text]))
    assert 'class="for"' in page and 'class="against"' in page and "What the answers rest on" in page
