"""Windows over long texts against a loop over lists: every piece stands in one, and the first is what fits."""

import numpy as np
import pytest

from electra_tf.text.preprocessor import TextPreprocessor
from electra_tf.text.windows import text_windows
from tests.tasks.tiny import LETTERS, tiny_vocabulary

VOCABULARY = tiny_vocabulary()


def pieces_of(rows):
    """The pieces of each row of features, padding left out."""
    return [[VOCABULARY.pieces[token_id] for token_id in ids[:mask.sum()]]
            for ids, mask in zip(rows["token_ids"].numpy(), rows["padding_mask"].numpy(), strict=True)]


def text_of_length(length):
    """A text of letters, in which no two neighbours of one distance look like others."""
    return " ".join(np.random.default_rng(length).choice(list(LETTERS), length))


def windows_of(pieces, *, room, step):
    starts = [0]
    while starts[-1] + room < len(pieces):
        starts.append(starts[-1] + step)
    return [pieces[start:start + room] for start in starts]


@pytest.mark.parametrize("stride, step", [(1, 1), (4, 4), (7, 7), (50, 7), (None, 6)])
def test_windows_are_those_of_a_loop(stride, step):
    texts = [text_of_length(length) for length in (0, 1, 6, 7, 8, 9, 13, 14, 15, 40)]
    rows, text_of = text_windows(TextPreprocessor(VOCABULARY, sequence_length=9), texts, stride=stride)
    expected = [(number, ["[CLS]", *window, "[SEP]"]) for number, text in enumerate(texts)
                for window in windows_of(text.split(), room=7, step=step)]
    assert [(number, pieces) for number, pieces in zip(text_of.numpy(), pieces_of(rows), strict=True)] == expected
    assert not rows["segment_ids"].numpy().any()


@pytest.mark.parametrize("num_first, num_second, kept_first, room", [
    (3, 30, 3, 8), (6, 30, 6, 5), (20, 30, 6, 5), (20, 6, 6, 5), (5, 6, 5, 6), (0, 30, 0, 11)])
def test_the_second_text_of_a_pair_is_cut_into_windows_behind_the_first(num_first, num_second, kept_first, room):
    first, second = text_of_length(num_first), text_of_length(num_second)
    rows, text_of = text_windows(TextPreprocessor(VOCABULARY, sequence_length=14), ([first, "a"], [second, "b"]),
                                 stride=4)
    expected = [["[CLS]", *first.split()[:kept_first], "[SEP]", *window, "[SEP]"]
                for window in windows_of(second.split(), room=room, step=4)]
    assert pieces_of(rows) == [*expected, ["[CLS]", "a", "[SEP]", "b", "[SEP]"]]
    assert text_of.numpy().tolist() == [0] * len(expected) + [1]
    for ids, row in zip(rows["segment_ids"].numpy(), expected, strict=False):
        assert ids.sum() == len(row) - kept_first - 2


@pytest.mark.parametrize("num_first, num_second, room", [(30, 3, 8), (20, 4, 7), (20, 5, 6), (9, 2, 9), (10, 2, 9)])
def test_a_long_first_text_is_cut_into_windows_before_a_short_second_one(num_first, num_second, room):
    first, second = text_of_length(num_first), text_of_length(num_second)
    rows, text_of = text_windows(TextPreprocessor(VOCABULARY, sequence_length=14), (["a", first], ["b", second]),
                                 stride=4)
    expected = [["[CLS]", *window, "[SEP]", *second.split(), "[SEP]"]
                for window in windows_of(first.split(), room=room, step=4)]
    assert pieces_of(rows) == [["[CLS]", "a", "[SEP]", "b", "[SEP]"], *expected]
    assert text_of.numpy().tolist() == [0] + [1] * len(expected)
    assert rows["segment_ids"].numpy()[1:].sum(axis=1).tolist() == [num_second + 1] * len(expected)


def test_the_first_window_is_what_the_preprocessor_keeps():
    preprocessor = TextPreprocessor(VOCABULARY, sequence_length=11)
    random = np.random.default_rng(3)
    first, second = ([text_of_length(length) for length in random.integers(0, 25, 40)] for _ in range(2))
    for texts in (first, (first, second)):
        rows, text_of = text_windows(preprocessor, texts, stride=3)
        places = np.searchsorted(text_of.numpy(), np.arange(40))
        for name, values in preprocessor(texts).items():
            np.testing.assert_array_equal(rows[name].numpy()[places], values.numpy())


def test_no_text_has_no_window():
    rows, text_of = text_windows(TextPreprocessor(VOCABULARY, sequence_length=11), [])
    assert rows["token_ids"].shape == (0, 11) and text_of.shape == (0,)
