"""The queue of the augmentation table: it makes rows, runs nothing twice, and leaves out what it cannot make."""

import csv

import pytest

from benchmarks import augmentation
from benchmarks.augmentation import AUGMENTATIONS, Bench, run_row
from docs import tables
from electra_tf.config import AugmentationConfig, FineTuningConfig
from tests.tasks.tiny import reviews, save_networks, write_tsv


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_the_settings_of_a_row_can_be(name):
    settings = AUGMENTATIONS[name][1]
    generator = {"generator": "folder"} if settings.get("new_tokens") == "generator" else {}
    assert AugmentationConfig(**settings, **generator).is_on == (name != "0-none")


def test_a_queue_that_is_stopped_goes_on_and_fills_its_table(tmp_path, monkeypatch):
    sets = {part: write_tsv(tmp_path / f"{part}.tsv", *reviews(24, seed=seed))
            for seed, part in enumerate(("train", "validation", "test"))}
    run = save_networks(tmp_path / "run")
    bench = Bench(work=tmp_path / "work", results=tmp_path, model=str(run), examples=9, seeds=(0, 1), **sets,
                  config=FineTuningConfig(sequence_length=12, epochs=1.0, batch_size=8))
    assert run_row("5-generator", bench) is None
    seeds, tune = [], augmentation.finetune

    def stop_once(config, **rest):
        seeds.append(config.seed)
        if len(seeds) == 2:
            raise KeyboardInterrupt
        return tune(config, **rest)

    monkeypatch.setattr(augmentation, "finetune", stop_once)
    bench = Bench(**{**vars(bench), "generator": str(run)})
    with pytest.raises(KeyboardInterrupt):
        run_row("5-generator", bench)
    done = run_row("5-generator", bench)
    assert seeds == [0, 1, 1] and list(done["trials"]) == ["0", "1"]
    assert run_row("5-generator", bench) == done and len(seeds) == 3
    with open(tmp_path / "work" / "train.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert len(rows) == 10 and set(map(tuple, rows[1:])) <= set(zip(*reviews(24, seed=0), strict=True))
    monkeypatch.setattr(tables, "RESULTS", tmp_path)
    assert "10 % replaced by the generator's" in tables.results_table("augmentation")
