"""The queue of the results table: same grid for all arms, nothing twice, restarts told, arms added over time."""

import dataclasses
import json
from types import SimpleNamespace

import pytest

from benchmarks import results_table
from benchmarks.results_table import Arm, Bench, arms_of, read_options, run_row
from benchmarks.task_sets import TaskSet
from docs import tables
from electra_tf.tasks.options import TextClassification
from tests.tasks.tiny import reviews, save_networks, write_tsv


def write_reviews(data, folder):
    return {part: write_tsv(folder / f"{part}.tsv", *reviews(24, seed=seed))
            for seed, part in enumerate(("train", "validation", "test"))}


@pytest.fixture
def bench(tmp_path):
    task = TaskSet("reviews, accuracy", "en", TextClassification(("sentence",), "label"), "accuracy", write_reviews, 12)
    return Bench(tmp_path, results=tmp_path, tasks={"reviews": task}, learning_rates=(1e-3, 1e-2), seeds=(0, 10),
                 tuning={"epochs": 1.0, "batch_size": 8})


def test_each_arm_tries_all_rates_and_runs_the_best_on_validation_with_all_seeds(tmp_path, bench, monkeypatch):
    runs = []

    def made_up(config, *, model, output, random_weights, **rest):
        """Another score for each run; the second rate is better on validation, and worse on the test set."""
        runs.append((model, config.learning_rate, config.seed, random_weights))
        validation, test = (0.6, 0.9) if config.learning_rate == 1e-3 else (0.7, 0.5 + config.seed / 100)
        output.mkdir()
        (output / "result.json").write_text(json.dumps({"trials": [{"trial": 0, "attempt": 0, "score": test}]}))
        return SimpleNamespace(best=SimpleNamespace(
            validation={"accuracy": validation}, test={"accuracy": test}, collapsed=None, best_step=3))

    monkeypatch.setattr(results_table, "finetune", made_up)
    monkeypatch.setattr(results_table, "fingerprint", lambda folder: f"weights in {folder}")
    arms = [Arm("tiny", "folder"), Arm("tiny, random", "folder")]
    run_row("reviews", arms[:1], bench)
    assert runs == [("folder", 1e-3, 0, False), ("folder", 1e-2, 0, False), ("folder", 1e-2, 10, False)]
    run_row("reviews", arms, bench)
    assert runs[3:] == [("folder", 1e-3, 0, True), ("folder", 1e-2, 0, True), ("folder", 1e-2, 10, True)]
    row = json.loads((tmp_path / "tasks-00-reviews.json").read_text())["row"]
    assert row == {"task": "reviews, accuracy", "tiny": pytest.approx([50, 60]), "tiny, median": "55.0",
                   "tiny, random": pytest.approx([50, 60]), "tiny, random, median": "55.0"}
    with pytest.raises(SystemExit, match="tiny-0.001-0.json is of another model than other; give the arm another name"):
        run_row("reviews", [Arm("tiny", "other")], bench)
    monkeypatch.setattr(tables, "RESULTS", tmp_path)
    assert "reviews, accuracy | 55.0 ± 7.1 (2) | 55.0" in tables.results_table("tasks")


def test_a_collapsed_trial_is_done_again_and_the_score_without_that_is_told(tmp_path, bench):
    # A rate of next to nothing leaves a constant guess; a restart does not help, but is counted.
    bench = dataclasses.replace(bench, learning_rates=(1e-12,), seeds=(0,))
    run_row("reviews", [Arm("tiny", str(save_networks(tmp_path / "run")))], bench)
    trial, = [json.loads(path.read_text()) for path in (tmp_path / "trials" / "tasks").iterdir()]
    row = json.loads((tmp_path / "tasks-00-reviews.json").read_text())["row"]
    assert trial["collapsed"] and trial["restarts"] == 1
    assert row["tiny, median"] == (
        f"{100 * trial['test']:.1f} (1 restarted; without: {100 * trial['test_without_restart']:.1f})")


def test_small_sets_of_glue_get_the_epochs_that_are_usual_for_them(tmp_path, bench, monkeypatch):
    seen = {}

    def made_up(config, *, output, **rest):
        seen[output.parent.name] = config.epochs
        raise KeyboardInterrupt
    monkeypatch.setattr(results_table, "finetune", made_up)
    tasks = dict.fromkeys(("rte", "sst2"), bench.tasks["reviews"])
    bench = dataclasses.replace(bench, tasks=tasks, tuning={"batch_size": 8})
    for key in tasks:
        with pytest.raises(KeyboardInterrupt):
            results_table.run_trial(key, Arm("tiny", "tiny_en"), 1e-3, 0, bench)
    assert list(seen.values()) == [10.0, 3.0]


def test_epochs_other_than_the_usual_ones_stand_in_the_name_of_the_column():
    options = read_options(["data", "MiniLM=folder", "--epochs=1", "--tasks=cola", "--learning_rates=1e-4,5e-4"])
    assert arms_of(options) == [Arm("MiniLM, 1 epoch", "folder")]
    assert options.tasks == ["cola"] and options.learning_rates == (1e-4, 5e-4)
    options = read_options(["data", "tiny=a=b", "tiny, random=c"])
    assert arms_of(options) == [Arm("tiny", "a=b"), Arm("tiny, random", "c")]
