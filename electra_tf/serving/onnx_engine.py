"""A network as an ONNX graph, and on ONNX Runtime; optional packages."""



try:
    import onnx  # noqa: F401 - the converter needs it
    import onnxruntime
    import tf2onnx
except ImportError:  # optional; engines.py says how to install them
    onnxruntime = tf2onnx = None

_OPSET = 18


def version():
    """The version of the installed runtime, or None."""
    return onnxruntime and onnxruntime.__version__


def onnx_bytes(network):
    """An ONNX graph, as bytes, of an `ids_network`; its inputs and outputs have the same names.

    >>> onnx_bytes(ids_network(lambda *features: {"logits": classifier(*features, training=False)}))
    """
    proto, _ = tf2onnx.convert.from_function(network, input_signature=network.input_signature, opset=_OPSET)
    return proto.SerializeToString()


def start(network, weights, *, precision):
    """Converts a network and prepares it for this processor.

    Args:
        network: an `ids_network` with one output.
        weights: the Keras variables that it reads; they are read through the network.
        precision: "float32".

    Returns:
        Function of a dict of int32 [batch, length] -> float32 array.
    """
    session = onnxruntime.InferenceSession(onnx_bytes(network), providers=["CPUExecutionProvider"])
    return lambda features: session.run(None, features)[0]
