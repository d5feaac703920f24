"""Which model folder is meant by a path: itself, or the one that a run has made; or by a preset: one made for it."""

import contextlib
import pathlib
import tempfile

import numpy as np

from electra_tf.config import PRESETS, preset, replace
from electra_tf.errors import InputError
from electra_tf.model.encoder import ElectraEncoder
from electra_tf.model.model_folder import SHIPPED_MODELS
from electra_tf.tasks.tuned_run import TUNED_MODEL
from electra_tf.text.vocabulary import Vocabulary

_IN_RUNS = (TUNED_MODEL, "discriminator", "encoder", "generator")


def model_folder_of(folder):
    """The model folder at a path.

    Args:
        folder: a model folder; the folder of a fine-tuning run, whose tuned model is meant; the folder of a pretraining
            run, whose main network is meant; or a shipped name.

    Returns:
        pathlib.Path. Whether it holds a model shows when it is loaded.

    >>> model_folder_of("runs/small")   # PosixPath('runs/small/discriminator')
    """
    path = pathlib.Path(folder)
    if not path.exists():
        return SHIPPED_MODELS / path if (SHIPPED_MODELS / path).is_dir() else path
    inner = [path / name for name in _IN_RUNS if (path / name / "config.json").is_file()]
    return inner[0] if inner and not (path / "config.json").is_file() else path


def generator_folder_of(folder):
    """The generator's model folder at a path: itself, or the generator that a pretraining run has made.

    >>> generator_folder_of("runs/small")   # PosixPath('runs/small/generator')
    """
    path = pathlib.Path(folder)
    return path / "generator" if (path / "generator" / "config.json").is_file() else path


def is_preset(model):
    """Whether a name means a preset, because nothing of that name lies there."""
    return str(model) in PRESETS and not pathlib.Path(model).exists()


@contextlib.contextmanager
def model_folder(model, vocabulary=None):
    """The model folder to start from: that of `model_folder_of`, or one with a preset's architecture for a while.

    Args:
        model: as `model_folder_of`, or the name of a preset.
        vocabulary: folder of a vocabulary, for a preset alone.

    Raises:
        InputError: a preset without a vocabulary, or a model with another one than its own.

    >>> with model_folder("small", "vocabulary") as folder: ...
    """
    if is_preset(model) == (vocabulary is None):
        raise InputError(f"model={str(model)!r} is a preset, which has no vocabulary; give --vocabulary=FOLDER."
                         if vocabulary is None else f"model={str(model)!r} has a vocabulary; leave --vocabulary out.")
    if vocabulary is None:
        yield model_folder_of(model)
        return
    vocabulary = Vocabulary.load(vocabulary)
    encoder = ElectraEncoder(replace(preset(model).model, vocabulary_size=vocabulary.size))
    with tempfile.TemporaryDirectory() as folder:
        # Nobody reads these weights; equal ones, down to the signs of zeros, give the same fingerprint each time.
        for weight in encoder.weights:
            weight.assign(np.zeros(weight.shape))
        encoder.save_to_preset(pathlib.Path(folder) / model, vocabulary=vocabulary)
        yield pathlib.Path(folder) / model
