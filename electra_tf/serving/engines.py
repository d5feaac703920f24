"""Which program computes a network in this process, and how far its answers are from those of Keras in float32."""

import dataclasses

import tensorflow as tf

from electra_tf import kernels
from electra_tf.errors import InputError
from electra_tf.serving import onnx_engine, openvino_engine
from electra_tf.serving.ids_network import ids_network

AUTO, OPENVINO, ONNX, TENSORFLOW = "auto", "openvino", "onnx", "tensorflow"
FLOAT32, BFLOAT16 = "float32", "bfloat16"
# How far a probability (a regressor's output, its range taken as 1) may be from that of Keras in float32 on sample
# inputs; more shows a conversion that went wrong, or a model for which the precision does not suffice.
LARGEST_DIFFERENCES = {FLOAT32: 1e-4, BFLOAT16: 5e-2}


@dataclasses.dataclass(frozen=True)
class Engine:
    """What computes a network.

    Attributes:
        name: "openvino", "onnx" or "tensorflow".
        version: of its package.
        precision: "float32" or "bfloat16".
        largest_difference: the largest difference of a probability (a regressor's output, its range taken as 1) from
            Keras in float32 that was found on sample inputs.
        single_row_lengths: to which a single row is worth padding, because it has a program of just that length.
    """

    name: str
    version: str
    precision: str
    largest_difference: float
    single_row_lengths: tuple = ()

    def __str__(self):
        within = f", within {self.largest_difference:.1e} of Keras in float32 on sample inputs"
        return f"{self.name} {self.version} in {self.precision}{within if self.largest_difference else ''}"


@dataclasses.dataclass(frozen=True)
class _Kind:
    """An engine that there may be: its module, its precisions, and the packages that pip must install."""

    module: object
    precisions: tuple
    packages: str


# Fastest first, on CPUs.
_OPTIONAL = {OPENVINO: _Kind(openvino_engine, (FLOAT32, BFLOAT16), "openvino"),
             ONNX: _Kind(onnx_engine, (FLOAT32,), "onnx onnxruntime tf2onnx")}
ENGINES = (*_OPTIONAL, TENSORFLOW)


def tensorflow_engine(largest_difference=0.0):
    """The Engine of what Keras itself computes."""
    return Engine(TENSORFLOW, tf.__version__, FLOAT32, largest_difference)


def choose_engine(engine, precision):
    """The name of the engine that is meant.

    Args:
        engine: a name, or "auto" for the fastest that is installed and has the precision: OpenVINO, ONNX Runtime,
            TensorFlow; TensorFlow where there is a GPU, which the others do not use.
        precision: "float32" or "bfloat16".

    Raises:
        InputError: an unknown engine or precision, one that is not installed, or an engine without that precision.

    >>> choose_engine("auto", "float32")   # 'openvino'
    """
    if engine not in (AUTO, *ENGINES):
        raise InputError(f"engine={engine!r} is not known; choose one of {', '.join((AUTO, *ENGINES))}.")
    if precision not in LARGEST_DIFFERENCES:
        raise InputError(f"precision={precision!r} is not known; choose one of {', '.join(LARGEST_DIFFERENCES)}.")
    able = [name for name, kind in _OPTIONAL.items() if precision in kind.precisions]
    if engine == AUTO:
        installed = [name for name in able if _OPTIONAL[name].module.version()]
        if precision == FLOAT32 and (not installed or tf.config.list_physical_devices("GPU")):
            return TENSORFLOW
        engine = (installed or able)[0]
    if engine not in (*able, *([TENSORFLOW] if precision == FLOAT32 else [])):
        raise InputError(f"engine={engine!r} computes in float32 alone; take precision='float32', or engine="
                         f"{able[0]!r} for {precision}.")
    if engine != TENSORFLOW and not _OPTIONAL[engine].module.version():
        instead = f"engine={TENSORFLOW!r}" if precision == FLOAT32 else f"precision={FLOAT32!r}"
        raise InputError(f"engine={engine!r} is not installed; install it with `pip install "
                         f"{_OPTIONAL[engine].packages}`, or take {instead}.")
    return engine


def start_engine(outputs, weights, *, engine, precision, samples, difference, rank=2):
    """Makes an engine ready and compares it with Keras.

    Args:
        outputs: function of a Keras model in float32, as for `ids_network`.
        weights: the Keras variables that it reads.
        engine, precision: as for `choose_engine`.
        samples: list of dicts of int32 arrays [batch, length] (or [batch, choices, length]): inputs to compare with.
        difference: function of the outputs of the engine and of those of Keras, dicts of arrays, that says how far the
            answers are apart.
        rank: of the inputs.

    Returns:
        (run, Engine): run, function of a dict of int32 arrays -> dict of the outputs' arrays by name.

    Raises:
        InputError: as `choose_engine`; or the answers are farther apart than LARGEST_DIFFERENCES allows.
    """
    name = choose_engine(engine, precision)
    # What stays in this process may hold the fused operations, as `predict` does; other engines do not know them.
    with kernels.used(name == TENSORFLOW and kernels.are_ready(FLOAT32)):
        network = ids_network(outputs, rank=rank)

    def by_keras(features):
        found = network(**{feature: tf.constant(values) for feature, values in features.items()})
        return {output: values.numpy() for output, values in found.items()}
    if name == TENSORFLOW:
        return by_keras, tensorflow_engine()
    module = _OPTIONAL[name].module
    run = module.start(network, weights, precision=precision)
    largest = max(difference(run(features), by_keras(features)) for features in samples)
    if not largest <= LARGEST_DIFFERENCES[precision]:
        raise InputError(f"engine={name!r} in {precision} differs from Keras by {largest:.1e} on sample inputs, more "
                         f"than {LARGEST_DIFFERENCES[precision]:.0e}; take engine='tensorflow'"
                         f"{' or precision=' + repr(FLOAT32) if precision != FLOAT32 else ''}.")
    return run, Engine(name, module.version(), precision, largest, module.SINGLE_ROW_LENGTHS)
