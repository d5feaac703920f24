"""Starting a run from weights that exist (--init_from): strict, and what stays new is said."""

import dataclasses

from electra_tf.config import PretrainingConfig, generator_of
from electra_tf.errors import InputError
from electra_tf.model.model_folder import assign_weights, load_networks
from electra_tf.training.run_weights import is_run, read_run_weights

# What must agree although no weight's shape may show it.
_ARCHITECTURE = ("embedding_size", "hidden_size", "num_layers", "num_heads", "intermediate_size", "max_positions",
                 "num_segments", "layer_norm_epsilon", "activation", "position_type", "embedding_gate")
_SHARED = "encoder/embeddings/"  # a run stores them once, with the discriminator's
_BY_PIECE = ("word_embeddings", "output_bias", "output_embeddings")  # a row for each piece
_NEW_BESIDE = {"discriminator": ("generator/",), "encoder": ("generator/", "discriminator/head/")}


@dataclasses.dataclass(frozen=True)
class InitialWeights:
    """Weights that fit a run.

    Attributes:
        arrays: name -> numpy array, names as `ElectraPretrainer.weights_by_name`.
        new: prefixes of the variables that are not among them.
        told: sentence about both.
    """

    arrays: dict
    new: tuple
    told: str

    def assign_to(self, pretrainer):
        """Fills the networks; optimizer, schedule and step stay new."""
        assign_weights(pretrainer.weights_by_name(), self.arrays, new=self.new)


def read_initial_weights(folder, *, config: PretrainingConfig, vocabulary, report):
    """The weights of another run or of a model folder, checked to fit.

    A run that trained the generator alone (discriminator_weight=0), as large as the discriminator (generator_size=1),
    fills both networks: without such a start, a discriminator beside a generator that is far ahead learns nothing.

    Args:
        folder: a pretraining run; a model folder of kind discriminator or encoder, of ours or of another program; a
            folder or original checkpoint with both networks; or a shipped name.
        config: PretrainingConfig of the new run.
        vocabulary: Vocabulary of the records, which must be that of the weights.
        report: function of one sentence about damaged checkpoints of the other run.

    Returns:
        InitialWeights.

    Raises:
        InputError: another kind, vocabulary or architecture.

    >>> read_initial_weights("runs/small", config=config, vocabulary=vocabulary, report=print).new   # ()
    """
    if is_run(folder):
        run = read_run_weights(folder, report=report)
        _require_same_vocabulary(run.vocabulary, vocabulary, folder)
        _require_same_architecture(run.config.model, config.model, folder)
        _require_same_architecture(generator_of(run.config.model, run.config.objective),
                                   generator_of(config.model, config.objective), folder, network="the generator's ")
        told = f"Weights of both networks from step {run.step:,} of {folder}."
        if not run.config.discriminator_weight:
            return _after_generator_alone(run, config, folder, told)
        return InitialWeights(run.arrays, (), told)
    saved, *others = load_networks(folder)
    if saved.kind not in _NEW_BESIDE:
        raise InputError(f"--init_from: {folder} holds a model of kind {saved.kind!r}; give a pretraining run, or a "
                         f"model folder of kind {' or '.join(map(repr, _NEW_BESIDE))}.")
    if saved.vocabulary is not None:
        _require_same_vocabulary(saved.vocabulary, vocabulary, folder)
    _require_same_architecture(saved.config, config.model, folder)
    kept = ("encoder/", "head/") if saved.kind == "discriminator" else ("encoder/",)
    arrays = {f"discriminator/{name}": _of_known_pieces(name, array, vocabulary)
              for name, array in saved.weights.items() if name.startswith(kept)}
    if others:
        (generator,) = others
        _require_same_architecture(generator.config, generator_of(config.model, config.objective), folder,
                                   network="the generator's ")
        arrays |= {f"generator/{name}": _of_known_pieces(name, array, vocabulary)
                   for name, array in generator.weights.items() if not name.startswith(_SHARED)}
        return InitialWeights(arrays, (), f"Weights of both networks from {folder}.")
    new = _NEW_BESIDE[saved.kind]
    return InitialWeights(arrays, new, (
        f"Weights of the {saved.kind} from {folder}; new: {' and '.join(name.rstrip('/') for name in new)}. A new "
        f"generator knows nothing, so the discriminator's task is easy until it has caught up."))


def _after_generator_alone(run, config, folder, told):
    """Weights of a run without a trained discriminator: the generator's in its place, if it is built like it."""
    generator = generator_of(run.config.model, run.config.objective)
    differences = [f"{name} is {getattr(generator, name)} and {getattr(run.config.model, name)}"
                   for name in _ARCHITECTURE if getattr(generator, name) != getattr(run.config.model, name)]
    if not differences:
        return InitialWeights(_with_generator_as_discriminator(run.arrays), (), told + (
            " It trained the generator alone, so the discriminator starts with the generator's encoder."))
    if config.objective.freeze_generator:
        raise InputError(f"--init_from: {folder} trained a generator alone that is built otherwise than the "
                         f"discriminator ({'; '.join(differences)}), which would start anew and learns nothing beside "
                         f"a generator that is done; --set model.embedding_size={run.config.model.hidden_size} --set "
                         f"model.generator_size=1 in both runs make them alike.")
    return InitialWeights(run.arrays, (), told + (
        f" But the discriminator was not trained there and starts anew, as the generator differs "
        f"({'; '.join(differences)})."))


def _with_generator_as_discriminator(arrays):
    """The weights of both networks with the discriminator's layers replaced by the generator's (paper, section 3.2)."""
    prefix = "generator/encoder/"
    return {**arrays, **{f"discriminator/encoder/{name.removeprefix(prefix)}": array
                         for name, array in arrays.items() if name.startswith(prefix)}}


def _of_known_pieces(name, array, vocabulary):
    """A table without the rows that only fill it up to a multiple of 8; a run has one row for each piece."""
    return array[:vocabulary.size] if name.endswith(_BY_PIECE) else array


def _require_same_vocabulary(found, wanted, folder):
    if found.hash != wanted.hash:
        raise InputError(f"--init_from: {folder} was trained with another vocabulary (hash {found.hash[:12]}) than "
                         f"that of the records ({wanted.hash[:12]}); build the records with its vocabulary.")


def _require_same_architecture(found, wanted, folder, *, network=""):
    differences = [f"{network}{name} is {getattr(found, name)} there and {getattr(wanted, name)} here"
                   for name in _ARCHITECTURE if getattr(found, name) != getattr(wanted, name)]
    if differences:
        raise InputError(f"--init_from: {folder} has another architecture ({'; '.join(differences)}); choose the "
                         f"preset or --set model.NAME=VALUE to match.")
