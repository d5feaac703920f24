"""Words -> windows of pieces and back: nothing is lost, each word is asked once, where it has most context."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from electra_tf.tasks.tagging.tagging_loss import NOT_ASKED
from electra_tf.tasks.tagging.word_windows import encode_sentences, piece_labels, word_means, word_windows
from electra_tf.text.tokenizer import Tokenizer
from tests.tasks.tiny import tiny_vocabulary

CLS, SEP = tiny_vocabulary().cls_id, tiny_vocabulary().sep_id
# "film" is one piece, "good" too, "ab" two, "!" one, a soft hyphen none.
EMPTY = "\u00ad"


def encode(sentences, **settings):
    return encode_sentences(sentences, Tokenizer(tiny_vocabulary()), **{"sequence_length": 8, **settings})


def ids(text):
    return Tokenizer(tiny_vocabulary()).ids(text)


@given(num_pieces=st.lists(st.integers(0, 9), max_size=40), room=st.integers(2, 12), overlap=st.integers(0, 11))
def test_windows_hold_every_word_and_move_on(num_pieces, room, overlap):
    num_pieces = [min(pieces, room) for pieces in num_pieces]
    windows = word_windows(num_pieces, room=room, overlap=overlap)
    assert windows[0][0] == 0 and windows[-1][1] == len(num_pieces)
    for first, end in windows:
        assert sum(num_pieces[first:end]) <= room
    for (first, end), (next_first, next_end) in zip(windows, windows[1:]):
        assert first < next_first <= end < next_end
        assert sum(num_pieces[next_first:end]) <= overlap
        # Not one word more would have had room.
        assert sum(num_pieces[first:end + 1]) > room


def test_a_window_repeats_the_end_of_the_one_before():
    assert word_windows([1, 1, 2, 1, 1], room=4, overlap=2) == [(0, 3), (2, 5)]
    assert word_windows([1] * 8, room=4, overlap=2) == [(0, 4), (2, 6), (4, 8)]
    assert word_windows([1] * 8, room=4, overlap=0) == [(0, 4), (4, 8)]
    assert word_windows([], room=4, overlap=2) == [(0, 0)]


def test_a_row_holds_the_pieces_of_the_words():
    encoded = encode([["good", "ab", "film"], ["!"]], segment_id=1)
    assert encoded.token_ids.tolist() == [[CLS, *ids("good ab film"), SEP], [CLS, *ids("!"), SEP, 0, 0, 0]]
    assert encoded.lengths.tolist() == [6, 3] and encoded.segment_ids.tolist() == [[1] * 6, [1, 1, 1, 0, 0, 0]]
    assert encoded.place_of_word.tolist() == [1, 2, 4, 1] and encoded.pieces_of_word.tolist() == [1, 2, 1, 1]
    assert encoded.window_of_word.tolist() == [0, 0, 0, 1] and encoded.sentence_starts.tolist() == [0, 3, 4]


def test_a_word_is_judged_where_the_shorter_side_is_longest():
    encoded = encode([["a"] * 12], stride=3)  # windows of 6 words: 0-5, 3-8, 6-11
    assert encoded.lengths.tolist() == [8, 8, 8]
    # Word 4 has one neighbour on its shorter side in both of its windows: the first one counts.
    assert encoded.window_of_word.tolist() == [0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 2]
    assert encoded.place_of_word.tolist() == [1, 2, 3, 4, 5, 3, 4, 5, 3, 4, 5, 6]


def test_words_without_pieces_are_marked():
    encoded = encode([["good", EMPTY, "film"], [EMPTY], []])
    assert encoded.is_empty_word.tolist() == [False, True, False, True]
    assert [part.tolist() for part in encoded.by_sentence(encoded.is_empty_word)] == [[False, True, False], [True], []]
    labels = piece_labels(encoded, np.array([4, 3, 2, 1], np.int32))
    assert labels.tolist() == [[NOT_ASKED, 4, 2, NOT_ASKED], [NOT_ASKED] * 4, [NOT_ASKED] * 4]


def test_a_word_longer_than_a_window_keeps_its_first_pieces():
    encoded = encode([["film", "abcdefghij", "film"]])
    assert encoded.token_ids.tolist()[1] == [CLS, *ids("abcdef"), SEP]
    assert encoded.pieces_of_word.tolist() == [1, 6, 1] and encoded.window_of_word.tolist() == [0, 1, 2]


def test_first_pieces_or_all_pieces_are_asked():
    encoded = encode([["good", "ab", "film"]])
    numbers = np.array([2, 1, 0], np.int32)
    assert piece_labels(encoded, numbers).tolist() == [[-1, 2, 1, -1, 0, -1]]
    assert piece_labels(encoded, numbers, label_pieces="all").tolist() == [[-1, 2, 1, 1, 0, -1]]
    values = np.array([[9, 1, 2, 4, 5, 9]], np.float32)
    assert word_means(encoded, values).tolist() == [1, 2, 5]
    assert word_means(encoded, values, label_pieces="all").tolist() == [1, 3, 5]


@pytest.mark.parametrize("label_pieces", ["first", "all"])
@given(sentences=st.lists(st.lists(st.sampled_from(["a", "ab", "abcd", "good", EMPTY, "abcdefghijk"]), max_size=25),
                          max_size=4), stride=st.sampled_from([None, 1, 2, 6]))
def test_what_is_asked_of_a_word_comes_back_to_it(label_pieces, sentences, stride):
    encoded = encode(sentences, stride=stride)
    numbers = np.arange(1, 1 + sum(map(len, sentences)), dtype=np.int32)
    labels = piece_labels(encoded, numbers, label_pieces=label_pieces)
    asked = labels[labels != NOT_ASKED]
    expected = {"first": (~encoded.is_empty_word).sum(), "all": encoded.pieces_of_word.sum()}[label_pieces]
    assert len(asked) == expected  # once each, however many windows hold the word
    found = word_means(encoded, labels.astype(np.float32), label_pieces=label_pieces)
    np.testing.assert_array_equal(found, np.where(encoded.is_empty_word, 0, numbers))
    for number, word in enumerate(word for sentence in sentences for word in sentence):
        if not encoded.is_empty_word[number]:
            row, place, count = (values[number] for values in (
                encoded.window_of_word, encoded.place_of_word, encoded.pieces_of_word))
            assert encoded.token_ids[row, place:place + count].tolist() == ids(word)[:6]


def test_no_sentences_are_no_rows():
    encoded = encode([])
    assert len(encoded) == 0 and encoded.by_sentence(encoded.is_empty_word) == []
