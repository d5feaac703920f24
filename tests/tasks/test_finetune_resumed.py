"""A run that was killed after its result gets what it still lacks; runs that were made alike have one settings hash."""

import json
import shutil
import types

import pytest

from electra_tf.config import AugmentationConfig, FineTuningConfig, replace
from electra_tf.errors import InputError
from electra_tf.files import sha256_of
from electra_tf.tasks import finetune as finetune_module
from electra_tf.tasks import trial as trial_module
from electra_tf.tasks.finetune import finetune, settings_hash
from electra_tf.tasks.options import TextClassification, Trials
from electra_tf.text.vocabulary import Vocabulary
from tests.tasks.tiny import reviews, save_networks, tiny_config, tiny_vocabulary, write_tsv

pytestmark = [pytest.mark.usefixtures("eagerly"), pytest.mark.filterwarnings(
    "ignore:.*Even though the `tf.config.experimental_run_functions_eagerly` option is set")]
CONFIG = FineTuningConfig(sequence_length=20, batch_size=16, epochs=1, learning_rate=1e-3, dropout=0.0)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Arguments of `finetune` for two small sets and a pretraining run with random weights."""
    folder = tmp_path_factory.mktemp("data")
    sets = {name: str(write_tsv(folder / f"{name}.tsv", *reviews(count, seed=seed)))
            for name, count, seed in (("train", 40, 0), ("validation", 20, 1))}
    return {**sets, "task": TextClassification(("sentence",), "label"), "model": str(save_networks(folder / "run"))}


class Killed(Exception):
    """Ends a run."""


def kill(*_, **__):
    raise Killed


@pytest.mark.parametrize("trials", [Trials(), Trials(num_trials=2, ensemble=True)])
def test_a_run_that_was_killed_after_its_result_gets_its_report(data, tmp_path, monkeypatch, trials):
    with monkeypatch.context() as killed:
        killed.setattr(finetune_module, "run_report", kill)
        with pytest.raises(Killed):
            finetune(CONFIG, **data, output=tmp_path / "run", trials=trials)
    before = {path: path.is_file() and sha256_of(path) for path in (tmp_path / "run").rglob("*")}
    assert tmp_path / "run" / "result.json" in before and tmp_path / "run" / "report.html" not in before
    monkeypatch.setattr(trial_module, "tune", kill)  # nothing is trained again
    result = finetune(CONFIG, **data, output=tmp_path / "run", trials=trials)
    after = {path: path.is_file() and sha256_of(path) for path in (tmp_path / "run").rglob("*")}
    assert "Learning curves" in (tmp_path / "run" / "report.html").read_text()
    assert {path for path in after if after[path] != before.get(path)} == {tmp_path / "run" / "report.html"}
    written = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result.scores == [trial["score"] for trial in written["trials"]]
    assert result.ensemble == written["ensemble"] and result.best.seed == written["best_seed"]
    with pytest.raises(InputError, match="holds a finished run with these settings; its model is"):
        finetune(CONFIG, **data, output=tmp_path / "run", trials=trials)


def test_what_else_belongs_to_a_run_is_written_with_its_model_until_it_is_whole(data, tmp_path):
    with pytest.raises(Killed):
        finetune(CONFIG, **data, output=tmp_path / "run", write_more=kill)
    seen = []
    result = finetune(CONFIG, **data, output=tmp_path / "run", write_more=lambda *given: seen.append(given))
    (folder, model), = seen
    texts, labels = reviews(20, seed=1)
    answers = model.predict(texts, verbose=0).argmax(axis=1)
    right = sum(model.labels[answer] == label for answer, label in zip(answers, labels, strict=True))
    assert folder == tmp_path / "run" and right / 20 == result.best.validation["accuracy"]
    assert (folder / "report.html").is_file()


def model_of(*, vocabulary=None, **architecture):
    """What a hash asks of a model."""
    return types.SimpleNamespace(encoder=types.SimpleNamespace(config=tiny_config(**architecture)),
                                 preprocessor=types.SimpleNamespace(vocabulary=vocabulary or tiny_vocabulary()))


SETTINGS = {"task": "text_classification", "train": "here/train.tsv", "validation": "here/dev.tsv", "test": None,
            "model": "here/run", "num_trials": 3, "learning_rate": 1e-3, "text_columns": ("sentence",),
            "augmentation": {"new_tokens": "generator", "generator": "here/run"}}
INPUTS = {"model": "0123", "generator": "4567", "train": "89ab"}
USUAL_HASH = settings_hash(SETTINGS, INPUTS, model_of())


@pytest.mark.parametrize("changes", [
    {"train": "there/train.tsv", "validation": "there/dev.tsv", "model": "there"}, {"text_columns": ["sentence"]},
    {"augmentation": {"new_tokens": "generator", "generator": "there/generator"}}])
def test_the_settings_hash_does_not_tell_where_things_lie(changes):
    assert settings_hash({**SETTINGS, **changes}, INPUTS, model_of()) == USUAL_HASH


@pytest.mark.parametrize("changes", [
    {"learning_rate": 2e-3}, {"num_trials": 4}, {"task": "glue/cola"}, {"text_columns": ["text"]},
    {"augmentation": {"new_tokens": "mask", "generator": "here/run"}}])
def test_the_settings_hash_changes_with_a_setting(changes):
    assert settings_hash({**SETTINGS, **changes}, INPUTS, model_of()) != USUAL_HASH


@pytest.mark.parametrize("name", INPUTS)
def test_the_settings_hash_changes_with_what_data_and_model_hold(name):
    assert settings_hash(SETTINGS, {**INPUTS, name: "cdef"}, model_of()) != USUAL_HASH


def test_the_settings_hash_changes_with_the_architecture_and_the_vocabulary():
    # Neither need show in the weights.
    assert settings_hash(SETTINGS, INPUTS, model_of(num_heads=2)) != USUAL_HASH
    other = Vocabulary(tiny_vocabulary().pieces[::-1])
    assert settings_hash(SETTINGS, INPUTS, model_of(vocabulary=other)) != USUAL_HASH


def test_the_same_run_elsewhere_has_the_same_settings_hash(data, tmp_path):
    generator = AugmentationConfig(insertion_rate=0.1, new_tokens="generator", generator=data["model"])
    elsewhere = {name: str(shutil.copy(data[name], tmp_path / f"{name}-moved.tsv")) for name in ("train", "validation")}
    elsewhere["model"] = str(shutil.copytree(data["model"], tmp_path / "moved"))
    moved = replace(CONFIG, augmentation=replace(generator, generator=elsewhere["model"]))
    runs = [(replace(CONFIG, augmentation=generator), data), (moved, {**data, **elsewhere}),
            (replace(moved, learning_rate=2e-3), {**data, **elsewhere})]
    hashes = []
    for number, (config, arguments) in enumerate(runs):
        finetune(config, **arguments, output=tmp_path / str(number))
        hashes.append(json.loads((tmp_path / str(number) / "result.json").read_text())["settings_hash"])
    assert hashes[0] == hashes[1] != hashes[2] and len(hashes[0]) == 64
