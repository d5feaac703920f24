"""A network on OpenVINO, which was the fastest on CPUs; an optional package."""

import tempfile
import threading

from electra_tf.errors import InputError
from electra_tf.serving.ids_network import save_ids_network

try:
    import openvino
except ImportError:  # optional; engines.py says how to install it
    openvino = None

# A single row of one of these lengths has a program of its own. Few, because each has its own copy of the weights.
SINGLE_ROW_LENGTHS = (16, 32, 48, 64)
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
    # Without a hint OpenVINO takes bfloat16 by itself where the processor has it.
    settings = {"INFERENCE_PRECISION_HINT": _HINTS[precision], "PERFORMANCE_HINT": "LATENCY"}
    with tempfile.TemporaryDirectory() as folder:
        save_ids_network(network, weights, folder)
        model = core.read_model(folder)
        compiled = core.compile_model(model, "CPU", settings)
    busy = threading.Lock()  # a compiled model has one set of buffers
    names = [output.any_name for output in compiled.outputs]
    programs = {}

    def program_for(shape):
        """The program of any shape; of a short row the one of just that shape, compiled when the first such row comes.

        A new length costs a program of any shape a millisecond, as much as half of a sentence (benchmarks/NOTES.md).
        """
        if len(shape) != 2 or shape[0] != 1 or shape[1] not in SINGLE_ROW_LENGTHS:
            return compiled
        if shape not in programs:
            fixed = model.clone()
            fixed.reshape({inputs.any_name: list(shape) for inputs in fixed.inputs})
            programs[shape] = core.compile_model(fixed, "CPU", settings)
        return programs[shape]

    def run(features):
        with busy:
            outputs = program_for(next(iter(features.values())).shape)(features)
            return {name: outputs[place] for place, name in enumerate(names)}
    return run
