"""A network on OpenVINO, which was the fastest on CPUs; an optional package."""

import tempfile
import threading

from electra_tf.errors import InputError
from electra_tf.serving.ids_network import save_ids_network

try:
    import openvino
except ImportError:  # optional; engines.py says how to install it
    openvino = None

_HINTS = {"float32": "f32", "bfloat16": "bf16"}


def version():
    """The version of the installed package, or None."""
    return openvino and openvino.__version__.split("-")[0]


def start(network, weights, *, precision):
    """Converts a network and compiles it for this processor.

    Args:
        network: an `ids_network`, whose outputs are named.
        weights: the Keras variables that it reads.
        precision: "float32"; "bfloat16" lets OpenVINO compute in it wherever it finds that faster.

    Returns:
        Function of a dict of the inputs' arrays -> dict of the outputs' by name.

    Raises:
        InputError: this processor has no instructions for bfloat16.
    """
    core = openvino.Core()
    if precision == "bfloat16" and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        raise InputError("precision='bfloat16': OpenVINO finds no bfloat16 instructions in this processor; take "
                         "float32.")
    with tempfile.TemporaryDirectory() as folder:
        save_ids_network(network, weights, folder)
        # Without a hint OpenVINO takes bfloat16 by itself where the processor has it.
        compiled = core.compile_model(core.read_model(folder), "CPU", {
            "INFERENCE_PRECISION_HINT": _HINTS[precision], "PERFORMANCE_HINT": "LATENCY"})
    busy = threading.Lock()  # a compiled model has one set of buffers
    names = [output.any_name for output in compiled.outputs]

    def run(features):
        with busy:
            outputs = compiled(features)
            return {name: outputs[place] for place, name in enumerate(names)}
    return run
