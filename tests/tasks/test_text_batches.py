"""Texts are tokenized as the preprocessor does, and every one reaches its batch once, with little padding."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from electra_tf.errors import InputError
from electra_tf.tasks import text_batches
from electra_tf.tasks.text_batches import (
    encode_in_bulk,
    encode_texts,
    epoch_batches,
    evaluation_dataset,
    evaluation_order,
    text_columns,
    training_dataset,
)
from electra_tf.text.preprocessor import TextPreprocessor
from electra_tf.text.tokenizer import Tokenizer
from tests.tasks.tiny import reviews, tiny_vocabulary


@pytest.fixture(scope="module")
def preprocessor():
    return TextPreprocessor(tiny_vocabulary(), sequence_length=23)


@pytest.mark.parametrize("texts, pairs, columns", [
    (["a", "b"], False, (["a", "b"],)),
    (np.array(["a", "b"]), False, (["a", "b"],)),
    (tf.constant(["a", "b"]), False, ([b"a", b"b"],)),
    (["ab", b"cd"], False, (["ab", b"cd"],)),
    ([], False, ([],)),
    ([("a", "b"), ("c", "d"), ("e", "f")], True, (["a", "c", "e"], ["b", "d", "f"])),
    ([["a", "b"], ["c", "d"]], True, (["a", "c"], ["b", "d"])),
    ((["a", "c", "e"], ["b", "d", "f"]), True, (["a", "c", "e"], ["b", "d", "f"])),
    ([], True, ([], [])),
])
def test_texts_and_pairs_in_the_forms_users_have(texts, pairs, columns):
    assert text_columns(texts, pairs=pairs) == columns


@pytest.mark.parametrize("texts, pairs, message", [
    ("a text", False, "texts is a single string; give a list of strings"),
    (["a", None], False, r"texts\[1\] is None; expected a string"),
    (["a", 3.5], False, r"texts\[1\] is 3.5"),
    ([("a", "b")], False, "takes single texts and got pairs; load it with pairs=True"),
    (["a", "b"], True, "takes pairs of texts and got single ones"),
    ((["a", "b"], ["c"]), True, "there are 2 first texts and 1 second ones; give equally many"),
])
def test_other_forms_are_refused_in_one_sentence(texts, pairs, message):
    with pytest.raises(InputError, match=message):
        text_columns(texts, pairs=pairs)


@pytest.mark.parametrize("pairs", [False, True])
def test_encoded_texts_are_those_of_the_preprocessor(preprocessor, monkeypatch, pairs):
    monkeypatch.setattr(text_batches, "TEXTS_AT_ONCE", 3)
    texts = ["", "a good film", "the plot was very dull and the film was awful and " * 3, "fine!", "x", "y", "z z"]
    columns = (texts, texts[::-1]) if pairs else (texts,)
    encoded = encode_texts(preprocessor, columns)
    expected = {name: values.numpy() for name, values in preprocessor(columns if pairs else texts).items()}
    length = encoded.token_ids.shape[1]
    assert length == expected["padding_mask"].sum(axis=1).max()
    np.testing.assert_array_equal(encoded.lengths, expected["padding_mask"].sum(axis=1))
    np.testing.assert_array_equal(encoded.token_ids, expected["token_ids"][:, :length])
    np.testing.assert_array_equal(encoded.segment_ids, expected["segment_ids"][:, :length])


def test_no_texts_are_encoded_as_none(preprocessor):
    assert len(encode_texts(preprocessor, ([],))) == 0


def test_a_batch_is_cut_at_its_longest_text_and_filled_with_empty_rows(preprocessor):
    encoded = encode_texts(preprocessor, (["a good film", "a", "the plot was very dull and the film was awful"],))
    batch = encoded.batch(np.array([1, 0]), batch_size=4)
    assert {values.shape for values in batch.values()} == {(4, 8)}
    assert batch["padding_mask"].sum(axis=1).tolist() == [3, 5, 0, 0]
    np.testing.assert_array_equal(batch["token_ids"][:2], encoded.token_ids[[1, 0], :8])
    assert not batch["token_ids"][2:].any()


def test_an_epoch_holds_every_text_once_in_a_seeded_order():
    lengths = np.random.default_rng(0).integers(3, 60, 237)
    def order(seed, epoch):
        return [tuple(rows) for rows in epoch_batches(lengths, batch_size=16, seed=seed, epoch=epoch)]
    first = order(5, 0)
    assert sorted(itertools.chain(*first)) == list(range(237))
    assert sorted(map(len, first)) == [237 % 16] + [16] * 14
    assert first == order(5, 0)
    assert first != order(5, 1) and first != order(6, 0)


def test_texts_of_similar_length_share_a_batch_in_random_order():
    lengths = np.random.default_rng(0).integers(3, 60, 4000)
    batches = epoch_batches(lengths, batch_size=16, seed=0, epoch=0)
    padded = sum(16 * lengths[rows].max() for rows in batches)
    assert padded < 1.1 * lengths.sum()
    longest = np.array([lengths[rows].max() for rows in batches])
    # Neither batches nor texts come sorted: lengths of neighbours are hardly correlated.
    assert abs(np.corrcoef(longest[:-1], longest[1:])[0, 1]) < 0.2


def test_training_goes_on_from_epoch_to_epoch(preprocessor):
    texts, _ = reviews(10, seed=0)
    encoded = encode_texts(preprocessor, (texts,))
    labels = np.arange(10, dtype=np.int32)
    epochs = list(training_dataset(encoded, labels, batch_size=4, seed=0).take(9).as_numpy_iterator())
    for epoch in (epochs[:3], epochs[3:6], epochs[6:]):
        seen = [label for features, numbers in epoch
                for label, is_real in zip(numbers, features["padding_mask"][:, 0], strict=True) if is_real]
        assert sorted(seen) == list(range(10))
    features, numbers = epochs[0]
    np.testing.assert_array_equal(features["token_ids"], encoded.batch(numbers, batch_size=4)["token_ids"])


def test_evaluation_holds_every_text_once_in_the_order_that_is_told(preprocessor):
    texts, _ = reviews(10, seed=1)
    encoded = encode_texts(preprocessor, (texts,))
    dataset = evaluation_dataset(encoded, np.arange(10, dtype=np.int32), batch_size=4)
    numbers = np.concatenate([numbers for _, numbers in dataset.as_numpy_iterator()])
    assert len(numbers) == 12 and int(dataset.cardinality()) == 3
    np.testing.assert_array_equal(numbers[:10], evaluation_order(encoded))


_WORDS = st.lists(st.sampled_from(["good", "film", "x", "!"]), max_size=14).map(" ".join)
_TEXT = st.one_of(st.text(max_size=12), _WORDS)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(_TEXT, _TEXT), max_size=4), st.booleans(), st.integers(4, 11))
def test_rows_made_in_bulk_are_those_of_the_graph(texts, pairs, sequence_length):
    columns = tuple([pair[side] for pair in texts] for side in range(1 + pairs))
    expected = encode_texts(TextPreprocessor(tiny_vocabulary(), sequence_length=sequence_length), columns)
    found = encode_in_bulk(Tokenizer(tiny_vocabulary()), columns, sequence_length=sequence_length)
    assert found.lengths.tolist() == expected.lengths.tolist()
    longest = expected.token_ids.shape[1]
    for name in ("token_ids", "segment_ids"):
        values = getattr(found, name)
        assert longest <= values.shape[1] <= sequence_length
        np.testing.assert_array_equal(values[:, :longest], getattr(expected, name))
        assert not values[:, longest:].any()


def test_rows_made_in_bulk_have_few_different_widths():
    tokenizer = Tokenizer(tiny_vocabulary())
    widths = {encode_in_bulk(tokenizer, (["x " * words],), sequence_length=20).token_ids.shape[1]
              for words in range(30)}
    assert widths == {8, 16, 20}


def test_nobody_waits_for_the_thread_that_tunes_pipelines(preprocessor):
    """It sleeps twice as long each time, and `predict` returns only when it wakes."""
    encoded = encode_texts(preprocessor, (["a film", "a plot"],))
    for dataset in (training_dataset(encoded, np.zeros(2, np.int32), batch_size=2, seed=0),
                    evaluation_dataset(encoded, batch_size=2)):
        assert dataset.options().autotune.enabled is False
