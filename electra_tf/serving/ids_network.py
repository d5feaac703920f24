"""A model without its text: a graph from token ids to numbers, which other programs can read."""

import numpy as np
import tensorflow as tf

from electra_tf.tasks.text_batches import FEATURES

IDS_SIGNATURE = "token_ids"


def ids_network(outputs):
    """The graph of a function of token ids, for batches of any size and length.

    Args:
        outputs: function of token_ids, segment_ids and padding_mask, int32 [batch, length] each.

    Returns:
        tf.function with that signature.

    >>> network = ids_network(lambda *features: {"logits": classifier(*features, training=False)})
    """
    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.int32, name) for name in FEATURES])
    def network(token_ids, segment_ids, padding_mask):
        return outputs(token_ids, segment_ids, padding_mask)
    return network


def save_ids_network(network, weights, folder):
    """Writes an `ids_network` as a SavedModel with the signature IDS_SIGNATURE, which converters read.

    Args:
        network: what `ids_network` returns; its outputs are named.
        weights: the Keras variables that it reads.
        folder: a new folder.
    """
    module = tf.Module()
    module.weights, module.network = [weight.value for weight in weights], network
    tf.saved_model.save(module, str(folder), signatures={IDS_SIGNATURE: network})


def served_numbers(model, logits):
    """What an export of a model of whole texts returns for logits, without the strings, which many formats lack."""
    return {name: values for name, values in model.served_outputs(logits).items() if name != "labels"}


def largest_answer_difference(answers, expected):
    """Between the answers of two forms of a model.

    Args:
        answers, expected: what `served_numbers` returns.

    Returns:
        The largest difference of a probability, or of a regressor's output, where the range of scores is 1.

    >>> largest_answer_difference({"probabilities": [[0.5]], "logits": [[0.1]]}, {"probabilities": [[0.4]]})   # 0.1
    """
    name = "probabilities" if "probabilities" in expected else "logits"
    return float(np.abs(np.asarray(answers[name]) - np.asarray(expected[name])).max(initial=0))
