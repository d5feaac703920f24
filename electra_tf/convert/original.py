"""Checkpoints of the original implementation (TF1), both ways, and of the original BERT, one way.

Such a checkpoint holds no settings. They are read from the shapes of its variables; what no shape shows (the number of
heads, dropout, epsilon) from a bert_config.json beside it, as BERT's releases have it, else the original's rules hold.
"""

import dataclasses
import json
import pathlib
import re

import numpy as np
import tensorflow as tf

from electra_tf.config import ElectraConfig, read_json
from electra_tf.convert.hugging_face import config_from, settings_from
from electra_tf.convert.names import ORIGINAL, TEXT_TASKS, encoder_entries, head_entries
from electra_tf.convert.portable_model import PortableModel
from electra_tf.convert.strict import to_our_names, to_their_names
from electra_tf.convert.vocabularies import read_vocabulary_beside
from electra_tf.errors import InputError
from electra_tf.files import some_names

SETTINGS_FILE = "bert_config.json"
_PREFIX, _STATE_FILE = "model.ckpt", "checkpoint"
_SLOT = re.compile(r"/(adam_m|adam_v)$|^global_step$|/(Adam|Adam_1)$")
_TAGGING_TASKS = ("chunk", "ner", "pos")
_PAIR_TASKS = ("mnli", "mrpc", "qnli", "qqp", "rte", "sts", "wnli")
_SHARED = "encoder/embeddings/"
# What the weights of an encoder must show of its settings, and the variable that does.
_SHOWN = {"vocabulary_size": ("embeddings/word_embeddings", 0), "embedding_size": ("embeddings/word_embeddings", 1),
          "max_positions": ("embeddings/position_embeddings", 0),
          "num_segments": ("embeddings/token_type_embeddings", 0),
          "hidden_size": ("encoder/layer_0/attention/self/query/kernel", 1),
          "intermediate_size": ("encoder/layer_0/intermediate/dense/kernel", 1)}


def checkpoint_prefix(path):
    """The checkpoint that a path means, without its ending, or None where there is none.

    Args:
        path: DIR/model.ckpt-100 (with or without ".index"), or a folder; in a folder the one that its state file
            `checkpoint` names last, else the only one.

    Raises:
        InputError: a folder holds several and does not say which.

    >>> checkpoint_prefix("electra_small")   # PosixPath('electra_small/electra_small')
    """
    path = pathlib.Path(path)
    if not path.is_dir():
        path = path.with_suffix("") if path.suffix == ".index" else path
        return path if path.with_name(f"{path.name}.index").is_file() else None
    found = sorted(path.glob("*.index"))
    named = tf.train.latest_checkpoint(str(path)) if (path / _STATE_FILE).is_file() else None
    if named is not None:
        return pathlib.Path(named)
    if len(found) > 1:
        raise InputError(f"{path} holds {len(found)} checkpoints ({some_names(one.stem for one in found)}); name one, "
                         f"such as {found[0].with_suffix('')}.")
    return found[0].with_suffix("") if found else None


def read(path):
    """The networks of a checkpoint of the original ELECTRA, or the encoder of an original BERT.

    Args:
        path: as for `checkpoint_prefix`; a vocab.txt is looked for beside it.

    Returns:
        List of PortableModel: discriminator and generator of a pretraining run, or the one model that is there.

    Raises:
        InputError: no such checkpoint, or variables that have no place.

    >>> [model.kind for model in read("electra_small")]   # ['discriminator', 'generator']
    """
    prefix = checkpoint_prefix(path)
    arrays, slots = _read_variables(prefix)
    settings_file = prefix.parent / SETTINGS_FILE
    settings = read_json(settings_file) if settings_file.is_file() else None
    vocabulary, told = read_vocabulary_beside(prefix.parent)
    if slots:
        told += (f"Skipped {len(slots)} variables of the optimizer: {some_names(slots)}.",)
    if settings is None:
        told += (f"No {SETTINGS_FILE} says how many heads there are; the original has one for 64 of the width.",)
    is_bert = any(name.startswith("bert/") for name in arrays)
    models = _bert(arrays, settings, prefix) if is_bert else _electra(arrays, settings, prefix)
    return [dataclasses.replace(model, vocabulary=vocabulary, told=(*told, *model.told)) for model in models]


