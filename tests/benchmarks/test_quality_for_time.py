"""The queue that compares what minutes of pretraining are worth: what it searches, resumes and gives to the peer."""

import dataclasses
import json
import pathlib
import shutil
import types

import numpy as np
import pytest

from benchmarks import quality_for_time
from benchmarks.quality_for_time import FIRST, PEER_RATES, SEARCH, STARTS, Bench, Candidate, confirm, run_trial, search
from benchmarks.step_variants import find_tcmalloc
from benchmarks.task_sets import TaskSet
from docs import tables
from electra_tf.config import FineTuningConfig, preset, replace, with_overrides
from electra_tf.model.networks import ElectraDiscriminator
from electra_tf.tasks.options import TextClassification
from electra_tf.training.pretrain import PretrainingResult
from tests.tasks.tiny import reviews, write_tsv
from tests.training.tiny_run import tiny_vocabulary, write_records

SMALL = ("model.num_layers=1", "model.hidden_size=16", "model.embedding_size=16", "model.intermediate_size=64",
         "model.num_heads=1", "batch_size=4")
SHORT = dataclasses.replace(FIRST, lengths=(8, 16), start="counted_waves", packing="documents")


def write_sets(data, folder):
    return {part: str(write_tsv(folder / f"{part}.tsv", *reviews(24, seed=seed)))
            for seed, part in enumerate(("train", "validation", "test"))}


@pytest.fixture
def bench(tmp_path):
    """Two updates in place of minutes, a vocabulary that is there already, one small task."""
    write_records(tmp_path, documents=60)
    tiny_vocabulary().save(tmp_path / "work" / "vocabulary")
    task = TaskSet("mood, accuracy", "en", TextClassification(("sentence",), "label"), "accuracy", write_sets, 12)
    return Bench(work=tmp_path / "work", corpus=str(tmp_path / "corpus.txt"), data=tmp_path, results=tmp_path,
                 settings=SMALL, tasks={"mood": task}, tuning=FineTuningConfig(epochs=1.0, batch_size=8), steps=2,
                 seeds=(0, 1), peer_python="env OTHER=1 python")


@pytest.mark.parametrize("name", SEARCH)
def test_each_choice_of_the_search_can_be_and_is_another(name):
    found = set()
    for choice in SEARCH[name]:
        candidate = dataclasses.replace(FIRST, **{name: choice})
        config = candidate.config(candidate.lengths[-1], seed=3, settings=("time_budget=3m",))
        assert config.batch_size * candidate.lengths[-1] == candidate.tokens and config.budget_seconds == 180
        assert config.optimizer.learning_rate == candidate.learning_rate and config.seed == 3
        assert config.masking.mask_rate == candidate.mask_rate
        assert config.model.generator_size == (1 if candidate.generator_first else candidate.generator_size)
        assert config.model.hidden_size == preset(candidate.size).model.hidden_size
        assert STARTS[candidate.start] == (
            config.first_embeddings, config.optimizer.word_embeddings_rate, config.first_positions)
        found.add(candidate.name)
    assert len(found) == len(SEARCH[name])


def test_the_search_keeps_the_best_of_each_setting_and_stays_within_the_minutes(monkeypatch, tmp_path):
    best = Candidate("mini", "held", (64, 128), "documents", 2048, 2e-3, 0.25, 1.0, 0.4)
    runs = set()

    def run(side, candidate, seconds, *, seed, bench):
        assert (side, seconds, seed) == ("ours", 180, 0)
        runs.add(candidate.name)
        score = sum(getattr(candidate, name) == getattr(best, name) for name in SEARCH)
        return {"updates": 7, "scores": {"one": {"validation": score}, "two": {"validation": 2 * score}}}

    monkeypatch.setattr(quality_for_time, "run_trial", run)
    assert search(Bench(work=None, corpus=None, data=None, results=tmp_path)) == best
    assert len(runs) * 3 <= 90
    rows = [json.loads(path.read_text())["row"] for path in sorted(tmp_path.iterdir())]
    assert [row["setting"] for row in rows] == [name.replace("_", " ") for name in SEARCH]
    assert rows[0] == {"setting": "size", "kept": "mini", "mean of both scores, updates":
                       "tiny: 0.0, 7; mini: 1.5, 7; small: 0.0, 7"}
    assert [row["kept"] for row in rows if row["setting"] == "lengths"] == ["64 then 128"]


