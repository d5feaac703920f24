"""Which model folder is meant by a path: itself, or the one that a run has made."""

import pathlib

from electra_tf.model.model_folder import SHIPPED_MODELS

TUNED_MODEL = "model"  # in the folder of a fine-tuning run
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
