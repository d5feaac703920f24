"""The numbers of a run as TensorBoard events."""

import pathlib

import tensorflow as tf

# What tf.summary.scalar would write; that function needs the package tensorboard, which TensorFlow does not bring.
_SCALAR = tf.compat.v1.SummaryMetadata(plugin_data={"plugin_name": "scalars"}, data_class="DATA_CLASS_SCALAR")


class TensorBoard:
    """Writes each number of the train and validation records as a scalar.

    Args:
        folder: the run folder; events go to its folder "tensorboard".

    >>> TensorBoard("runs/small")({"event": "train", "step": 100, "generator_loss": 7.1})
    """

    def __init__(self, folder):
        self._folder = pathlib.Path(folder) / "tensorboard"
        self._writers = {}

    def __call__(self, record):
        kind = record["event"]
        if kind not in ("train", "validation"):
            return
        if kind not in self._writers:
            self._writers[kind] = tf.summary.create_file_writer(str(self._folder / kind))
        with self._writers[kind].as_default(step=record["step"]):
            for name, value in record.items():
                if isinstance(value, float):
                    tf.summary.write(name, tf.constant(value, tf.float32), metadata=_SCALAR)
        self._writers[kind].flush()
