"""Integrated gradients of a classifier's logits against their axioms: they add up, and ignore what cannot matter."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from electra_tf.errors import InputError
from electra_tf.model.encoder import ElectraEncoder
from electra_tf.tasks.attributions import text_attributions
from electra_tf.tasks.ensemble import ElectraEnsemble
from electra_tf.tasks.text_classification import ElectraTextClassifier
from electra_tf.text.preprocessor import TextPreprocessor
from electra_tf.text.tokenizer import Tokenizer
from tests.tasks.tiny import reviews, scatter_weights, tiny_config, tiny_vocabulary

TEXT = "The Film was  lovely, and very dull!"
LENGTH = 14


def new_classifier(*, pairs=False, length=LENGTH, seed=4):
    keras.utils.set_random_seed(seed)
    classifier = ElectraTextClassifier(
        ElectraEncoder(tiny_config()), labels=("neg", "other", "pos"), pairs=pairs,
        preprocessor=TextPreprocessor(tiny_vocabulary(), sequence_length=length))
    scatter_weights(classifier, seed=seed)
    return classifier


@pytest.fixture(scope="module")
def classifier():
    return new_classifier()


def logits_of(classifier, text):
    """Logits [1, labels] of a text, as `predict` computes them."""
    return classifier(classifier.preprocessor([text]), training=False).numpy()[0]


def error_of(found):
    return abs(sum(piece.value for piece in found.pieces) - (found.logit - found.baseline_logit))


def test_the_values_add_up_to_what_the_text_changes(classifier):
    """Completeness: within a few percent at 64 steps, and better with more."""
    few, some, many = (text_attributions(classifier, TEXT, label="pos", steps=steps) for steps in (2, 64, 512))
    assert abs(some.logit - some.baseline_logit) > 0.05
    assert error_of(some) < 0.02 * abs(some.logit - some.baseline_logit)
    assert error_of(many) < error_of(some) / 4 < error_of(few) / 16


def test_the_ends_of_the_way_are_the_text_and_as_many_masks(classifier):
    found = text_attributions(classifier, TEXT, label="other", steps=1)
    assert found.logit == pytest.approx(logits_of(classifier, TEXT)[1], abs=1e-5)
    features = classifier.preprocessor([TEXT])
    vocabulary = classifier.preprocessor.vocabulary
    masked = np.where(np.isin(features["token_ids"], (0, vocabulary.cls_id, vocabulary.sep_id)),
                      features["token_ids"], vocabulary.mask_id)
    expected = classifier({**features, "token_ids": tf.constant(masked)}, training=False).numpy()[0, 1]
    assert found.baseline_logit == pytest.approx(expected, abs=1e-5)


def test_the_values_are_those_of_a_sum_written_out(classifier):
    """Riemann's sum with a gradient for each step, through variables instead of the encoder's hook."""
    steps, found = 5, text_attributions(classifier, TEXT, label="pos", steps=5)
    features = classifier.preprocessor([TEXT])
    token_ids, vocabulary = features["token_ids"].numpy()[0], classifier.preprocessor.vocabulary
    table = classifier.encoder.embeddings.word_embeddings
    original = table.numpy()
    # A table with one row for each place of the text, so that its gradient is that of the places.
    is_piece = ~np.isin(token_ids, (0, vocabulary.cls_id, vocabulary.sep_id))
    end = original[token_ids]
    start = np.where(is_piece[:, None], original[vocabulary.mask_id], end)
    places = tf.range(len(token_ids))[None]
    total = np.zeros_like(end)
    try:
        for step in range(steps):
            rows = original.copy()
            rows[:len(end)] = start + (step + 0.5) / steps * (end - start)
            table.assign(rows)
            with tf.GradientTape() as tape:
                logit = classifier({**features, "token_ids": places}, training=False)[0, 2]
            total += tf.convert_to_tensor(tape.gradient(logit, table.value)).numpy()[:len(end)] / steps
    finally:
        table.assign(original)
    expected = ((end - start) * total).sum(axis=1)[is_piece]
    np.testing.assert_allclose([piece.value for piece in found.pieces], expected, rtol=1e-3, atol=1e-5)


def test_each_piece_has_its_place_in_the_users_text(classifier):
    found = text_attributions(classifier, TEXT, steps=1)
    tokens = Tokenizer(tiny_vocabulary())(TEXT)
    kept = LENGTH - 2
    assert [piece.piece for piece in found.pieces] == tokens.pieces[:kept]
    assert [piece.offsets for piece in found.pieces] == [tuple(offsets) for offsets in tokens.offsets[:kept]]
    by_name = {piece.piece: piece for piece in found.pieces}
    assert TEXT[slice(*by_name["film"].offsets)] == "Film" and TEXT[slice(*by_name["lovely"].offsets)] == "lovely"


def test_pairs_keep_their_texts_apart():
    classifier = new_classifier(pairs=True, length=12)
    pair = ("a fine film and a lovely plot", "the film was dull")
    found = text_attributions(classifier, pair, steps=64)
    first, second = ([piece for piece in found.pieces if piece.in_second is side] for side in (False, True))
    # 12 places: [CLS], [SEP], [SEP] and nine pieces, of which the second text has four
    assert [piece.piece for piece in first] == "a fine film and a".split()
    assert [piece.piece for piece in second] == "the film was dull".split()
    assert [pair[1][slice(*piece.offsets)] for piece in second] == pair[1].split()
    assert error_of(found) < 0.03 * max(0.5, abs(found.logit - found.baseline_logit))


def test_the_label_is_the_likeliest_or_the_one_asked_for(classifier):
    best = int(logits_of(classifier, TEXT).argmax())
    found = text_attributions(classifier, TEXT, steps=3)
    assert found.label == classifier.labels[best]
    assert found == text_attributions(classifier, TEXT, label=best, steps=3)
    other = text_attributions(classifier, TEXT, label=(best + 1) % 3, steps=3)
    assert [piece.value for piece in other.pieces] != [piece.value for piece in found.pieces]


def test_a_classifier_that_ignores_the_text_attributes_nothing():
    classifier = new_classifier()
    classifier.classifier.kernel.assign(tf.zeros_like(classifier.classifier.kernel))
    assert {piece.value for piece in text_attributions(classifier, TEXT, steps=2).pieces} == {0.0}


def test_the_word_that_tells_the_label_stands_out():
    """A model that has learnt good from bad points at these words."""
    keras.utils.set_random_seed(2)
    classifier = ElectraTextClassifier(
        ElectraEncoder(tiny_config()), labels=("neg", "pos"),
        preprocessor=TextPreprocessor(tiny_vocabulary(), sequence_length=16))
    classifier.compile(optimizer=keras.optimizers.Adam(3e-3))
    classifier.fit(*reviews(300, seed=0), batch_size=20, epochs=6, verbose=0)
    for text, word, label in (("the film was lovely", "lovely", "pos"), ("a very dull scene", "dull", "neg")):
        found = text_attributions(classifier, text, label=label)
        assert found.logit > 0
        assert max(found.pieces, key=lambda piece: piece.value).piece == word


def test_texts_without_pieces_have_no_values(classifier):
    found = text_attributions(classifier, " ", steps=2)
    assert found.pieces == [] and found.logit == pytest.approx(found.baseline_logit, abs=1e-5)


def test_wrong_arguments_are_refused(classifier):
    with pytest.raises(InputError, match="label 'best' is unknown; expected one of neg, other, pos"):
        text_attributions(classifier, TEXT, label="best")
    with pytest.raises(InputError, match="steps=0 must be 1 or more"):
        text_attributions(classifier, TEXT, steps=0)
    with pytest.raises(InputError, match="single texts and got pairs"):
        text_attributions(classifier, ("a", "b"))


def test_an_ensemble_is_refused_because_it_has_several_tables(classifier):
    with pytest.raises(InputError, match="the model is an ensemble; expected a single text_classifier or "):
        text_attributions(ElectraEnsemble([classifier, new_classifier(seed=5)]), TEXT)
