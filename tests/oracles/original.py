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
    for theirs, ours in (("generator_ltr/", "generator/left/"), ("generator_rtl/", "generator/right/"),
                         ("cloze_predictions/", "generator/head/"),
                         ("electra/", "discriminator/encoder/"), ("generator/", "generator/encoder/"),
                         ("generator_predictions/", "generator/head/"),
                         ("discriminator_predictions/", "discriminator/head/")):
        if name.startswith(theirs):
            name = ours + name.removeprefix(theirs)
            break
    name = name.replace("/token_type_embeddings", "/segment_embeddings")
    name = name.replace("embeddings/LayerNorm", "embeddings/norm").replace("head/LayerNorm", "head/norm")
    name = name.replace("discriminator/head/dense_1", "discriminator/head/output")
    if match := re.match(r"(.*/(?:encoder|left|right)/)encoder/(layer_\d+)/(.*)/(\w+)$", name):
        network, layer, part, kind = match.groups()
        name = f"{network}{layer}/{_ENCODER_PARTS[part]}/{kind}"
    return name


def head_name(name):
    """`our_name`, for the variables of a fine-tuned model: the encoder's as in its folder, the head's last part.

    >>> head_name("task_specific/mrpc/dense/kernel")   # 'dense/kernel'
    """
    if name.startswith("task_specific/"):
        return name.split("/", 2)[2]
    return our_name(name).removeprefix("discriminator/")


class FineTuningFixture:
    """Arrays and settings of `finetune_<name>`, its groups of weights under our names."""

    def __init__(self, name):
        arrays = np.load(shared_path(f"oracles/original/finetune_{name}.npz"))
        self.arrays = {key: arrays[key] for key in arrays.files}
        self.settings = json.loads(shared_path(f"oracles/original/finetune_{name}.json").read_text())

    def __getitem__(self, name):
        return self.arrays[name]

    def group(self, prefix):
        """Our name -> array of a group such as "init", "grad" or "after6"."""
        return {head_name(name.removeprefix(f"{prefix}/")): value for name, value in self.arrays.items()
                if name.startswith(f"{prefix}/") and "/adam_" not in name}

    def config(self):
        return _model_config(self.settings["bert_config"], self.settings["config"])

    def features(self, step):
        """(features for an encoder, weights float32 [batch]: 0 for rows that only fill the batch)."""
        features = {ours: self[f"step{step}/in/{theirs}"] for ours, theirs in (
            ("token_ids", "input_ids"), ("segment_ids", "segment_ids"), ("padding_mask", "input_mask"))}
        return features, (self[f"step{step}/in/task_id"] == 0).astype(np.float32)

    def label(self, name, step=0):
        return self[f"step{step}/in/{self.settings['task']}_{name}"]


def assert_gradients(found, expected):
    """Each within 1e-4 of its tensor's norm and 1e-6 of the global norm."""
    assert found.keys() == expected.keys()
    global_norm = np.sqrt(sum((value.astype(np.float64) ** 2).sum() for value in expected.values()))
    for name, value in expected.items():
        difference = np.linalg.norm(np.asarray(found[name]) - value)
        assert difference <= 1e-4 * np.linalg.norm(value) + 1e-6 * global_norm, name


def assert_parameters(found, expected, *, gradients, updates):
    """Parameters within 2e-5 of the original's, where the gradient is not zero in exact arithmetic.

    After six updates one number in 200 may be up to 5e-5 away: losses jump tenfold at these rates (2.5, 14, 29 in one
    file), and what float32 rounds grows with them, on the original's side as on ours.
    """
    for name in names_with_gradient(gradients):
        difference = np.abs(found[name] - expected[name])
        if updates > 2:
            assert (difference > 2e-5).mean() <= 0.005 and difference.max() <= 5e-5, (name, difference.max())
        else:
            assert difference.max() <= 2e-5, (name, difference.max())


def names_with_gradient(gradients):
    """Names without those whose gradient is zero in exact arithmetic: biases of keys, and of logits in a softmax."""
    global_norm = np.sqrt(sum((value.astype(np.float64) ** 2).sum() for value in gradients.values()))
    return [name for name, value in gradients.items() if np.linalg.norm(value) > 1e-6 * global_norm]


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
        run = self.settings["config"]
        return _model_config(self.settings["bert_config"], run, generator_size=run["generator_hidden_size"],
                             generator_depth=run["generator_layers"])


def _model_config(bert, run, **generator):
    return ElectraConfig(
        vocabulary_size=bert["vocab_size"], embedding_size=run["embedding_size"] or bert["hidden_size"],
        hidden_size=bert["hidden_size"], num_layers=bert["num_hidden_layers"],
        num_heads=bert["num_attention_heads"], intermediate_size=bert["intermediate_size"],
        max_positions=bert["max_position_embeddings"], hidden_dropout=bert["hidden_dropout_prob"],
        attention_dropout=bert["attention_probs_dropout_prob"], **generator)
