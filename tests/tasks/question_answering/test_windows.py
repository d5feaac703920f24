"""Windows over long contexts: the original's features, brute force, and the edges: nothing to read, much to ask."""

import numpy as np
import pytest

from electra_tf.tasks.question_answering.windows import (
    Context,
    best_windows,
    encode_windows,
    pieces_of,
    window_labels,
    window_starts,
)
from electra_tf.text.tokenizer import Tokenizer
from tests.oracles.original_questions import TASKS, OriginalQuestions
from tests.tasks.tiny import tiny_vocabulary

VOCABULARY = tiny_vocabulary()
TOKENIZER = Tokenizer(VOCABULARY)
CLS, SEP = VOCABULARY.cls_id, VOCABULARY.sep_id


def encoded(questions, contexts, *, sequence_length=12, max_question_length=5, stride=3):
    return encode_windows(TOKENIZER, questions, contexts, sequence_length=sequence_length,
                          max_question_length=max_question_length, stride=stride)


@pytest.fixture(scope="module", params=TASKS)
def original(request):
    return OriginalQuestions(request.param)


def test_windows_are_the_originals(original):
    for example in original.values["eval"]:
        windows = original.windows([example["qas_id"]])
        assert len(windows) == len(example["features"])
        for row, feature in enumerate(example["features"]):
            length = feature["n_tokens"]
            assert windows.lengths[row] == length
            np.testing.assert_array_equal(windows.is_best_window[row, :length],
                                          feature["token_is_max_context"][:length])


def test_what_the_rows_teach_is_the_originals(original):
    for example in original.values["train"]:
        windows = original.windows([example["qas_id"]])
        answers = original.questions[example["qas_id"]]["answers"]
        span = None
        if answers:
            start = answers[0]["answer_start"]
            span = pieces_of(windows.contexts[0], start, start + len(answers[0]["text"]))
        labels = window_labels(windows, [span], is_impossible=[not answers])
        assert len(windows) == len(example["features"])
        for row, feature in enumerate(example["features"]):
            feature = {name.removeprefix("squad_").removeprefix("squadv1_"): value for name, value in feature.items()}
            length = windows.lengths[row]
            assert list(windows.token_ids[row, :length]) == feature["input_ids"][:length]
            assert list(windows.segment_ids[row, :length]) == feature["segment_ids"][:length]
            assert sum(feature["input_mask"]) == length
            assert (labels["start"][row], labels["end"][row], labels["impossible"][row]) == (
                feature["start_positions"], feature["end_positions"], feature["is_impossible"])


@pytest.mark.parametrize("num_pieces, room, stride, expected", [
    (10, 6, 3, [0, 3, 6]), (6, 6, 3, [0]), (7, 6, 3, [0, 3]), (0, 6, 3, [0]), (13, 6, 9, [0, 6, 12]),
    (5, 1, 1, [0, 1, 2, 3, 4]),
])
def test_windows_cover_the_text_without_a_gap(num_pieces, room, stride, expected):
    assert window_starts(num_pieces, room, stride) == expected


@pytest.mark.parametrize("num_pieces, room, stride", [(1, 5, 2), (23, 7, 3), (40, 9, 9), (17, 6, 1)])
def test_the_best_window_of_a_piece_by_brute_force(num_pieces, room, stride):
    starts = window_starts(num_pieces, room, stride)
    lengths = [min(room, num_pieces - start) for start in starts]
    for piece, found in enumerate(best_windows(starts, lengths, num_pieces)):
        scores = [min(piece - start, start + length - 1 - piece) + 0.01 * length
                  if start <= piece < start + length else -1 for start, length in zip(starts, lengths)]
        assert found == scores.index(max(scores))


