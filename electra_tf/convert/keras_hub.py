"""KerasHub presets of ElectraBackbone, both ways, without keras_hub.

What its backbone has and ELECTRA has not: GELU in the tanh approximation, always; a pooled dense layer on the first
token; one dropout rate for everything.
"""

import json
import pathlib

import h5py
import numpy as np

from electra_tf.config import ElectraConfig, read_json
from electra_tf.convert.names import KERAS_HUB, encoder_entries, pooler_entries
from electra_tf.convert.portable_model import PortableModel
from electra_tf.convert.strict import to_our_names, to_their_names
from electra_tf.convert.vocabularies import read_keras_hub, write_keras_hub
from electra_tf.errors import InputError
from electra_tf.files import some_names

CONFIG_FILE, WEIGHTS_FILE, _METADATA_FILE = "config.json", "model.weights.h5", "metadata.json"
_BACKBONE = "ElectraBackbone"
_EPSILON = 1e-12
_SETTINGS = {"vocab_size": "vocabulary_size", "num_layers": "num_layers", "num_heads": "num_heads",
             "hidden_dim": "hidden_size", "embedding_dim": "embedding_size", "intermediate_dim": "intermediate_size",
             "max_sequence_length": "max_positions", "num_segments": "num_segments"}


def read(folder):
    """A KerasHub preset of an ElectraBackbone.

    Args:
        folder: as `ElectraBackbone.save_to_preset` writes it, with or without a tokenizer.

    Returns:
        PortableModel of kind "encoder"; its pooled layer is kept under "pooler/".

    Raises:
        InputError: another backbone, or weights that do not fit the settings.

    >>> read("presets/electra_small").config.activation   # 'gelu_tanh'
    """
    folder = pathlib.Path(folder)
    stored = read_json(folder / CONFIG_FILE)
    if stored.get("class_name") != _BACKBONE:
        raise InputError(f"{folder / CONFIG_FILE} describes a {stored.get('class_name')!r}; expected an {_BACKBONE}.")
    settings = stored["config"]
    lacking = [name for name in (*_SETTINGS, "dropout") if name not in settings]
    if lacking:
        raise InputError(f"{folder / CONFIG_FILE} has no {lacking[0]}; it was written by another version of KerasHub.")
    config = ElectraConfig(
        **{ours: settings[theirs] for theirs, ours in _SETTINGS.items()}, hidden_dropout=settings["dropout"],
        attention_dropout=settings["dropout"], layer_norm_epsilon=_EPSILON, activation="gelu_tanh")
    weights = to_our_names(_read_arrays(folder / WEIGHTS_FILE),
                           [*encoder_entries(config, KERAS_HUB), *pooler_entries(config)], where=folder)
    vocabulary = read_keras_hub(folder)
    told = () if vocabulary is not None else (f"{folder} holds no tokenizer, hence no vocabulary.",)
    return PortableModel("encoder", config, weights, vocabulary, told=told)


def write(folder, model):
    """Fills a folder so that `keras_hub.models.ElectraBackbone.from_preset` reads it: the encoder alone.

    Args:
        folder: an empty folder.
        model: PortableModel.

    Returns:
        Tuple of sentences about what could not be written.

    Raises:
        InputError: the encoder has another LayerNorm epsilon than KerasHub's.

    >>> write(folder, model)
    """
    folder, config = pathlib.Path(folder), model.config
    if config.layer_norm_epsilon != _EPSILON:
        raise InputError(f"the {model.kind} has layer_norm_epsilon={config.layer_norm_epsilon}, but KerasHub's "
                         f"ElectraBackbone has {_EPSILON} and no setting for it; its numbers would differ.")
    told, poolers = [], pooler_entries(config)
    weights = {entry.ours: model.weights.get(entry.ours, np.zeros(entry.our_shape, np.float32)) for entry in poolers}
    if not model.starting_with("pooler/"):
        told.append("The model has no pooled layer; it was written as zeros, so pooled_output is 0 for every text.")
    weights |= model.starting_with("encoder/")
    if left := [name for name in model.weights if name not in weights]:
        told.append(f"Left out, as KerasHub's backbone is the encoder alone: {some_names(left, most=len(left))}.")
    if config.attention_dropout != config.hidden_dropout:
        told.append(f"KerasHub has one dropout rate: {config.hidden_dropout} was written, attention_dropout="
                    f"{config.attention_dropout} was not.")
    arrays = to_their_names(weights, [*encoder_entries(config, KERAS_HUB), *poolers], where=f"the {model.kind}")
    with h5py.File(folder / WEIGHTS_FILE, "w") as file:
        for name, array in arrays.items():
            file.create_dataset(name, data=array)
    _write_json(folder / CONFIG_FILE, _backbone_settings(config))
    _write_json(folder / _METADATA_FILE, {
        "keras_version": "3.15.1", "keras_hub_version": "0.32.0", "tasks": [],
        "parameter_count": int(sum(array.size for array in arrays.values()))})
    if model.vocabulary is not None:
        write_keras_hub(folder, model.vocabulary)
    return tuple(told)


def _backbone_settings(config):
    dtype = {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float32"}, "registered_name": None}
    return {"module": "keras_hub.src.models.electra.electra_backbone", "class_name": _BACKBONE,
            "config": {"name": "electra_backbone", "trainable": True, "dtype": dtype,
                       **{theirs: getattr(config, ours) for theirs, ours in _SETTINGS.items()},
                       "dropout": config.hidden_dropout},
            "registered_name": f"keras_hub>{_BACKBONE}"}


def _read_arrays(path):
    """name -> array of every weight in a .weights.h5."""
    arrays = {}

    def keep(name, item):
        if isinstance(item, h5py.Dataset):
            arrays[name] = item[()]
    try:
        with h5py.File(path) as file:
            file.visititems(keep)
    except OSError as error:
        raise InputError(f"{path} is missing or damaged ({error}); get the preset again.") from None
    return arrays


def _write_json(path, values):
    path.write_text(json.dumps(values, indent=4) + "\n", encoding="utf-8")
