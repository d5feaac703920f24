"""What the report says of the answers, against counting by hand."""

import numpy as np
import pytest

from electra_tf.tasks.report.answer_parts import answer_parts
from electra_tf.tasks.report.parts import Confusion, Histogram, Table
from electra_tf.tasks.report.wrong_examples import (
    most_confidently_wrong,
    text_of,
    wrong_decisions,
    wrong_examples_table,
)


def lines_of(pairs, **more):
    return [{"label": label, "prediction": prediction, **more} for label, prediction in pairs]


def test_labels_have_a_matrix_and_scores_of_each_class():
    matrix, table = answer_parts(lines_of([("b", "a"), ("a", "a"), ("b", "b"), ("b", "b"), ("c", "b")]))
    assert isinstance(matrix, Confusion) and matrix.labels == ("a", "b", "c")
    assert matrix.counts.tolist() == [[1, 0, 0], [1, 2, 0], [0, 1, 0]]
    assert table.header == ("class", "precision", "recall", "F1", "true", "predicted")
    assert [row[0] for row in table.rows] == ["a", "b", "c"]
    np.testing.assert_allclose([row[1:] for row in table.rows],
                               [[1 / 2, 1, 2 / 3, 1, 2], [2 / 3, 2 / 3, 2 / 3, 3, 3], [0, 0, 0, 1, 0]])


def test_whole_numbers_as_labels_stand_in_their_order():
    matrix, _ = answer_parts(lines_of([("10", "9"), ("9", "9")]))
    assert matrix.labels == ("9", "10")


def test_many_labels_have_their_commonest_confusions_instead_of_a_matrix():
    pairs = [(f"label {number:02}", f"label {number:02}") for number in range(20)]
    pairs += [("label 03", "label 07")] * 3 + [("label 01", "label 00")]
    confusions, scores = answer_parts(lines_of(pairs))
    assert confusions.rows == (("label 03", "label 07", 3), ("label 01", "label 00", 1))
    assert len(scores.rows) == 20


def test_numbers_have_histograms_of_scores_and_errors():
    scores, errors = answer_parts(lines_of([(1.0, 1.5), (4.0, 3.0)]))
    assert isinstance(scores, Histogram) and scores.values == {"true": [1.0, 4.0], "predicted": [1.5, 3.0]}
    assert list(errors.values["error"]) == [0.5, -1.0]


@pytest.mark.parametrize("span", [
    lambda start, end, kind: {"start": start, "end": end, "label": kind, "text": "x"},
    lambda start, end, kind: [start, end, kind], lambda start, end, kind: [kind, start, end]])
def test_entities_have_scores_of_each_type(span):
    lines = [{"label": [span(0, 3, "PER"), span(5, 9, "ORG")], "prediction": [span(0, 3, "PER"), span(5, 8, "ORG")]},
             {"label": [span(0, 2, "PER")], "prediction": []}, {"label": [], "prediction": [span(1, 2, "LOC")]}]
    (table,) = answer_parts(lines)
    assert table.header[0] == "type"
    assert [(row[0], row[4], row[5]) for row in table.rows] == [("LOC", 0, 1), ("ORG", 1, 1), ("PER", 2, 1)]
    np.testing.assert_allclose([row[1:4] for row in table.rows], [[0, 0, 0], [0, 0, 0], [1, 1 / 2, 2 / 3]])


def test_several_labels_have_scores_of_each():
    (table,) = answer_parts(lines_of([(["a", "b"], ["a"]), (["b"], ["b", "c"])]))
    assert [(row[0], row[1], row[2]) for row in table.rows] == [("a", 1, 1), ("b", 1, 1 / 2), ("c", 0, 0)]