def test_the_preset_of_half_an_hour_is_what_the_search_has_kept():
    path = quality_for_time.RESULTS / "quality-for-time-ours.json"
    kept = json.loads(path.read_text(encoding="utf-8"))["candidate"]
    winner = Candidate(**{**kept, "lengths": tuple(kept["lengths"])})
    assert (len(winner.lengths), winner.packing, winner.generator_first) == (1, "carry_over", 0)  # no flag of a run
    found = winner.config(128, seed=0, settings=("time_budget=30m",))
    expected = preset("half_hour")
    for name in ("optimizer", "masking", "objective", "batch_size", "time_budget", "first_embeddings",
                 "first_positions"):
        assert getattr(found, name) == getattr(expected, name), name
    assert replace(found.model, vocabulary_size=quality_for_time.VOCABULARY_SIZE) == expected.model
    assert winner.lengths == (expected.sequence_length,)


def test_a_run_that_is_stopped_goes_on_and_is_not_run_again(bench, monkeypatch):
    """Pretraining is left out: it leaves the weights of a run that has just begun."""
    trained, tune = [], quality_for_time.finetune

    def pretrain(config, *, data, output, init_from):
        trained.append((data.name, output.name, config.batch_size, init_from and init_from.name))
        model = replace(config.model, vocabulary_size=tiny_vocabulary().size)
        if not output.exists():
            ElectraDiscriminator(model).save_to_preset(output / "discriminator", vocabulary=tiny_vocabulary())
        return PretrainingResult(output, config.train_steps, config.train_steps, None, {})

    def stop(config, **rest):
        raise KeyboardInterrupt
    monkeypatch.setattr(quality_for_time, "pretrain", pretrain)
    monkeypatch.setattr(quality_for_time, "finetune", stop)
    with pytest.raises(KeyboardInterrupt):
        run_trial("ours", SHORT, 180, seed=0, bench=bench)
    stages = [("records-documents-8", "stage-0", 4, None), ("records-documents-16", "stage-1", 4, "stage-0")]
    assert trained == stages
    monkeypatch.setattr(quality_for_time, "finetune", tune)
    result = run_trial("ours", SHORT, 180, seed=0, bench=bench)
    assert trained == stages + stages  # pretrain itself sees what is finished
    assert result["updates"] == 4 and 0 <= result["scores"]["mood"]["test"] <= 100
    assert run_trial("ours", SHORT, 180, seed=0, bench=bench) == json.loads(json.dumps(result)) and len(trained) == 4
    assert not list((bench.work / "runs").iterdir())


@pytest.mark.slow
def test_a_candidate_is_pretrained_in_its_stages(bench):
    trained = quality_for_time.pretrain_ours(SHORT, 180, seed=0, bench=bench, folder=bench.work / "run")
    assert trained == {"model": bench.work / "run" / "stage-1", "updates": 4}
    settings = [json.loads((bench.work / "run" / stage / "settings.json").read_text()) for stage in (
        "stage-0", "stage-1")]
    assert [setting["sequence_length"] for setting in settings] == [8, 16]
    assert [setting["init_from"] for setting in settings] == [None, str(bench.work / "run" / "stage-0")]


@pytest.mark.parametrize("changes, stages", [
    ({}, [("50", 8, 90), ("50", 16, 90)]),
    ({"lengths": (16,)}, [("50", 16, 180)]),
    ({"lengths": (16,), "generator_first": 0.4}, [("0", 16, 72), ("50", 16, 108)])])
def test_the_time_of_a_candidate_is_shared_by_its_stages(bench, monkeypatch, changes, stages):
    asked = []

    def pretrain(config, *, output, init_from, **rest):
        asked.append((f"{config.discriminator_weight:g}", config.sequence_length, config.budget_seconds))
        return PretrainingResult(output, 1, 1, None, {})

    monkeypatch.setattr(quality_for_time, "pretrain", pretrain)
    monkeypatch.setattr(quality_for_time, "records_of", lambda bench, packing, length: length)
    monkeypatch.setattr(quality_for_time.Candidate, "config", lambda candidate, length, *, seed, settings: (
        with_overrides(preset("tiny"), [f"sequence_length={length}", *settings])))
    bench = dataclasses.replace(bench, settings=(), steps=None)
    result = quality_for_time.pretrain_ours(
        dataclasses.replace(SHORT, **changes), 180, seed=0, bench=bench, folder=bench.work / "x")
    assert asked == [(weight, length, pytest.approx(seconds)) for weight, length, seconds in stages]
    assert result["updates"] == len(stages)


