"""Short batches cost no padding and lose nothing: loss, answers and updates are those of fully padded ones."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from electra_tf.config import FineTuningConfig
from electra_tf.model.encoder import ElectraEncoder
from electra_tf.tasks.multiple_choice import ElectraMultipleChoice
from electra_tf.tasks.question_answering.question_answerer import ElectraQuestionAnswerer
from electra_tf.tasks.tagging.tagging_loss import NOT_ASKED
from electra_tf.tasks.tagging.token_classification import ElectraTokenClassifier
from electra_tf.tasks.text_batches import PieceLabels, rounded_up, training_dataset
from electra_tf.tasks.text_classification import ElectraTextClassifier
from electra_tf.tasks.text_regression import ElectraTextRegressor
from electra_tf.text.preprocessor import TextPreprocessor
from tests.tasks.question_answering.moods import moods as questions_on_moods
from tests.tasks.tagging.moods import moods as tagged_moods
from tests.tasks.tiny import reviews, scatter_weights, tiny_config, tiny_vocabulary

SEQUENCE_LENGTH, BATCH_SIZE = 40, 8
TEXTS, LABELS = reviews(50, seed=0)
QUESTIONS, CONTEXTS, ANSWERS = questions_on_moods(50, seed=0)
ENDINGS = [(text, ("good", "a very dull scene")) for text in TEXTS]
TAGS = ("O", "B-BAD", "I-BAD", "B-GOOD", "I-GOOD")
# kind -> (class, its settings, texts, labels)
KINDS = {
    "classifier": (ElectraTextClassifier, {"labels": ("neg", "pos"), "dropout": 0.0}, TEXTS, LABELS),
    "regressor": (ElectraTextRegressor, {"score_range": (0, 12), "dropout": 0.0}, TEXTS,
                  [len(text.split()) for text in TEXTS]),
    "multiple_choice": (ElectraMultipleChoice, {"num_choices": 2, "dropout": 0.0}, ENDINGS,
                        [int(label == "neg") for label in LABELS]),
    "tagger": (ElectraTokenClassifier, {"labels": TAGS}, *tagged_moods(50, seed=0)),
    "question_answerer": (ElectraQuestionAnswerer, {}, (QUESTIONS, CONTEXTS), ANSWERS),
}


def new_model(kind, position_type="learned"):
    keras.utils.set_random_seed(0)
    model_class, settings, _, _ = KINDS[kind]
    encoder = ElectraEncoder(tiny_config(hidden_dropout=0.0, attention_dropout=0.0, position_type=position_type))
    model = model_class(encoder, preprocessor=TextPreprocessor(tiny_vocabulary(), sequence_length=SEQUENCE_LENGTH),
                        **settings)
    scatter_weights(model, seed=1)
    model.compile(settings=FineTuningConfig(learning_rate=1e-3, warmup_proportion=0.0, loss_reduction="mean"))
    model.prepare_optimizer(100)
    return model


def batches(model, kind):
    """(batch as it is trained on, the same padded to the full length) of each batch of an epoch."""
    _, _, texts, labels = KINDS[kind]
    encoded = model.encode(texts)
    labels = model.labels_for(encoded, labels)
    dataset = training_dataset(encoded, labels, batch_size=BATCH_SIZE, seed=0)
    for features, told in dataset.take(math.ceil(len(encoded) / BATCH_SIZE)).as_numpy_iterator():
        full = {name: padded(values) for name, values in features.items()}
        yield (features, told), (full, padded(told, NOT_ASKED) if isinstance(labels, PieceLabels) else told)


def padded(values, filling=0):
    missing = SEQUENCE_LENGTH - values.shape[-1]
    return np.pad(values, [(0, 0)] * (values.ndim - 1) + [(0, missing)], constant_values=filling)


@pytest.mark.parametrize("position_type", ["learned", "relative"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_of_short_batches_is_that_of_fully_padded_ones(kind, position_type):
    model, lengths = new_model(kind, position_type), set()
    for short, full in batches(model, kind):
        losses = []
        for batch in (short, full):
            model.reset_metrics()
            losses.append(float(model.test_step(tensors(batch))["loss"]))
        assert losses[0] == pytest.approx(losses[1], abs=1e-5)
        assert full[0]["token_ids"].shape[-1] == SEQUENCE_LENGTH
        lengths.add(short[0]["token_ids"].shape[-1])
    assert len(lengths) > 1 and max(lengths) < SEQUENCE_LENGTH


def tensors(batch):
    return tf.nest.map_structure(tf.constant, batch)


@pytest.mark.parametrize("kind", KINDS)
def test_an_epoch_of_short_batches_trains_as_one_of_fully_padded_ones(kind):
    models = new_model(kind), new_model(kind)
    for both in batches(models[0], kind):
        losses = []
        for model, batch in zip(models, both, strict=True):
            model.reset_metrics()
            losses.append(float(model.train_step(tensors(batch))["loss"]))
        assert losses[0] == pytest.approx(losses[1], abs=1e-5)


def test_a_batch_has_one_of_a_few_lengths():
    assert {rounded_up(length) for length in range(1, 129)} == set(range(8, 129, 8))
