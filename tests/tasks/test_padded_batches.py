"""Short batches cost no padding and lose nothing: loss, answers and updates are those of fully padded ones."""

import keras
import numpy as np
import pytest

from electra_tf.config import FineTuningConfig
from electra_tf.model.encoder import ElectraEncoder
from electra_tf.tasks.text_batches import epoch_batches, rounded_up
from electra_tf.tasks.text_classification import ElectraTextClassifier
from electra_tf.text.preprocessor import TextPreprocessor
from tests.tasks.tiny import reviews, scatter_weights, tiny_config, tiny_vocabulary

SEQUENCE_LENGTH = 40
TEXTS, LABELS = reviews(50, seed=0)


def new_classifier(position_type):
    keras.utils.set_random_seed(0)
    encoder = ElectraEncoder(tiny_config(hidden_dropout=0.0, attention_dropout=0.0, position_type=position_type))
    classifier = ElectraTextClassifier(encoder, labels=("neg", "pos"), dropout=0.0, preprocessor=TextPreprocessor(
        tiny_vocabulary(), sequence_length=SEQUENCE_LENGTH))
    scatter_weights(classifier, seed=1)
    classifier.compile(settings=FineTuningConfig(learning_rate=1e-3, warmup_proportion=0.0, loss_reduction="mean"))
    classifier.prepare_optimizer(100)
    return classifier


def batches(classifier):
    """(features as they are trained on, the same padded to the full length, labels) of each batch of an epoch."""
    encoded, labels = classifier.encode(TEXTS), classifier.label_numbers(LABELS)
    for rows in epoch_batches(encoded.lengths, batch_size=8, seed=0, epoch=0):
        features = encoded.batch(rows, batch_size=8)
        missing = SEQUENCE_LENGTH - features["token_ids"].shape[1]
        full = {name: np.pad(values, [(0, 0), (0, missing)]) for name, values in features.items()}
        yield features, full, np.pad(labels[rows], (0, 8 - len(rows)))


@pytest.mark.parametrize("position_type", ["learned", "relative"])
def test_the_loss_of_short_batches_is_that_of_fully_padded_ones(position_type):
    classifier = new_classifier(position_type)
    lengths = set()
    for features, full, labels in batches(classifier):
        losses = []
        for batch in (features, full):
            classifier.reset_metrics()
            losses.append(float(classifier.test_step((batch, labels))["loss"]))
        assert losses[0] == pytest.approx(losses[1], abs=1e-5)
        assert full["token_ids"].shape[1] == SEQUENCE_LENGTH
        lengths.add(features["token_ids"].shape[1])
    assert len(lengths) > 1 and max(lengths) < SEQUENCE_LENGTH


def test_an_epoch_of_short_batches_trains_as_one_of_fully_padded_ones():
    short, padded = new_classifier("learned"), new_classifier("learned")
    for features, full, labels in batches(short):
        losses = []
        for classifier, batch in ((short, features), (padded, full)):
            classifier.reset_metrics()
            losses.append(float(classifier.train_step((batch, labels))["loss"]))
        assert losses[0] == pytest.approx(losses[1], abs=1e-5)


def test_a_batch_has_one_of_a_few_lengths():
    assert {rounded_up(length) for length in range(1, 129)} == set(range(8, 129, 8))
