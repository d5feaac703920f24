"""Reads the fixtures of KerasHub's ElectraBackbone."""

import json
import re

import numpy as np

from tests.oracles.shared import shared_path

OUTPUT_TOLERANCE, GRADIENT_TOLERANCE = 5e-5, 1e-3
_PARTS = {"self_attention_layer/query": "attention/query", "self_attention_layer/key": "attention/key",
          "self_attention_layer/value": "attention/value", "self_attention_layer/attention_output": "attention/output",
          "self_attention_layer_norm": "attention_norm", "feedforward_layer_norm": "output_norm",
          "feedforward_intermediate_dense": "intermediate", "feedforward_output_dense": "output"}
_OTHERS = {"token_embedding/embeddings": "encoder/embeddings/word_embeddings",
           "position_embedding/embeddings": "encoder/embeddings/position_embeddings",
           "segment_embedding/embeddings": "encoder/embeddings/segment_embeddings"}


def folder_of(name):
    return shared_path(f"oracles/kerashub/{name}")


def arrays_of(name):
    with np.load(shared_path(f"oracles/kerashub/{name}.npz")) as file:
        return {key: file[key] for key in file.files}


def num_layers_of(name):
    return json.loads((folder_of(name) / "config.json").read_text())["config"]["num_layers"]


def our_name(path):
    """Our name of a weight by its path in the backbone.

    >>> our_name("transformer_layer_0/feedforward_output_dense/bias")   # 'encoder/layer_0/output/bias'
    """
    if path in _OTHERS:
        return _OTHERS[path]
    module, leaf = path.rsplit("/", 1)
    if match := re.fullmatch(r"transformer_layer_(\d+)/(.+)", module):
        return f"encoder/layer_{match[1]}/{_PARTS[match[2]]}/{leaf}"
    return {"embeddings_layer_norm": "encoder/embeddings/norm", "embeddings_projection": "encoder/embeddings_project",
            "pooled_dense": "pooler"}[module] + f"/{leaf}"


def as_ours(name, array):
    """An array of the backbone in our layout: heads and head size are one axis."""
    if "attention/" not in name:
        return array
    if name.endswith("output/kernel"):
        return array.reshape(-1, array.shape[-1])
    return array.reshape(array.shape[0], -1) if array.ndim == 3 else array.reshape(-1) if array.ndim == 2 else array
