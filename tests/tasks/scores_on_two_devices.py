"""Scores whole sets and augments texts on one device and on two: python -m tests.tasks.scores_on_two_devices FOLDER

A process of its own, because the number of devices is fixed before TensorFlow starts.
"""

import contextlib
import json
import pathlib
import sys

import keras
import numpy as np
import tensorflow as tf

from electra_tf.config import AugmentationConfig, FineTuningConfig
from electra_tf.errors import InputError
from electra_tf.model.encoder import ElectraEncoder
from electra_tf.tasks.keras_metrics import MacroF1, MatthewsCorrelation, PearsonCorrelation, SpearmanCorrelation
from electra_tf.tasks.text_classification import ElectraTextClassifier
from electra_tf.tasks.text_regression import ElectraTextRegressor
from electra_tf.text.preprocessor import TextPreprocessor
from tests.tasks.tiny import reviews, save_networks, scatter_weights, tiny_config, tiny_vocabulary

# The last batch of an epoch is short: of its five texts the first device gets three.
BATCH_SIZE, TEXTS, HELD_OUT = 6, 23, 37
SETTINGS = {"epochs": 2.0, "warmup_proportion": 0.0, "learning_rate": 1e-3}


def new_model(model_class, **settings):
    keras.utils.set_random_seed(0)
    model = model_class(ElectraEncoder(tiny_config(num_layers=1, hidden_dropout=0.0, attention_dropout=0.0)),
                        dropout=0.0, preprocessor=TextPreprocessor(tiny_vocabulary(), sequence_length=20), **settings)
    scatter_weights(model, seed=0)
    return model


def scores(model_class, metrics, truth, scope, **settings):
    """The metrics of `evaluate`, twice; the answers that they are of, and the truth as they are given it."""
    texts, _ = reviews(HELD_OUT, seed=1)
    with scope:
        model = new_model(model_class, **settings)
        model.compile(metrics=metrics)
    found = [model.evaluate(texts, truth, batch_size=BATCH_SIZE, return_dict=True, verbose=0) for _ in range(2)]
    answers = model.answers(model(model.preprocessor(texts), training=False))
    return {"evaluate": found, "answers": answers.numpy().tolist(),
            "truth": np.asarray(model.label_numbers(truth)).tolist()}


def refusals(scope):
    """What `fit` and `evaluate` say to batches of an odd number of texts."""
    with scope:
        model = new_model(ElectraTextClassifier, labels=["neg", "pos"])
    said = []
    for call in (model.fit, model.evaluate):
        try:
            call(["a film"] * 8, ["neg", "pos"] * 4, batch_size=7, verbose=0)
        except InputError as error:
            said.append(str(error))
    return said


def augmented(augmentation, scope):
    """The rows that every update has seen, by the number of the example; and the weights that came of them."""
    seen = {}

    def note(numbers, token_ids, padding_mask):
        for number, ids, mask in zip(numbers.tolist(), token_ids, padding_mask):
            if mask.any():
                assert number not in seen, f"example {number} was drawn twice"
                seen[number] = ids[:mask.sum()].tolist()
        return np.int32(0)

    with scope:
        model = new_model(ElectraTextClassifier, labels=["neg", "pos"])
        model.compile(metrics=[], settings=FineTuningConfig(augmentation=augmentation, **SETTINGS))
    change = model._augment

    def watched(features, source):
        changed = change(features, source)
        done = tf.numpy_function(note, [source.example_index, changed["token_ids"], changed["padding_mask"]], tf.int32)
        with tf.control_dependencies([done]):
            return {name: tf.identity(values) for name, values in changed.items()}

    model._augment = watched
    texts, labels = reviews(TEXTS, seed=0)
    dataset = tf.data.Dataset.from_tensor_slices((texts, model.label_numbers(labels))).batch(BATCH_SIZE)
    history = model.fit(dataset, verbose=0).history
    weights = {name: weight.numpy().tolist() for name, weight in model.weights_by_name().items()}
    return {"rows": sorted(seen.items()), "loss": history["loss"], "weights": weights}


def main(folder):
    folder = pathlib.Path(folder)
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    mirrored = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    assert mirrored.num_replicas_in_sync == 2
    generator = str(save_networks(folder / "run") / "generator")
    moods = reviews(HELD_OUT, seed=1)[1]
    numbers = np.random.default_rng(0).integers(0, 5, HELD_OUT).astype(float)
    augmentation = AugmentationConfig(deletion_rate=0.2, swap_rate=0.3, insertion_rate=0.2, replacement_rate=0.2,
                                      new_tokens="generator", generator=generator)
    for name, scope in (("one", contextlib.nullcontext), ("two", mirrored.scope)):
        with scope():
            of_labels, of_numbers = [MacroF1(2), MatthewsCorrelation(2)], [PearsonCorrelation(), SpearmanCorrelation()]
        found = {
            "augmented": augmented(augmentation, scope()),
            "labels": scores(ElectraTextClassifier, of_labels, moods, scope(), labels=["neg", "pos"]),
            "numbers": scores(ElectraTextRegressor, of_numbers, numbers, scope(), score_range=(0, 4))}
        (folder / f"{name}.json").write_text(json.dumps(found))
    (folder / "refusals.json").write_text(json.dumps(refusals(mirrored.scope())))


if __name__ == "__main__":
    main(*sys.argv[1:])
