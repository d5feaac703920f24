"""The weights of a pretraining run, from its newest checkpoint: for model folders, or to start another run."""

import dataclasses
import pathlib

import safetensors.numpy

from electra_tf.config import PretrainingConfig, from_dict, generator_of, read_json
from electra_tf.errors import InputError
from electra_tf.model.model_folder import save_model_folder
from electra_tf.records.manifest import read_vocabulary
from electra_tf.training.checkpoint import TENSORS_FILE, latest_checkpoint
from electra_tf.training.run_folder import SETTINGS_FILE

CHECKPOINTS = "checkpoints"
DISCRIMINATOR, GENERATOR, ENCODER = "discriminator", "generator", "encoder"
_SHARED = "encoder/embeddings/"  # stored once, with the discriminator's


@dataclasses.dataclass(frozen=True)
class RunWeights:
    """Both networks of a run.

    Attributes:
        config: PretrainingConfig.
        vocabulary: Vocabulary.
        step: updates behind the weights.
        arrays: name -> numpy array, names as `ElectraPretrainer.weights_by_name`.
    """

    config: PretrainingConfig
    vocabulary: object
    step: int
    arrays: dict


def is_run(folder):
    """Whether a folder is that of a pretraining run."""
    return (pathlib.Path(folder) / SETTINGS_FILE).is_file() and (pathlib.Path(folder) / CHECKPOINTS).is_dir()


def read_run_weights(folder, *, report=print):
    """The newest weights of a run, finished or not.

    Args:
        folder: folder of a pretraining run.
        report: function of one sentence about damaged checkpoints.

    Raises:
        InputError: the run has no checkpoint yet, or none that is intact.

    >>> read_run_weights("runs/small").step   # 1000
    """
    folder = pathlib.Path(folder)
    checkpoint = latest_checkpoint(folder / CHECKPOINTS, report=report)
    if checkpoint is None:
        raise InputError(f"{folder} has no checkpoint yet; wait for its first one.")
    settings = read_json(folder / SETTINGS_FILE)
    names = {field.name for field in dataclasses.fields(PretrainingConfig)}
    config = from_dict(PretrainingConfig, {name: value for name, value in settings.items() if name in names})
    tensors = safetensors.numpy.load_file(checkpoint.path / TENSORS_FILE)
    arrays = {name.removeprefix("weights/"): array for name, array in tensors.items() if name.startswith("weights/")}
    return RunWeights(config, read_vocabulary(folder), checkpoint.state.step, arrays)


def save_networks(run, output):
    """Writes the networks of a run as model folders `output`/discriminator and `output`/generator.

    Where the main network is no discriminator its encoder goes to `output`/encoder, for fine-tuning, and where the
    generator was trained alone the generator's; a generator of two towers, which nothing else reads, stays in the
    checkpoint.

    Args:
        run: RunWeights.
        output: folder; a network that is there already stays as it is.

    >>> save_networks(read_run_weights("runs/small"), "snapshot")
    """
    output = pathlib.Path(output)
    objective = run.config.objective
    main, generator = _below(run.arrays, f"{DISCRIMINATOR}/"), _below(run.arrays, f"{GENERATOR}/")
    shared = "encoder/" if objective.shared == "everything" else _SHARED
    generator = {**{name: array for name, array in main.items() if name.startswith(shared)}, **generator}
    if objective.name == "mlm":  # the one network that there is
        main = generator
    kind, config = DISCRIMINATOR, run.config.model
    if objective.name in ("mlm", "replace_mlm", "all_tokens_mlm"):
        kind = ENCODER
    elif not run.config.discriminator_weight and objective.generator == "masked":
        kind, config, main = ENCODER, generator_of(config, objective), generator
    if kind == ENCODER:
        main = {name: array for name, array in main.items() if name.startswith("encoder/")}
    networks = [(kind, config, main)]
    if objective.generator == "masked":
        networks.append((GENERATOR, generator_of(run.config.model, objective), generator))
    for kind, config, arrays in networks:
        if not (output / kind).exists():
            save_model_folder(output / kind, kind=kind, config=config, weights=arrays, vocabulary=run.vocabulary)


def _below(arrays, prefix):
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