def test_probabilities_of_labels_have_a_histogram_of_those_that_hold_and_the_others():
    histogram, table = answer_parts([
        {"label": ["a"], "prediction": ["a", "b"], "probabilities": {"a": 0.9, "b": 0.6}},
        {"label": [], "prediction": [], "probabilities": {"a": 0.2, "b": 0.1}}])
    assert histogram.values == {"labels that hold": [0.9], "labels that do not hold": [0.6, 0.2, 0.1]}
    assert histogram.as_shares and histogram.counted == "labels"
    assert [row[0] for row in table.rows] == ["a", "b"]


def test_labels_that_never_hold_leave_one_set_of_probabilities():
    histogram, _ = answer_parts([{"label": [], "prediction": [], "probabilities": {"a": 0.2}}])
    assert histogram.values == {"labels that do not hold": [0.2]}


def tagged(words, true, predicted, probabilities):
    """A line of predictions.jsonl, with spans of single words."""
    spans = [[{"type": tag[2:], "start": place, "end": place + 1} for place, tag in enumerate(tags) if tag != "O"]
             for tags in (true, predicted)]
    return {"text": " ".join(words), "words": words, "label": spans[0], "prediction": spans[1], "tags": true,
            "predicted_tags": predicted, "probabilities": probabilities}


def test_tagged_words_have_a_matrix_of_their_types():
    matrix, table = answer_parts([tagged(["EU", "in", "Bonn"], ["S-ORG", "O", "S-LOC"], ["S-LOC", "O", "S-LOC"],
                                         [0.8, 0.9, 0.7]),
                                  tagged(["so"], ["O"], ["S-ORG"], [0.6])])
    assert isinstance(matrix, Confusion) and matrix.counted == "words"
    assert matrix.labels == ("O", "LOC", "ORG")
    assert matrix.counts.tolist() == [[1, 0, 1], [0, 1, 0], [0, 1, 0]]
    assert [(row[0], row[4], row[5]) for row in table.rows] == [("LOC", 1, 2), ("ORG", 1, 1)]


def test_many_types_of_words_have_their_commonest_confusions():
    names = [f"S-{number:02}" for number in range(20)]
    confusions, _ = answer_parts([tagged(["a"] * 20, names, [names[1], *names[1:]], [0.5] * 20)])
    assert confusions.rows == (("00", "01", 1),)


def test_answers_in_words_have_their_f1():
    (part,) = answer_parts([{"label": ["Paris", "in Paris"], "prediction": "Paris", "f1": 1.0},
                            {"label": ["Rome"], "prediction": "", "f1": 0.0}])
    assert isinstance(part, Histogram) and part.values == {"examples": [1.0, 0.0]}


def test_answers_that_show_nothing_have_no_parts():
    assert answer_parts(lines_of([("a", "a")])) == ()


def test_the_surest_of_the_wrong_answers_come_first():
    lines = [{"label": "a", "prediction": "b", "probabilities": [0.3, 0.7], "text": "unsure"},
             {"label": "a", "prediction": "a", "probabilities": [0.99, 0.01], "text": "right"},
             {"label": "b", "prediction": "a", "probabilities": {"a": 0.9, "b": 0.1}, "text": ["first", "second"]},
             {"label": "b", "prediction": "a", "confidence": 0.8, "text": "between"}]
    assert [line["text"] for _, line in most_confidently_wrong(lines)] == [["first", "second"], "between", "unsure"]
    table = wrong_examples_table(lines, most=2)
    assert table.header == ("confidence", "true", "predicted", "text")
    assert table.rows == ((0.9, "b", "a", "first\nsecond"), (0.8, "b", "a", "between"))


def test_answers_without_confidence_are_shown_in_their_order():
    lines = [{"question": "who?", "context": "he", "label": ["he"], "prediction": "she", "exact_match": 0.0},
             {"question": "what?", "context": "it", "label": ["it"], "prediction": "It", "exact_match": 1.0},
             {"question": "when?", "context": "now", "label": ["now"], "prediction": "", "exact_match": 0.0}]
    assert wrong_examples_table(lines).rows == ((None, '["he"]', "she", "who?\nhe"),
                                                (None, '["now"]', "", "when?\nnow"))