def test_both_sides_are_trained_on_the_same_text_and_tuned_alike(bench, monkeypatch):
    """The peer's process is left out: it leaves the weights that it was given."""
    asked, tuned = [], []

    def run(command, *, check, env):
        settings = json.loads(pathlib.Path(command[-2]).read_text())
        folder = pathlib.Path(settings["folder"])
        rows = np.load(folder / "rows.npz")
        asked.append((command[:3], settings, {name: rows[name].shape for name in rows.files}))
        shutil.copytree(folder / "discriminator", folder / "trained")
        pathlib.Path(command[-1]).write_text(json.dumps({"updates": 5}))

    def tune(model, task, *, seed, bench):  # the peer's second rate serves it better than its first
        tuned.append((pathlib.Path(model).name, task, seed))
        return {"validation": 60.0 + len(tuned), "test": 50.0 + len(tuned)}

    monkeypatch.setattr(quality_for_time, "subprocess", types.SimpleNamespace(run=run))
    monkeypatch.setattr(quality_for_time, "pretrain", lambda config, *, output, **rest: PretrainingResult(
        output, config.train_steps, config.train_steps, None, output.mkdir(parents=True) or {}))
    monkeypatch.setattr(quality_for_time, "tune", tune)
    monkeypatch.setattr(quality_for_time, "search", lambda bench: dataclasses.replace(SHORT, lengths=(16,)))
    trials = confirm(dataclasses.replace(bench, seeds=(0,)))
    trained = ("trained", "mood", 0)
    assert tuned == [trained, trained, ("stage-0", "mood", 0), trained, ("discriminator", "mood", 0)]
    assert [(settings["seconds"], settings["learning_rate"]) for _, settings, _ in asked] == [
        (180, PEER_RATES[0]), (180, PEER_RATES[1]), (1800, PEER_RATES[1])]
    command, settings, shapes = asked[-1]
    assert command == ["env", "OTHER=1", "python"]
    assert set(shapes) == {"token_ids", "segment_ids", "padding_mask"} and len(set(shapes.values())) == 1
    assert shapes["token_ids"][1] == 16
    assert settings["steps"] == 2 and settings["batch_size"] == 4
    assert settings["masking"]["slots"] == 2 and settings["special_ids"] == {"cls": 2, "sep": 3, "mask": 4}
    assert [trials[side][0]["updates"] for side in ("ours", "hugging-face")] == [2, 5]
    assert trials["ours"][0]["candidate"]["learning_rate"] == SHORT.learning_rate
    monkeypatch.setattr(tables, "RESULTS", bench.results)
    table = tables.results_table("quality for time")
    assert "| here | 30 | 0.00025 | 2 | 53.0 (1) |" in table
    assert "| Hugging Face in PyTorch | 30 | 0.0005 | 5 | 54.0 (1) |" in table
    assert "| none, random weights | 0 |  | 0 | 55.0 (1) |" in table


def test_what_the_peer_leaves_is_tuned_as_a_model_of_hugging_face(bench, monkeypatch):
    def run(command, **rest):
        folder = pathlib.Path(command[-1]).parent
        shutil.copytree(folder / "discriminator", folder / "trained")
        (folder / "answer.json").write_text('{"updates": 1}')

    monkeypatch.setattr(quality_for_time, "subprocess", types.SimpleNamespace(run=run))
    result = run_trial("hugging-face", dataclasses.replace(SHORT, lengths=(16,)), 180, seed=0, bench=bench)
    assert result["updates"] == 1 and 0 <= result["scores"]["mood"]["test"] <= 100
    assert result["peer"] == {**bench.peer, "has_tcmalloc": bool(find_tcmalloc())}
