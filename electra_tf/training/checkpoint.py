"""The state of a run on disk: every variable by name with a checksum, complete or absent, strict when it is read."""

import dataclasses
import pathlib
import re
import shutil

import numpy as np
import safetensors
import safetensors.numpy

from electra_tf.config import read_json
from electra_tf.errors import InputError
from electra_tf.files import new_folder, sha256_of, write_json_atomically
from electra_tf.model.model_folder import assign_weights

FORMAT = 1
TENSORS_FILE = "tensors.safetensors"
STATE_FILE = "state.json"

_NAME = re.compile(r"step-(\d{8,})")


@dataclasses.dataclass(frozen=True)
class TrainingState:
    """What a checkpoint holds besides the variables.

    Attributes:
        step: updates done.
        examples: examples consumed: the input position at which the run goes on.
        seed: the run seed, from which masks, samples, dropout and data order follow.
        seconds: time that the run has used, or None where the clock does not end it.
    """

    step: int
    examples: int
    seed: int
    seconds: float | None = None


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """An intact checkpoint that was found on disk."""

    path: pathlib.Path
    state: TrainingState


class DamagedCheckpoint(Exception):
    """A checkpoint folder whose content is not what was written."""


def training_variables(pretrainer):
    """Name -> variable of all that training changes: "weights/..." and "optimizer/...".

    Args:
        pretrainer: a compiled ElectraPretrainer.

    >>> list(training_variables(pretrainer))[0]   # 'weights/discriminator/encoder/embeddings/word_embeddings'
    """
    weights = pretrainer.weights_by_name()
    trained = {name: variable for name, variable in weights.items() if variable.trainable}
    return {**{f"weights/{name}": variable for name, variable in weights.items()},
            **{f"optimizer/{name}": variable for name, variable in pretrainer.optimizer.state_by_name(trained).items()}}


def save_checkpoint(folder, variables, *, state, keep):
    """Writes `folder`/step-00001000 under a temporary name, flushes it to disk, renames it, and drops the oldest.

    Args:
        folder: the checkpoints of one run.
        variables: name -> variable.
        state: TrainingState.
        keep: how many of the newest checkpoints stay.

    Returns:
        pathlib.Path of the checkpoint.

    >>> save_checkpoint("runs/small/checkpoints", training_variables(pretrainer), state=state, keep=5)
    """
    folder = pathlib.Path(folder)
    for unfinished in folder.glob(".step-*"):
        shutil.rmtree(unfinished)
    path = folder / f"step-{state.step:08d}"
    if path.exists():  # A damaged one: from an intact one the run would have gone on.
        shutil.rmtree(path)
    with new_folder(path) as partial:
        arrays = {name: np.asarray(variable.numpy(), order="C") for name, variable in variables.items()}
        safetensors.numpy.save_file(arrays, partial / TENSORS_FILE)
        write_json_atomically(partial / STATE_FILE, {
            "format": FORMAT, **dataclasses.asdict(state), "sha256": sha256_of(partial / TENSORS_FILE)})
    for old in _folders(folder)[keep:]:
        shutil.rmtree(old)
    return path


def latest_checkpoint(folder, *, report):
    """The newest intact checkpoint of a run.

    Args:
        folder: the checkpoints of one run.
        report: function of one sentence, called for each newer checkpoint that is damaged.

    Returns:
        Checkpoint, or None where the run has none yet.

    Raises:
        InputError: there are checkpoints, and none of them is intact.

    >>> latest_checkpoint("runs/small/checkpoints", report=print).state.step   # 1000
    """
    found = _folders(pathlib.Path(folder))
    for path in found:
        try:
            return Checkpoint(path, _verified_state(path))
        except DamagedCheckpoint as error:
            report(f"{path} is damaged ({error}); the one before it is taken.")
    if found:
        raise InputError(f"{folder}: none of the {len(found)} checkpoints is intact; restore them from a copy, or "
                         f"remove the run's folder to start again.")
    return None


def restore_checkpoint(checkpoint, variables):
    """Fills every variable from a checkpoint.

    Raises:
        InputError: a variable is missing there, left over or of another shape.

    >>> restore_checkpoint(latest_checkpoint(folder, report=print), training_variables(pretrainer))
    """
    assign_weights(variables, safetensors.numpy.load_file(checkpoint.path / TENSORS_FILE))


def _folders(folder):
    """Paths of the checkpoints, newest first."""
    if not folder.is_dir():
        return []
    numbered = [(int(match.group(1)), path) for path in folder.iterdir() if (match := _NAME.fullmatch(path.name))]
    return [path for _, path in sorted(numbered, reverse=True)]


def _verified_state(path):
    try:
        values = read_json(path / STATE_FILE)
        state = TrainingState(**{field.name: values[field.name] for field in dataclasses.fields(TrainingState)
                                 if field.default is dataclasses.MISSING or field.name in values})
        if sha256_of(path / TENSORS_FILE) != values["sha256"]:
            raise DamagedCheckpoint(f"{TENSORS_FILE} has changed: its SHA-256 differs")
    except (InputError, OSError) as error:
        raise DamagedCheckpoint(str(error).rstrip(".")) from error
    except KeyError as error:
        raise DamagedCheckpoint(f"{STATE_FILE} has no {error}") from error
    return state