def test_numbers_show_their_largest_errors():
    table = wrong_examples_table([{"label": 1.0, "prediction": 1.25, "text": "near"},
                                  {"label": 4.0, "prediction": 1.5, "text": "far"}, {"label": 2.0, "prediction": 2.0}])
    assert table.header[0] == "error" and table.caption == "The 2 largest errors."
    assert table.rows == ((2.5, "4", "1.5", "far"), (0.25, "1", "1.25", "near"))


def test_lists_without_probabilities_show_those_with_most_wrong_items():
    table = wrong_examples_table([{"label": ["a"], "prediction": ["a"], "text": "right"},
                                  {"label": ["a"], "prediction": ["b"], "text": "two"},
                                  {"label": ["a", "b"], "prediction": ["b", "a"], "text": "another order"},
                                  {"label": ["a", "b"], "prediction": ["a"], "text": "one"}])
    assert [(row[0], row[3]) for row in table.rows] == [(2, "two"), (1, "one")]


def test_several_labels_show_the_surest_wrong_decision_first():
    """A label that was missed with 0.98 before three that were added with 0.6."""
    lines = [{"label": [], "prediction": ["a", "b", "c"], "probabilities": {"a": 0.6, "b": 0.6, "c": 0.6}, "text": "3"},
             {"label": ["a", "b"], "prediction": ["a"], "probabilities": {"a": 0.99, "b": 0.02, "c": 0.4}, "text": "1"},
             {"label": ["c"], "prediction": ["c"], "probabilities": {"a": 0.0, "b": 0.0, "c": 1.0}, "text": "right"}]
    assert wrong_decisions(lines[1]) == [("b", 0.98)] and wrong_decisions(lines[2]) == []
    table = wrong_examples_table(lines)
    assert table.header[0] == "confidence" and table.caption == "The 2 wrong answers that the model was surest of."
    assert [(row[0], row[3]) for row in table.rows] == [(0.98, "1"), (0.6, "3")]


def test_tags_show_the_surest_wrong_word_first():
    lines = [tagged(["a", "b", "c"], ["S-X"] * 3, ["O"] * 3, [0.5, 0.55, 0.6]),
             tagged(["d", "e"], ["O", "S-X"], ["S-X", "S-X"], [0.9, 0.99]),
             tagged(["f"], ["S-X"], ["O"], [None])]
    assert wrong_decisions(lines[0]) == [(2, 0.6), (1, 0.55), (0, 0.5)]
    assert [(share, line["words"][0]) for share, line in most_confidently_wrong(lines)] == [
        (0.9, "d"), (0.6, "a"), (None, "f")]
    assert wrong_decisions({"label": "a", "prediction": "b", "probabilities": [0.1, 0.9]}) == []


def test_wrong_spans_are_shown_in_words_without_the_right_ones():
    line = tagged(["EU", "in", "Bonn"], ["S-ORG", "O", "S-LOC"], ["S-LOC", "O", "S-LOC"], [0.8, 0.9, 0.7])
    other = tagged(["so", "be", "it"], ["O", "O", "O"], ["S-A", "S-B", "O"], [0.5, 0.75, 0.9])
    assert wrong_examples_table([line, other]).rows == (
        (0.8, "EU (ORG)", "EU (LOC)", "EU in Bonn"), (0.75, "", "so (A)\nbe (B)", "so be it"))


def test_long_texts_are_cut():
    assert len(text_of({"text": "word " * 1000})) < 500 and text_of({"text": "word " * 1000}).endswith("\u2026")
    assert text_of({"tokens": ["EU", "rejects"], "label": []}) == text_of({"words": ["EU", "rejects"]}) == "EU rejects"
    assert isinstance(wrong_examples_table([{"label": "a", "prediction": "b"}]), Table)