def write(folder, models):
    """Writes model.ckpt, bert_config.json and the vocabulary, as the original's jobs read them.

    Args:
        folder: an empty folder.
        models: one PortableModel, or discriminator and generator of one pretraining run.

    Returns:
        Tuple of sentences about what could not be written.

    Raises:
        InputError: the original has no such model.

    >>> write(folder, [discriminator, generator])
    """
    folder, told = pathlib.Path(folder), ()
    first = models[0]
    arrays = {}
    for model in models:
        if model.config.activation != "gelu":
            raise InputError(f"the {model.kind} has activation={model.config.activation!r}, but the original has the "
                             f"exact GELU alone; it cannot be written as one of its checkpoints.")
        if pooler := model.starting_with("pooler/"):
            told += (f"Left out, as ELECTRA has no pooler: {some_names(pooler)}.",)
        weights = {name: array for name, array in model.weights.items() if not name.startswith("pooler/")}
        arrays |= to_their_names(weights, _entries_to_write(model, models), where=f"the {model.kind}")
    names = sorted(arrays)
    tf.raw_ops.SaveV2(prefix=str(folder / _PREFIX), tensor_names=names, shape_and_slices=[""] * len(names),
                      tensors=[arrays[name] for name in names])
    (folder / _STATE_FILE).write_text(f'model_checkpoint_path: "{_PREFIX}"\n', encoding="utf-8")
    settings = {name: value for name, value in settings_from(first.config).items() if name != "tie_word_embeddings"}
    (folder / SETTINGS_FILE).write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
    if first.vocabulary is not None:
        first.vocabulary.write_into(folder)
    return told


