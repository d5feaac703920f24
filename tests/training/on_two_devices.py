"""Run as a program: what one device and two devices make of the same batches. Writes arrays and JSON into a folder.

A program of its own, because a CPU can only be cut in two before TensorFlow starts.
"""

import json
import pathlib
import sys

import numpy as np
import tensorflow as tf

from electra_tf.model.model_folder import load_model_folder
from electra_tf.records.dataset import pretraining_dataset
from electra_tf.text.vocabulary import Vocabulary
from electra_tf.training.batches import training_batches, validation_batches
from electra_tf.training.checkpoint import (
    TrainingState,
    latest_checkpoint,
    restore_checkpoint,
    save_checkpoint,
    training_variables,
)
from electra_tf.training.distribution import strategy_for
from electra_tf.training.measurements import read_and_reset_metrics
from electra_tf.training.pretrain import new_pretrainer
from electra_tf.training.training_loop import compiled_evaluation, compiled_training
from tests.training.tiny_run import tiny_config

STEPS = 10
CONFIG = tiny_config(sequence_length=12, optimizer={"weight_decay": 0.1}, model={"num_layers": 1},
                     evaluation_batches=100)  # all of them: the last is short


def train_in_own_loop(strategy, records, folder):
    """Five steps, a checkpoint, weights spoilt, five steps from the checkpoint, an evaluation."""
    pretrainer = new_pretrainer(CONFIG, Vocabulary.load(records / "vocabulary"), strategy)
    train, evaluate = compiled_training(pretrainer, strategy), compiled_evaluation(pretrainer, strategy)
    variables = training_variables(pretrainer)
    train(training_batches(strategy, records, config=CONFIG, start=0), tf.constant(STEPS // 2))
    metrics = {"train": read_and_reset_metrics(pretrainer)}
    state = TrainingState(STEPS // 2, STEPS // 2 * CONFIG.batch_size, CONFIG.seed)
    save_checkpoint(folder, variables, state=state, keep=1)
    for variable in variables.values():
        variable.assign(np.zeros(variable.shape))
    restore_checkpoint(latest_checkpoint(folder, report=print), variables)
    train(training_batches(strategy, records, config=CONFIG, start=state.examples), tf.constant(STEPS // 2))
    read_and_reset_metrics(pretrainer)
    for batch in validation_batches(strategy, records, config=CONFIG):
        evaluate(batch)
    metrics["validation"] = read_and_reset_metrics(pretrainer)
    return {name: variable.numpy() for name, variable in variables.items()}, metrics


def fit(strategy, records, folder):
    """The way a Keras user trains, and the saved discriminator."""
    vocabulary = Vocabulary.load(records / "vocabulary")
    pretrainer = new_pretrainer(CONFIG, vocabulary, strategy)
    batches = pretraining_dataset(records, batch_size=CONFIG.batch_size, seed=CONFIG.seed)
    logs = pretrainer.fit(batches, steps_per_epoch=STEPS // 2, epochs=2, verbose=0).history
    pretrainer.discriminator.save_to_preset(folder, vocabulary=vocabulary)
    weights = {f"weights/discriminator/{name}": array for name, array in load_model_folder(folder).weights.items()}
    return weights, {name: float(values[0]) for name, values in logs.items()}


def main(records, output):
    one, two = strategy_for("one_device", logical_devices=2), strategy_for("mirrored")
    told = {"replicas": [one.num_replicas_in_sync, two.num_replicas_in_sync], "batch_size": CONFIG.batch_size}
    for name, strategy, way in (("one", one, train_in_own_loop), ("two", two, train_in_own_loop), ("fit", two, fit)):
        arrays, told[name] = way(strategy, records, output / name)
        np.savez(output / f"{name}.npz", **arrays)
    (output / "told.json").write_text(json.dumps(told))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
