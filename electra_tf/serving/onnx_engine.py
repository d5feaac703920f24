"""A network as an ONNX graph, and on ONNX Runtime; optional packages."""

import tensorflow as tf

try:
    import onnx  # noqa: F401 - the converter needs it
    import onnxruntime
    from tf2onnx import tf_loader, tfonnx
except ImportError:  # optional; engines.py says how to install them
    onnxruntime = None

SINGLE_ROW_LENGTHS = ()  # all lengths are the same to it
_OPSET = 18
_PROVIDERS = ["CPUExecutionProvider"]


def version():
    """The version of the installed runtime, or None."""
    return onnxruntime and onnxruntime.__version__


def onnx_bytes(network):
    """An ONNX graph, as bytes, of an `ids_network`; its inputs and its outputs, which have names, keep them.

    >>> onnx_bytes(ids_network(lambda *features: {"logits": classifier(*features, training=False)}))
    """
    # The inputs of the function that are no variables have the names of its arguments.
    inputs = [tensor.name for tensor in network.inputs if tensor.dtype != tf.resource]
    outputs = [tensor.name for tensor in network.outputs]
    names = {name: name.partition(":")[0] for name in inputs}
    names |= {tensor.name: name for name, tensor in network.structured_outputs.items()}
    with tf.device("cpu"):
        frozen = tf_loader.from_function(network, inputs, outputs)
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(frozen, name="")
        # Without the converter's own optimizers: they lose a reshape that attention needs, and runtimes have better.
        converted = tfonnx.process_tf_graph(graph, opset=_OPSET, input_names=inputs, output_names=outputs,
                                            tensors_to_rename=names)
    return converted.make_model("electra_tf").SerializeToString()


def answers_of(content, features):
    """What ONNX Runtime returns for an ONNX graph: name of an output -> array.

    Args:
        content: bytes of the graph.
        features: dict of the inputs' arrays.
    """
    return _session(content)(features)


def start(network, weights, *, precision):
    """Converts a network and prepares it for this processor.

    Args:
        network: an `ids_network`, whose outputs are named.
        weights: the Keras variables that it reads; they are read through the network.
        precision: "float32".

    Returns:
        Function of a dict of the inputs' arrays -> dict of the outputs' by name.
    """
    return _session(onnx_bytes(network))


def _session(content):
    session = onnxruntime.InferenceSession(content, providers=_PROVIDERS)
    names = [output.name for output in session.get_outputs()]
    return lambda features: dict(zip(names, session.run(names, features), strict=True))