def _read_variables(prefix):
    """(name -> array, names of optimizer slots)."""
    try:
        reader = tf.train.load_checkpoint(str(prefix))
        names = sorted(reader.get_variable_to_shape_map())
        if "_CHECKPOINTABLE_OBJECT_GRAPH" in names:
            raise InputError(f"{prefix} is a TensorFlow 2 checkpoint of objects; expected one of named variables, as "
                             f"the original implementation writes it.")
        slots = [name for name in names if _SLOT.search(name)]
        return {name: reader.get_tensor(name) for name in names if not _SLOT.search(name)}, slots
    except (tf.errors.OpError, RuntimeError, ValueError, IndexError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{prefix} is damaged or not complete ({str(error).splitlines()[0]}); get it again.") from None


def _electra(arrays, settings, prefix):
    heads = {"generator": any(name.startswith("generator_predictions/") for name in arrays),
             "discriminator": any(name.startswith("discriminator_predictions/") for name in arrays)}
    tasks = sorted({name.split("/")[1] for name in arrays if name.startswith("task_specific/")})
    models, used = [], set()
    for kind in [kind for kind in ("discriminator", "generator") if heads[kind]]:
        scope = "generator/" if kind == "generator" and _has_scope(arrays, "generator/") else "electra/"
        embeddings = scope if f"{scope}embeddings/word_embeddings" in arrays else "electra/"
        models.append((kind, scope, embeddings, {}))
    if tasks and not any(heads.values()):
        kind, extra = _task_of(arrays, tasks, prefix)
        models.append((kind, "electra/", "electra/", extra))
    if not models:
        models.append(("encoder", "electra/", "electra/", {}))
    found = []
    for kind, scope, embeddings, extra in models:
        # The settings beside a checkpoint are those of the discriminator, if it is there.
        known = settings if scope == "electra/" or len(models) == 1 else None
        config = _config(arrays, scope, embeddings, known, prefix)
        entries = [*encoder_entries(config, ORIGINAL, prefix=scope, embeddings_prefix=embeddings),
                   *head_entries(kind, config, ORIGINAL, extra)]
        others = [name for name in arrays if name not in {entry.theirs for entry in entries}]
        found.append(PortableModel(
            kind, config, to_our_names(arrays, entries, where=prefix, left_out=others), extra=extra))
        used |= {entry.theirs for entry in entries}
    if left := sorted(set(arrays) - used):
        raise InputError(f"{prefix}: the weights do not fit the settings; without a place: {some_names(left, most=8)}.")
    return _with_generator_sizes(found)


def _with_generator_sizes(models):
    """The discriminator's settings say how large its generator is, so that a run can go on with both.

    What no shape shows of the generator follows from the discriminator, as in the original.
    """
    if [model.kind for model in models] != ["discriminator", "generator"]:
        return models
    discriminator, generator = models
    config = dataclasses.replace(
        discriminator.config, generator_size=generator.config.hidden_size / discriminator.config.hidden_size,
        generator_depth=generator.config.num_layers / discriminator.config.num_layers)
    derived = config.generator
    if all(getattr(derived, name) == getattr(generator.config, name) for name in (*_SHOWN, "num_layers")):
        generator = dataclasses.replace(generator, config=derived)
    return [dataclasses.replace(discriminator, config=config), generator]


def _bert(arrays, settings, prefix):
    config = _config(arrays, "bert/", "bert/", settings, prefix)
    entries = encoder_entries(config, ORIGINAL, prefix="bert/")
    beside = ("bert/embeddings/", "bert/encoder/")
    left_out = [name for name in arrays if not name.startswith(beside)]
    told = ("This is a BERT: its encoder is a warm start.",)
    if left_out:
        told += (f"Left out: {', '.join(left_out)}.",)
    return [PortableModel("encoder", config, to_our_names(arrays, entries, where=prefix, left_out=left_out), told=told)]


def _config(arrays, scope, embeddings, settings, prefix):
    """ElectraConfig from the shapes, and from the settings beside them, which must agree."""
    shown = {}
    for field, (name, axis) in _SHOWN.items():
        name = (embeddings if name.startswith("embeddings/") else scope) + name
        if name not in arrays:
            raise InputError(f"{prefix} has no variable {name}; expected a checkpoint of the original ELECTRA or BERT, "
                             f"found {some_names(sorted(arrays))}.")
        shown[field] = arrays[name].shape[axis]
    layers = {int(match[1]) for name in arrays if (match := re.match(rf"{scope}encoder/layer_(\d+)/", name))}
    shown["num_layers"] = len(layers)
    if settings is None:
        # As the original: 64 wide heads, one at least.
        return ElectraConfig(**shown, num_heads=max(1, shown["hidden_size"] // 64))
    stored = config_from({"embedding_size": shown["embedding_size"], **settings}, prefix.parent / SETTINGS_FILE)
    differences = [f"{name} is {getattr(stored, name)} there and {size} in the weights"
                   for name, size in shown.items() if getattr(stored, name) != size]
    if differences:
        raise InputError(f"{prefix.parent / SETTINGS_FILE} does not fit {prefix.name}: {'; '.join(differences)}.")
    return dataclasses.replace(stored, has_tied_output=True)


def _task_of(arrays, tasks, prefix):
    """(kind, extra) of the one task head in a fine-tuned checkpoint."""
    if len(tasks) > 1:
        raise InputError(f"{prefix} was tuned on several tasks at once ({', '.join(tasks)}), and a model folder holds "
                         f"one head.")
    task = tasks[0]
    names = sorted(name.split("/", 2)[2] for name in arrays if name.startswith("task_specific/"))
    if names != ["dense/bias", "dense/kernel"]:
        raise InputError(f"{prefix}: the head of task {task!r} has no counterpart here ({', '.join(names)}); convert a "
                         f"checkpoint of the pretraining, or of a task with one dense layer.")
    outputs = int(np.shape(arrays[f"task_specific/{task}/dense/bias"])[0])
    labels = [str(number) for number in range(outputs)]
    if task in _TAGGING_TASKS:
        return "token_classifier", {"labels": labels, "task": task}
    return "text_regressor" if outputs == 1 else "text_classifier", {
        "labels": labels, "task": task, **({"pairs": True} if task in _PAIR_TASKS else {})}


def _entries_to_write(model, models):
    kind, config = model.kind, model.config
    heads = head_entries(kind, config, ORIGINAL, model.extra) if kind != "multiple_choice" else None
    if heads is None:
        reason = ("its head has two layers, the original's has one" if kind in TEXT_TASKS else
                  "its output matrix is not the word table" if kind == "generator" else
                  "the original has no such head")
        raise InputError(f"a model of kind {kind!r} cannot be written as a checkpoint of the original: {reason}; write "
                         f"its encoder alone by --part=encoder.")
    if kind != "generator":
        return [*encoder_entries(config, ORIGINAL), *heads]
    scope, embeddings = "generator/", "electra/"
    if len(models) > 1 and not _share_embeddings(*models):
        if config.embedding_size != config.hidden_size:
            raise InputError("generator and discriminator have different embeddings, which the original stores only "
                             "where the generator's are as wide as its layers; write each by itself.")
        embeddings = "generator/"
    return [*encoder_entries(config, ORIGINAL, prefix=scope, embeddings_prefix=embeddings), *heads]


def _share_embeddings(discriminator, generator):
    ours, theirs = (model.starting_with(_SHARED) for model in (discriminator, generator))
    return ours.keys() == theirs.keys() and all(np.array_equal(ours[name], theirs[name]) for name in ours)


def _has_scope(arrays, scope):
    return any(name.startswith(scope) for name in arrays)
