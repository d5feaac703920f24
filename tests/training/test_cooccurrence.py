"""Word embeddings to start from, against a count in plain Python and numpy's whole decomposition."""

import collections
import math

import numpy as np
import pytest

from electra_tf.config import ElectraConfig
from electra_tf.errors import InputError
from electra_tf.model.networks import ElectraDiscriminator
from electra_tf.text.vocabulary import SPECIAL_PIECES
from electra_tf.training import cooccurrence
from electra_tf.training.cooccurrence import (
    cooccurrence_embeddings,
    count_cooccurrences,
    leading_factors,
    positive_pmi,
)
from electra_tf.training.optimizer import optimizer_for
from electra_tf.training.pretrain import pretrain
from tests.training.tiny_run import starts_alone, tiny_config, tiny_vocabulary, write_records


def counted_by_hand(rows, vocabulary_size, window):
    table = collections.Counter()
    for row in rows:
        for here, word in enumerate(row):
            for there, context in enumerate(row):
                distance = abs(here - there)
                if 1 <= distance <= window:
                    table[word, context] += 1 - (distance - 1) / window
    return np.array([[table[word, context] for context in range(vocabulary_size)] for word in range(vocabulary_size)])


@pytest.mark.parametrize("length", [1, 5, 30])
def test_every_pair_in_the_window_counts_both_ways_and_nearer_ones_more(length):
    rows = np.random.default_rng(length).integers(0, 12, [7, length])
    counts = np.zeros((12, 12), np.float32)
    count_cooccurrences(rows, counts=counts, context_of=np.arange(12))
    np.testing.assert_allclose(counts, counted_by_hand(rows, 12, cooccurrence.WINDOW), atol=1e-4)


def test_a_piece_that_is_no_context_still_has_contexts():
    counts = np.zeros((3, 2), np.float32)
    count_cooccurrences(np.array([[0, 1, 2]]), counts=counts, context_of=np.array([0, 1, -1]))
    assert counts.tolist() == [[0, 1], [1, 0], [0.875, 1]]


def test_mutual_information_is_that_of_its_definition():
    counts = np.array([[0, 3, 1], [3, 0, 2], [1, 2, 0]], np.float64)
    smoothed = counts.sum(axis=0) ** 0.75
    wanted = [[max(0, math.log(n / (counts[word].sum() * smoothed[context] / smoothed.sum()))) if n else 0
               for context, n in enumerate(row)] for word, row in enumerate(counts)]
    np.testing.assert_allclose(positive_pmi(counts.astype(np.float32)), wanted, atol=1e-5)


def test_a_word_without_neighbours_has_none():
    assert not positive_pmi(np.zeros((2, 2), np.float32)).any()


def test_factors_are_those_of_the_whole_decomposition():
    matrix = np.abs(np.random.default_rng(0).standard_normal((300, 200))).astype(np.float32)
    left, values, _ = np.linalg.svd(matrix, full_matrices=False)
    wanted, found = left[:, :4] * np.sqrt(values[:4]), leading_factors(matrix, 4, seed=0)
    np.testing.assert_allclose(found @ found.T, wanted @ wanted.T, atol=0.02 * np.abs(wanted @ wanted.T).max())


def test_more_factors_than_the_matrix_has_are_zero():
    factors = leading_factors(np.eye(3, dtype=np.float32), 5, seed=0)
    assert np.linalg.matrix_rank(factors) == 3 and not factors[:, 3:].any()


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    return write_records(tmp_path_factory.mktemp("records"))


def embeddings_of(records, **settings):
    return cooccurrence_embeddings(records, vocabulary=tiny_vocabulary(), **{
        "embedding_size": 8, "initializer_range": 0.02, "seed": 7, **settings})


def test_words_used_alike_lie_close_together(records):
    """Each word of the tiny language is mostly followed by the next one, so neighbours of the list share contexts."""
    words = embeddings_of(records)[len(SPECIAL_PIECES):]
    words /= np.linalg.norm(words, axis=1, keepdims=True)
    likeness = words @ words.T
    near = np.mean([likeness[word, word + 1] for word in range(len(words) - 1)])
    assert near > 0.5 and abs(likeness.mean()) < 0.3


def test_special_pieces_start_at_random_and_words_three_times_as_wide(records):
    embeddings = embeddings_of(records, embedding_size=64)
    assert embeddings[:len(SPECIAL_PIECES)].std() == pytest.approx(0.02, rel=0.2)
    assert embeddings[len(SPECIAL_PIECES):].std() == pytest.approx(0.06, rel=1e-3)


def test_the_same_run_starts_with_the_same_embeddings(records):
    np.testing.assert_array_equal(embeddings_of(records), embeddings_of(records))


def test_a_large_vocabulary_has_its_frequent_pieces_as_contexts(records, monkeypatch):
    monkeypatch.setattr(cooccurrence, "MOST_CONTEXTS", 20)
    assert embeddings_of(records, embedding_size=4).shape == (195, 4)


def test_a_run_starts_with_them_where_its_settings_say_so_and_no_weights_are_given(records, tmp_path, monkeypatch):
    started = starts_alone(monkeypatch)
    config = tiny_config(first_embeddings="cooccurrence")
    pretrain(config, data=records, output=tmp_path / "counted")
    vocabulary = tiny_vocabulary()
    given = ElectraDiscriminator(config.model)
    given.save_to_preset(tmp_path / "given", vocabulary=vocabulary)
    pretrain(config, data=records, output=tmp_path / "initialised", init_from=tmp_path / "given")
    words = [weights["discriminator/encoder/embeddings/word_embeddings"] for weights in started]
    np.testing.assert_array_equal(words[0], embeddings_of(records, embedding_size=config.model.embedding_size))
    np.testing.assert_array_equal(words[1], given.weights_by_name()["encoder/embeddings/word_embeddings"].numpy())


def test_random_embeddings_are_never_held(records, tmp_path):
    with pytest.raises(InputError, match="word_embeddings_rate=0 would keep random word embeddings; set it to 1"):
        pretrain(tiny_config(optimizer={"word_embeddings_rate": 0.0}), data=records, output=tmp_path / "run")
    assert not (tmp_path / "run").exists()
    assert optimizer_for(ElectraConfig.from_preset("tiny"), train_steps=100).config.word_embeddings_rate == 1.0
