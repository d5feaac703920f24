"""Starting a run from weights that exist (--init_from): strict, and what stays new is said."""

from electra_tf.errors import InputError
from electra_tf.model.model_folder import assign_weights, load_model_folder
from electra_tf.training.run_weights import is_run, read_run_weights

# What must agree although no weight's shape may show it.
_ARCHITECTURE = ("embedding_size", "hidden_size", "num_layers", "num_heads", "intermediate_size", "max_positions",
                 "num_segments", "layer_norm_epsilon")


def load_initial_weights(pretrainer, folder, *, vocabulary, report):
    """Fills the networks from another run or a model folder; optimizer, schedule and step stay new.

    Args:
        pretrainer: ElectraPretrainer.
        folder: a pretraining run, or a model folder of kind discriminator or encoder, or a shipped name.
        vocabulary: Vocabulary of the records, which must be that of the weights.
        report: function of one sentence: what was loaded, what is new.

    Raises:
        InputError: another kind, vocabulary or architecture, or a weight that does not fit.

    >>> load_initial_weights(pretrainer, "runs/small", vocabulary=vocabulary, report=print)
    """
    if is_run(folder):
        run = read_run_weights(folder, report=report)
        config, source_vocabulary, arrays, new = run.config.model, run.vocabulary, run.arrays, ()
        told = f"update {run.step:,} of the run {folder}: both networks"
    else:
        saved = load_model_folder(folder)
        config, source_vocabulary = saved.config, saved.vocabulary
        if saved.kind not in ("discriminator", "encoder"):
            raise InputError(f"--init_from: {folder} holds a model of kind {saved.kind!r}; give a pretraining run, or a "
                             f"model folder of kind 'discriminator' or 'encoder'.")
        arrays = {f"discriminator/{name}": array for name, array in saved.weights.items()}
        new = ("generator/",) if saved.kind == "discriminator" else ("generator/", "discriminator/head/")
        told = f"the {saved.kind} {folder}; new: {' and '.join(name.rstrip('/') for name in new)}. A new generator knows " \
               f"nothing, so the discriminator's task is easy at first"
    _require_same(config, pretrainer.config, folder)
    if source_vocabulary is not None and source_vocabulary.hash != vocabulary.hash:
        raise InputError(f"--init_from: {folder} was trained with another vocabulary (hash "
                         f"{source_vocabulary.hash[:12]}) than that of the records ({vocabulary.hash[:12]}); build the "
                         f"records with {folder}/vocabulary.")
    assign_weights(pretrainer.weights_by_name(), arrays, new=new)
    report(f"Weights from {told}.")


def _require_same(found, wanted, folder):
    differences = [f"{name} is {getattr(found, name)} there and {getattr(wanted, name)} here"
                   for name in _ARCHITECTURE if getattr(found, name) != getattr(wanted, name)]
    if differences:
        raise InputError(f"--init_from: {folder} has another architecture: {'; '.join(differences)}; choose the preset "
                         f"or --set model.NAME=VALUE to match.")
