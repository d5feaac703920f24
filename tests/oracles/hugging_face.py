"""Reads the fixtures of Hugging Face models: their folders, inputs, outputs and gradients."""

import functools
import re

import numpy as np

from tests.oracles.shared import shared_path

# Stated in the oracles' README.
OUTPUT_TOLERANCE, LOSS_TOLERANCE = 5e-5, 1e-5


def folder_of(name):
    """The model folder of a fixture."""
    return shared_path(f"oracles/huggingface/{name}")


@functools.cache
def arrays_of(name, what):
    """name -> array of NAME.inputs.npz or NAME.outputs.npz."""
    with np.load(shared_path(f"oracles/huggingface/{name}.{what}.npz")) as file:
        return {key: file[key] for key in file.files}


def inputs_of(name):
    """token_ids, segment_ids and padding_mask, int32 [rows, length]; the choices of a multiple choice become rows."""
    arrays = arrays_of(name, "inputs")
    return {ours: arrays[theirs].reshape(-1, arrays[theirs].shape[-1]).astype(np.int32) for ours, theirs in (
        ("token_ids", "input_ids"), ("segment_ids", "token_type_ids"), ("padding_mask", "attention_mask"))}


def labels_of(name):
    """The arrays under labels/, without that prefix."""
    return {key.removeprefix("labels/"): array for key, array in arrays_of(name, "inputs").items()
            if key.startswith("labels/")}


# Written by hand, apart from the tables of electra_tf.convert: their pattern -> our name.
_RENAMINGS = [(re.compile(pattern), ours) for pattern, ours in (
    (r"(electra\.)?embeddings\.word_embeddings\.weight", "encoder/embeddings/word_embeddings"),
    (r"(electra\.)?embeddings\.position_embeddings\.weight", "encoder/embeddings/position_embeddings"),
    (r"(electra\.)?embeddings\.token_type_embeddings\.weight", "encoder/embeddings/segment_embeddings"),
    (r"(electra\.)?embeddings\.LayerNorm\.(?P<norm>\w+)", "encoder/embeddings/norm/{norm}"),
    (r"(electra\.)?embeddings_project\.(?P<dense>\w+)", "encoder/embeddings_project/{dense}"),
    (r"(electra\.)?encoder\.layer\.(?P<n>\d+)\.attention\.self\.(?P<part>\w+)\.(?P<dense>\w+)",
     "encoder/layer_{n}/attention/{part}/{dense}"),
    (r"(electra\.)?encoder\.layer\.(?P<n>\d+)\.attention\.output\.dense\.(?P<dense>\w+)",
     "encoder/layer_{n}/attention/output/{dense}"),
    (r"(electra\.)?encoder\.layer\.(?P<n>\d+)\.attention\.output\.LayerNorm\.(?P<norm>\w+)",
     "encoder/layer_{n}/attention_norm/{norm}"),
    (r"(electra\.)?encoder\.layer\.(?P<n>\d+)\.intermediate\.dense\.(?P<dense>\w+)",
     "encoder/layer_{n}/intermediate/{dense}"),
    (r"(electra\.)?encoder\.layer\.(?P<n>\d+)\.output\.dense\.(?P<dense>\w+)", "encoder/layer_{n}/output/{dense}"),
    (r"(electra\.)?encoder\.layer\.(?P<n>\d+)\.output\.LayerNorm\.(?P<norm>\w+)",
     "encoder/layer_{n}/output_norm/{norm}"),
    (r"discriminator_predictions\.dense\.(?P<dense>\w+)", "head/dense/{dense}"),
    (r"discriminator_predictions\.dense_prediction\.(?P<dense>\w+)", "head/output/{dense}"),
    (r"generator_predictions\.dense\.(?P<dense>\w+)", "head/dense/{dense}"),
    (r"generator_predictions\.LayerNorm\.(?P<norm>\w+)", "head/norm/{norm}"),
    (r"generator_lm_head\.bias", "head/output_bias"),
    (r"generator_lm_head\.weight", "head/output_embeddings"),
    (r"classifier\.dense\.(?P<dense>\w+)", "classifier_hidden/{dense}"),
    (r"sequence_summary\.summary\.(?P<dense>\w+)", "classifier_hidden/{dense}"),
    (r"classifier\.out_proj\.(?P<dense>\w+)", "classifier/{dense}"),
    (r"classifier\.(?P<dense>\w+)", "classifier/{dense}"),
    (r"qa_outputs\.(?P<dense>\w+)", "spans/{dense}"),
)]


def our_name(name):
    """Our name of one of their parameters.

    >>> our_name("electra.encoder.layer.0.output.dense.weight")   # 'encoder/layer_0/output/kernel'
    """
    for pattern, ours in _RENAMINGS:
        if match := pattern.fullmatch(name):
            parts = match.groupdict()
            leaf = {"weight": "kernel" if "dense" in parts else "gamma", "bias": "bias" if "dense" in parts else "beta"}
            return ours.format(**{**parts, **{key: leaf[parts[key]] for key in ("dense", "norm") if key in parts}})
    raise KeyError(name)


def gradients_of(name):
    """Our name -> d loss / d weight in our layout; of the word table without `padding_idx`, as TensorFlow has it."""
    outputs = arrays_of(name, "outputs")
    found = {key.removeprefix("grad/"): array for key, array in outputs.items() if key.startswith("grad/")}
    found |= {key.removeprefix("grad_nopad/"): array for key, array in outputs.items() if key.startswith("grad_nopad/")}
    return {our_name(key): array.T if our_name(key).endswith("/kernel") else array for key, array in found.items()}
