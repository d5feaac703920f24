"""Reads the fixtures of the original implementation, under the names that our weights have."""

import json
import re

import numpy as np

from electra_tf.config import ElectraConfig
from tests.oracles.shared import shared_path

_ENCODER_PARTS = {
    "attention/self/query": "attention/query", "attention/self/key": "attention/key",
    "attention/self/value": "attention/value", "attention/output/dense": "attention/output",
    "attention/output/LayerNorm": "attention_norm", "intermediate/dense": "intermediate", "output/dense": "output",
    "output/LayerNorm": "output_norm"}


def our_name(name):
    """The name in `ElectraPretrainer.weights_by_name` of a variable of the original.

    >>> our_name("electra/encoder/layer_0/output/dense/kernel")   # 'discriminator/encoder/layer_0/output/kernel'
    """
    for theirs, ours in (("electra/", "discriminator/encoder/"), ("generator/", "generator/encoder/"),
                         ("generator_predictions/", "generator/head/"),
                         ("discriminator_predictions/", "discriminator/head/")):
        if name.startswith(theirs):
            name = ours + name.removeprefix(theirs)
            break
    name = name.replace("/token_type_embeddings", "/segment_embeddings")
    name = name.replace("embeddings/LayerNorm", "embeddings/norm").replace("head/LayerNorm", "head/norm")
    name = name.replace("discriminator/head/dense_1", "discriminator/head/output")
    if match := re.match(r"(.*/encoder/)encoder/(layer_\d+)/(.*)/(\w+)$", name):
        network, layer, part, kind = match.groups()
        name = f"{network}{layer}/{_ENCODER_PARTS[part]}/{kind}"
    return name


class PretrainingFixture:
    """Arrays and settings of `pretrain_<variant>`; `weights` and `gradients` are under our names."""

    def __init__(self, variant):
        arrays = np.load(shared_path(f"oracles/original/pretrain_{variant}.npz"))
        self.arrays = {name: arrays[name] for name in arrays.files}
        self.settings = json.loads(shared_path(f"oracles/original/pretrain_{variant}.json").read_text())
        self.weights, self.gradients = (
            {our_name(name.removeprefix(group)): value for name, value in self.arrays.items() if name.startswith(group)}
            for group in ("init/", "grad/"))

    def __getitem__(self, name):
        return self.arrays[name]

    def config(self):
        bert, run = self.settings["bert_config"], self.settings["config"]
        return ElectraConfig(
            vocabulary_size=bert["vocab_size"], embedding_size=run["embedding_size"] or bert["hidden_size"],
            hidden_size=bert["hidden_size"],
            num_layers=bert["num_hidden_layers"], num_heads=bert["num_attention_heads"],
            intermediate_size=bert["intermediate_size"], max_positions=bert["max_position_embeddings"],
            hidden_dropout=0.0, attention_dropout=0.0, generator_size=run["generator_hidden_size"],
            generator_depth=run["generator_layers"])
