"""The queue of the ablation table: it makes a row, goes on where it was stopped, and runs nothing twice."""

import json

import pytest

from benchmarks import ablations
from benchmarks.ablations import ABLATIONS, Bench, run_row
from docs import tables
from electra_tf.config import FineTuningConfig, preset, with_overrides
from tests.tasks.tiny import reviews, write_tsv
from tests.training.tiny_run import write_records

SMALL = ("model.num_layers=1", "model.hidden_size=16", "model.embedding_size=16", "model.intermediate_size=64",
         "model.num_heads=1", "batch_size=4", "first_embeddings=random", "optimizer.word_embeddings_rate=1")


@pytest.mark.parametrize("name", ABLATIONS)
def test_the_settings_of_a_row_can_be(name):
    for stage in (ABLATIONS[name].settings, ABLATIONS[name].first_stage or ()):
        changed = with_overrides(preset("tiny"), stage)
        assert changed != preset("tiny") or not stage


@pytest.mark.parametrize(("name", "stages"), [
    ("mlm", 1), pytest.param("replace_mlm", 1, marks=pytest.mark.slow),
    pytest.param("two_stage", 2, marks=pytest.mark.slow)])
def test_a_queue_that_is_stopped_goes_on_and_fills_its_table(name, stages, tmp_path, monkeypatch):
    labelled = {part: write_tsv(tmp_path / f"{part}.tsv", *reviews(24, seed=seed))
                for seed, part in enumerate(("train", "validation", "test"))}
    bench = Bench(records=write_records(tmp_path, documents=60), work=tmp_path / "work", results=tmp_path,
                  labelled=labelled, base=SMALL, steps=20, seeds=(0, 1),
                  tuning=FineTuningConfig(sequence_length=12, epochs=1.0, batch_size=8))
    runs, tune, fails = [], ablations.finetune, [True]

    def pretrain(config, *, output, **rest):
        runs.append((output.parent.name, output.name, config.train_steps))
        return run(config, output=output, **rest)

    def stop_once(config, **rest):
        if config.seed == 1 and fails:
            fails.pop()
            raise KeyboardInterrupt
        return tune(config, **rest)
    run = ablations.pretrain
    monkeypatch.setattr(ablations, "pretrain", pretrain)
    monkeypatch.setattr(ablations, "finetune", stop_once)
    with pytest.raises(KeyboardInterrupt):
        run_row(name, bench)
    half = json.loads((tmp_path / f"ablation-{name}.json").read_text())
    assert list(half["trials"]) == ["0"]
    whole = run_row(name, bench)
    assert list(whole["trials"]) == ["0", "1"] and whole["trials"]["0"] == half["trials"]["0"]
    # Seed 0 was not run again; the stages of seed 1 were finished, which pretrain itself sees.
    first, second = ([(f"{name}-{seed}", f"stage-{stage}", 20 // stages) for stage in range(stages)] for seed in (0, 1))
    assert runs == first + second + second
    assert run_row(name, bench) == whole and len(runs) == 3 * stages
    monkeypatch.setattr(tables, "RESULTS", tmp_path)
    table = tables.results_table("ablations")
    assert f"| {ABLATIONS[name].what} | 20 | " in table and "(2) |" in table
    assert tables.results_table("nothing of this name") == "No result yet."


def test_the_processor_minutes_decide_the_updates_and_are_measured_once(tmp_path, monkeypatch):
    bench = Bench(records=None, work=tmp_path, minutes=0.5)
    asked = []

    def seconds(config, bench, steps):
        asked.append(steps)
        return 7 + 0.2 * steps  # what comes before the first update does not count

    monkeypatch.setattr(ablations, "_processor_seconds", seconds)
    assert [ablations._steps_that_fit(preset("tiny"), bench, "electra", 0) for _ in range(2)] == [150, 150]
    assert asked == list(ablations.PROBE_STEPS)
