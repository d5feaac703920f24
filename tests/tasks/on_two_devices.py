"""Fits one classifier on one device and one on two: python -m tests.tasks.on_two_devices FOLDER

A process of its own, because the number of devices is fixed before TensorFlow starts.
"""

import contextlib
import pathlib
import sys

import keras
import numpy as np
import tensorflow as tf

from electra_tf.config import FineTuningConfig
from electra_tf.model.encoder import ElectraEncoder
from electra_tf.tasks.text_classification import ElectraTextClassifier
from electra_tf.text.preprocessor import TextPreprocessor
from tests.tasks.tiny import reviews, scatter_weights, tiny_config, tiny_vocabulary


def fit(scope, **settings):
    """Weights, losses and accuracies of twelve updates; the last batch of an epoch has five texts."""
    keras.utils.set_random_seed(0)
    with scope:
        classifier = ElectraTextClassifier(
            ElectraEncoder(tiny_config(num_layers=1, hidden_dropout=0.0, attention_dropout=0.0)),
            labels=["neg", "pos"], dropout=0.0, preprocessor=TextPreprocessor(tiny_vocabulary(), sequence_length=20))
        scatter_weights(classifier, seed=0)
        classifier.compile(settings=FineTuningConfig(warmup_proportion=0.0, learning_rate=1e-3, **settings))
    texts, labels = reviews(29, seed=0)
    history = classifier.fit(texts, labels, batch_size=8, epochs=3, validation_data=reviews(11, seed=1), verbose=0)
    arrays = {f"weights/{name}": weight.numpy() for name, weight in classifier.weights_by_name().items()}
    return arrays | {f"history/{name}": np.array(values) for name, values in history.history.items()}


def main(folder):
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    mirrored = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    assert mirrored.num_replicas_in_sync == 2
    for reduction in ("sum", "mean"):
        for name, scope in (("one", contextlib.nullcontext()), ("two", mirrored.scope())):
            np.savez(pathlib.Path(folder) / f"{name}_{reduction}.npz", **fit(scope, loss_reduction=reduction))


if __name__ == "__main__":
    main(*sys.argv[1:])
