"""A model without its text: a graph from token ids to numbers, which other programs can read."""

import tensorflow as tf

from electra_tf.tasks.text_batches import FEATURES

IDS_SIGNATURE = "token_ids"


def ids_network(outputs, *, rank=2):
    """The graph of a function of token ids, for batches of any size and length.

    Args:
        outputs: function of token_ids, segment_ids and padding_mask, int32 [batch, length] each; what it returns is
            named, dict of str -> tensor.
        rank: of the inputs; 3 for [batch, choices, length].

    Returns:
        tf.types.experimental.ConcreteFunction, called by keyword: traced once, here, for all that read it.

    >>> network = ids_network(lambda *features: {"logits": classifier(*features, training=False)})
    """
    @tf.function(input_signature=[tf.TensorSpec([None] * rank, tf.int32, name) for name in FEATURES])
    def network(token_ids, segment_ids, padding_mask):
        return outputs(token_ids, segment_ids, padding_mask)
    return network.get_concrete_function()


def save_ids_network(network, weights, folder):
    """Writes an `ids_network` as a SavedModel with the signature IDS_SIGNATURE, which converters read.

    Args:
        network: what `ids_network` returns.
        weights: the Keras variables that it reads.
        folder: a new folder.
    """
    module = tf.Module()
    module.weights, module.network = [weight.value for weight in weights], network
    tf.saved_model.save(module, str(folder), signatures={IDS_SIGNATURE: network},
                        options=tf.saved_model.SaveOptions(experimental_custom_gradients=False))  # nobody trains it


def served_numbers(model, outputs):
    """What an export of a tuned model returns for its outputs, without the strings, which many formats lack."""
    return {name: values for name, values in model.served_outputs(outputs).items() if name != "labels"}


def served_outputs_of_ids(model):
    """What `ids_network` takes for a tuned model: its outputs are those of `served_numbers`."""
    return lambda *features: served_numbers(model, model(*features, training=False))


def served_network(model):
    """The `ids_network` of a tuned model, with the outputs of `served_numbers`."""
    return ids_network(served_outputs_of_ids(model), rank=model.feature_rank)
