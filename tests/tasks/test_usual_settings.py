"""Rates, decay, epochs and lengths follow from the size of the model and the task, flags go over them."""

import json

import pytest

from electra_tf.config import PRESETS, FineTuningConfig, replace, to_dict
from electra_tf.tasks.usual_settings import usual_settings
from experiments import finetune, job
from tests.tasks.tiny import save_networks


def folder(tmp_path, preset, *, foreign=False):
    """The config.json of a model folder, or of one of Hugging Face; the size is told without the weights."""
    model = to_dict(PRESETS[preset].model)
    written = {"format": 1, "kind": "discriminator", "model": model, "extra": {}}
    if foreign:
        written = {"hidden_size": model["hidden_size"], "max_position_embeddings": 512, "model_type": "electra"}
    (tmp_path / "config.json").write_text(json.dumps(written))
    return str(tmp_path)


@pytest.mark.parametrize("foreign", [False, True])
@pytest.mark.parametrize("preset, rate, decay", [
    ("small", 3e-4, 0.8), ("base", 1e-4, 0.8), ("large", 5e-5, 0.9)])
def test_larger_models_have_lower_rates(tmp_path, preset, rate, decay, foreign):
    settings = usual_settings(folder(tmp_path, preset, foreign=foreign))
    assert (settings.learning_rate, settings.layer_decay) == (rate, decay)
    assert replace(settings, learning_rate=3e-4, layer_decay=0.8) == FineTuningConfig()


@pytest.mark.parametrize("task, epochs, length", [
    ("glue/rte", 10, 128), ("glue/stsb", 10, 128), ("glue/cola", 3, 128), ("question_answering", 2, 384)])
def test_tasks_have_their_epochs_and_lengths(tmp_path, task, epochs, length):
    settings = usual_settings(folder(tmp_path, "small"), task=task)
    assert (settings.epochs, settings.sequence_length) == (epochs, length)


def test_an_input_is_no_longer_than_the_model_has_positions_for(tmp_path):
    assert usual_settings(save_networks(tmp_path), task="question_answering").sequence_length == 40


def test_the_recipes_rate_is_that_of_small_models(tmp_path):
    assert usual_settings(folder(tmp_path, "small"), recipe="original").learning_rate == 1e-4
    assert usual_settings(folder(tmp_path, "large"), recipe="original").learning_rate == 5e-5


def test_the_job_takes_them_and_flags_go_over_them(tmp_path):
    flags = ["finetune.py", f"--model={folder(tmp_path, 'large')}", "--output=out", "--task=glue/rte"]
    settings = job.read_flags(finetune.Flags, flags).settings
    assert (settings.learning_rate, settings.epochs) == (5e-5, 10)
    assert job.read_flags(finetune.Flags, [*flags, "--epochs=2"]).settings == replace(settings, epochs=2.0)
