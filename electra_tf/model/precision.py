"""Which number format the activations of a run have: what a setting says, or what this machine computes fastest."""

import tensorflow as tf

from electra_tf.kernels import build


def dtype_policy(precision):
    """The Keras dtype policy of a precision.

    Args:
        precision: "float32", "bfloat16", or "auto": bfloat16 where the processor (AVX512_BF16 or AMX), the GPU (compute
            capability 8 or more) or a TPU multiplies it natively, else float32.

    Returns:
        "float32" or "mixed_bfloat16", in which weights, softmax, statistics and losses stay float32.

    >>> dtype_policy("bfloat16")   # 'mixed_bfloat16'
    """
    if precision == "auto":
        precision = "bfloat16" if _has_bfloat16() else "float32"
    return "mixed_bfloat16" if precision == "bfloat16" else "float32"


def _has_bfloat16():
    if tf.config.list_physical_devices("TPU"):
        return True
    if gpus := tf.config.list_physical_devices("GPU"):
        capability = tf.config.experimental.get_device_details(gpus[0]).get("compute_capability", (0, 0))
        return capability[0] >= 8
    return "avx512_bf16" in build.processor_flags() or "amx_bf16" in build.processor_flags()
