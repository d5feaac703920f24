"""Which devices train together: one, all of this machine, or a TPU."""

import tensorflow as tf

from electra_tf.config import PretrainingConfig, unknown_name_error
from electra_tf.errors import InputError

DISTRIBUTIONS = ("one_device", "mirrored", "tpu")


def strategy_for(name, *, logical_devices=None):
    """The tf.distribute strategy of a name.

    Args:
        name: "one_device" (the GPU if there is one, else the CPU), "mirrored" (all GPUs, each with a part of the batch;
            without a GPU the logical CPU devices) or "tpu" (the TPU of this machine).
        logical_devices: cut the CPU into this many devices, to try "mirrored" without GPUs; None leaves it whole.

    Raises:
        InputError: no such name, or no such device.

    >>> with strategy_for("mirrored", logical_devices=2).scope():
    ...     pretrainer = ElectraPretrainer(config)
    """
    if name not in DISTRIBUTIONS:
        raise unknown_name_error("distribution", name, DISTRIBUTIONS)
    if logical_devices is not None:
        _split_cpu(logical_devices)
    if name == "tpu":
        return _tpu_strategy()
    if name == "one_device":
        return tf.distribute.get_strategy()
    kind = "CPU" if logical_devices or not tf.config.list_logical_devices("GPU") else "GPU"
    return tf.distribute.MirroredStrategy([device.name for device in tf.config.list_logical_devices(kind)])


def require_equal_parts(config: PretrainingConfig, strategy):
    """Makes sure that every device and micro-batch gets the same number of rows.

    Raises:
        InputError: they cannot.

    >>> require_equal_parts(PretrainingConfig(batch_size=128), strategy)
    """
    devices = strategy.num_replicas_in_sync
    parts = devices * config.accumulation_steps
    if config.batch_size % parts:
        raise InputError(f"batch_size={config.batch_size} cannot be cut into {parts} equal parts ({devices} devices x "
                         f"accumulation_steps={config.accumulation_steps}); take a multiple of {parts}.")


def _split_cpu(number):
    if number < 1:
        raise InputError(f"logical_devices={number} must be 1 or more; 2 tries two devices on one CPU.")
    cpu = tf.config.list_physical_devices("CPU")[0]
    try:
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * number)
    except RuntimeError:
        raise InputError(f"logical_devices={number}: TensorFlow has started already, so the CPU cannot be cut any "
                         f"more; set it before anything else uses TensorFlow.") from None


def _tpu_strategy():
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu="local")
        tf.tpu.experimental.initialize_tpu_system(resolver)
        return tf.distribute.TPUStrategy(resolver)
    except (ValueError, tf.errors.OpError) as error:
        raise InputError("distribution='tpu': this machine has no TPU that TensorFlow can use; take a TPU VM with "
                         "tensorflow-tpu, or distribution=one_device or mirrored.") from error
