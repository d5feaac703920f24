"""Which of the engines that are optional packages a test has, or is made to believe it has."""

from electra_tf.serving import onnx_engine, openvino_engine

MODULES = {"openvino": openvino_engine, "onnx": onnx_engine}


def pretend_installed(monkeypatch, *names):
    """As if these engines were installed, in version 1.2.3, and no others."""
    for name, module in MODULES.items():
        monkeypatch.setattr(module, "version", lambda is_there=name in names: "1.2.3" if is_there else None)


def start_as_keras(network, weights, *, precision):
    """An engine's `start`, by Keras itself."""
    return lambda features: {name: values.numpy() for name, values in network(**features).items()}


def has_bfloat16():
    """Whether OpenVINO is installed and this processor has instructions for bfloat16."""
    package = openvino_engine.openvino
    return package and "BF16" in package.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