def test_a_row_is_question_and_window_and_every_piece_is_best_once():
    text = "a good film and a bad plot and the scene was awful"
    windows = encoded(["the film"], [text])
    ids = TOKENIZER.ids(text)
    for row in range(len(windows)):
        end, first = windows.lengths[row], windows.first_pieces[row]
        start = windows.first_places[row]
        assert list(windows.token_ids[row, :start]) == [CLS, *TOKENIZER.ids("the film"), SEP]
        assert list(windows.token_ids[row, start:end]) == [*ids[first:first + end - 1 - start], SEP]
        places = np.arange(windows.token_ids.shape[1])
        np.testing.assert_array_equal(windows.segment_ids[row], (start <= places) & (places < end))
    best = [windows.first_pieces[row] + place - windows.first_places[row]
            for row, place in zip(*np.nonzero(windows.is_best_window))]
    assert sorted(best) == list(range(len(ids))) and windows.lengths.max() == 12


def test_a_long_question_is_cut_and_leaves_room():
    question = "the plot was very dull and the film was awful"
    windows = encoded([question, question], ["a film", "good"], max_question_length=4)
    assert list(windows.token_ids[0, :6]) == [CLS, *TOKENIZER.ids(question)[:4], SEP]
    tight = encoded([question], ["a film"], sequence_length=6, max_question_length=64)
    assert tight.lengths.tolist() == [6, 6] and tight.first_places.tolist() == [4, 4]  # one piece of the context each


def test_an_empty_context_has_one_row_without_a_place_for_an_answer():
    for nothing in ("", " \t\n", "\u200b"):
        windows = encoded(["the film", "a plot", "the"], ["good", nothing, "bad"])
        assert windows.questions.tolist() == [0, 1, 2] and windows.rows_of(1) == slice(1, 2)
        assert windows.lengths[1] == 5 and list(windows.token_ids[1, :5]) == [CLS, *TOKENIZER.ids("a plot"), SEP, SEP]
        assert not windows.is_best_window[1].any() and windows.is_best_window[2].any()
    assert len(encoded([], [])) == 0


def test_an_answer_is_the_pieces_that_it_touches():
    text = "the abc! a film"  # the, a, ##b, ##c, !, a, film
    context = Context(text, np.array(TOKENIZER(text).offsets))
    assert len(context.offsets) == 7
    assert pieces_of(context, 4, 7) == (1, 3)
    assert pieces_of(context, 5, 6) == (2, 2)
    assert pieces_of(context, 3, 8) == (1, 4)
    assert pieces_of(context, 3, 4) is None and pieces_of(context, 8, 9) is None


def test_an_answer_cut_by_a_window_is_learnt_where_it_is_whole():
    text = "a good film and a bad plot and the scene was awful"
    windows = encoded(["the film"], [text])
    first, last = pieces_of(windows.contexts[0], text.index("bad"), text.index("and the") - 1)
    labels = window_labels(windows, [(first, last)], is_impossible=[False])
    for row in range(len(windows)):
        held = range(windows.first_pieces[row], windows.first_pieces[row] + windows.lengths[row] - 1
                     - windows.first_places[row])
        if first in held and last in held:
            assert labels["start"][row] == first - held[0] + windows.first_places[row]
            assert labels["end"][row] - labels["start"][row] == last - first
        else:
            assert (labels["start"][row], labels["end"][row]) == (0, 0)
    assert 0 < np.count_nonzero(labels["start"]) < len(windows)
    assert not labels["impossible"].any()
    per_window = window_labels(windows, [(first, last)], is_impossible=[False], answerless_windows="impossible")
    np.testing.assert_array_equal(per_window["impossible"], labels["start"] == 0)


def test_a_question_without_an_answer_points_at_the_first_token_and_one_without_a_place_teaches_nothing():
    windows = encoded(["the film", "a plot", "scene"], ["good"] * 3)
    labels = window_labels(windows, [None, None, (0, 0)], is_impossible=[True, False, False])
    assert labels["start"].tolist() == [0, -1, 3] and labels["end"].tolist() == [0, -1, 3]
    assert labels["impossible"].tolist() == [1, 0, 0]
