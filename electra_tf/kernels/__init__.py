"""Fused CPU operations; everything that they do, TensorFlow's own operations do too, in more passes.

    with kernels.used(kernels.fit(model)):
        ...                         # layers called here take the operations of kernels.operations

No model that leaves the process holds one of them: outside `used` every layer is plain TensorFlow.
"""

import contextlib
import functools
import threading

import tensorflow as tf

from electra_tf.kernels import build
from electra_tf.kernels.freed_memory import keep_freed_memory

_state = threading.local()
keep_freed_memory()  # now: once TensorFlow's threads have worked, it is too late for their memory


@functools.cache
def library():
    """The compiled operations, built at the first call where that is possible; None where it is not."""
    try:
        return tf.load_op_library(str(build.build()))
    except (RuntimeError, OSError, tf.errors.NotFoundError):
        return None


@functools.cache
def why_not(dtype):
    """One sentence that says why the operations cannot be used here, or None.

    Args:
        dtype: "float32" or "bfloat16", of the activations.
    """
    if tf.config.list_physical_devices("GPU"):
        return "there is a GPU, and they are for the CPU"
    if tf.config.list_physical_devices("TPU"):
        return "there is a TPU, and they are for the CPU"
    if not build.library_path().is_file() and (reason := build.why_impossible()):
        return reason
    if not build.has_instructions(dtype):
        return f"the processor lacks the instructions for {dtype}"
    return None if library() else "they could not be built; run `python -m electra_tf.kernels.build` to see why"


def are_ready(dtype):
    """Whether the operations can be used, and have been built: whoever asks for one answer waits for no compiler.

    Args:
        dtype: "float32" or "bfloat16", of the activations.
    """
    return build.library_path().is_file() and why_not(dtype) is None


def fit(model, setting="auto", *, builds=True):
    """Whether the steps of a Keras model can take the operations: of training, evaluation and prediction.

    Args:
        model: a compiled keras.Model with float32 or mixed_bfloat16 as its dtype policy.
        setting: "auto" or "off".
        builds: whether to build them where they are not yet.
    """
    if setting != "auto" or model.jit_compile:
        return False
    return why_not(model.compute_dtype) is None if builds else are_ready(model.compute_dtype)


@contextlib.contextmanager
def used(are_used):
    """Within it, on this thread, layers take the fused operations if `are_used`."""
    before, _state.are_used = are_in_use(), are_used
    try:
        yield
    finally:
        _state.are_used = before


def are_in_use():
    """Whether a layer that is called now should take the fused operations."""
    return getattr(_state, "are_used", False)
