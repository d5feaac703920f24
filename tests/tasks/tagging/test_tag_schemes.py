"""Tags and spans: equal to seqeval's in both of its modes, and one way there and back."""

import functools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from electra_tf.errors import InputError
from electra_tf.tasks.tagging.tag_schemes import (
    SPAN_SCHEMES,
    Span,
    can_follow,
    from_bmes,
    labels_of,
    misplaced_tags,
    odd_tag,
    scheme_of,
    scheme_of_labels,
    spans_of,
    strict_spans_of,
    tags_of,
)
from tests.oracles.shared import shared_path

SEQEVALS_NAME = {"BIOES": "IOBES"}


@functools.cache
def sequences():
    return json.loads(shared_path("oracles/seqeval/seqeval.json").read_text(encoding="utf-8"))["sequences"]


@st.composite
def sentences_of_spans(draw):
    """(spans, length), side by side in any way."""
    spans, place = [], 0
    for gap, length, span_type in draw(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 4),
                                                          st.sampled_from(["PER", "LOC", "A-B"])), max_size=6)):
        spans.append(Span(span_type, place + gap, place + gap + length))
        place += gap + length
    return spans, place + draw(st.integers(0, 2))


def test_spans_are_those_of_seqevals_default_mode():
    assert len(sequences()) > 400
    for case in sequences():
        expected = [(name, first, last + 1) for name, first, last in case["default"]]
        assert [tuple(span) for span in spans_of(case["tags"])] == expected, case["tags"]


@pytest.mark.parametrize("scheme", SPAN_SCHEMES)
def test_strict_spans_are_those_of_seqevals_strict_mode(scheme):
    refused = 0
    for case in sequences():
        expected = case["strict"][SEQEVALS_NAME.get(scheme, scheme)]
        if isinstance(expected, str):
            refused += 1
            with pytest.raises(InputError, match=f"is not of the scheme {scheme}, whose prefixes are"):
                strict_spans_of(case["tags"], scheme)
        else:
            assert [list(span) for span in strict_spans_of(case["tags"], scheme)] == expected, case["tags"]
    assert 0 < refused < len(sequences())


@pytest.mark.parametrize("scheme", SPAN_SCHEMES)
@given(sentence=sentences_of_spans())
def test_spans_survive_the_way_through_tags(scheme, sentence):
    spans, length = sentence
    tags = tags_of(spans, length, scheme)
    assert len(tags) == length and misplaced_tags(tags, scheme) == []
    assert spans_of(tags) == strict_spans_of(tags, scheme) == spans


@pytest.mark.parametrize("scheme", SPAN_SCHEMES)
@given(data=st.data())
def test_tags_that_may_follow_each_other_mean_the_same_in_both_modes(scheme, data):
    tags = data.draw(st.lists(st.sampled_from(labels_of(["PER", "LOC"], scheme)), max_size=6))
    if misplaced_tags(tags, scheme):
        # Something would be lost: the spans, written again, are other tags.
        assert tags_of(spans_of(tags), len(tags), scheme) != tags
    else:
        assert tags_of(spans_of(tags), len(tags), scheme) == tags
        assert spans_of(tags) == strict_spans_of(tags, scheme)


def test_the_same_spans_in_each_scheme():
    spans = [Span("PER", 0, 2), Span("PER", 2, 3), Span("LOC", 3, 6)]
    assert tags_of(spans, 7, "IOB1") == ["I-PER", "I-PER", "B-PER", "I-LOC", "I-LOC", "I-LOC", "O"]
    assert tags_of(spans, 7, "IOB2") == ["B-PER", "I-PER", "B-PER", "B-LOC", "I-LOC", "I-LOC", "O"]
    assert tags_of(spans, 7, "BIOES") == ["B-PER", "E-PER", "S-PER", "B-LOC", "I-LOC", "E-LOC", "O"]


@pytest.mark.parametrize("spans", [[Span("A", 0, 2), Span("B", 1, 3)], [Span("A", 2, 4)], [Span("A", 1, 1)]])
def test_spans_that_overlap_or_leave_the_sentence_are_refused(spans):
    with pytest.raises(InputError, match="overlaps another or leaves its sentence of 3 words"):
        tags_of(spans, 3, "IOB2")


def test_a_misplaced_tag_is_placed():
    assert misplaced_tags(["O", "I-PER", "I-LOC", "B-LOC"], "IOB2") == [1, 2]
    assert misplaced_tags(["B-LOC", "I-PER", "B-PER", "B-LOC"], "IOB1") == [0, 3]
    assert misplaced_tags(["S-LOC", "E-PER", "B-PER"], "BIOES") == [1, 3]
    assert can_follow("VERB", None, "plain") and not can_follow("B-PER", "O", "BIOES")


@pytest.mark.parametrize(("sentences", "scheme"), [
    ([["O", "B-PER", "I-PER"], ["B-LOC", "B-LOC"]], "IOB2"),
    ([["O", "I-PER", "I-PER"], ["I-LOC", "B-LOC"]], "IOB1"),
    # One tag in the wrong place does not make another scheme.
    ([["B-PER", "O", "I-LOC"], ["B-PER", "O"]], "IOB2"),
    ([["O", "B-PER", "E-PER"], ["S-LOC"]], "BIOES"),
    ([["NOUN", "VERB"]], "plain"),
    ([["O", "O"]], "plain"),
    ([["-LRB-", "O", "B-PER"]], "plain"),
])
def test_the_scheme_of_a_file_is_the_one_that_its_tags_break_least(sentences, scheme):
    assert scheme_of(sentences) == scheme


@pytest.mark.parametrize(("sentences", "place"), [
    ([["O", "B-PER", "I-PER"], ["0", "O"]], (1, 0)),
    ([["b-PER", "O", "B-PER"]], (0, 0)),
    ([["O", "B-PER", "I"]], (0, 2)),
    ([["B-PER", "M-PER", "O"], ["O", "e-PER", "M-PER"]], (1, 1)),
    ([["B-PER", "M-PER", "I-PER", "O"]], (0, 1)),
    ([["O", "O", "U-PER"], ["B-LOC", "l-LOC"]], (0, 2)),
    # Prefixes without a type.
    ([["O", "O"], ["B", "I"]], (1, 0)),
    ([["S", "B", "M", "E"]], (0, 0)),
])
def test_a_tag_that_stands_out_in_a_file_of_spans_is_found(sentences, place):
    assert odd_tag(sentences) == place


@pytest.mark.parametrize("sentences", [
    [["O", "B-PER", "S-PER"]], [["O", "O"]], [["NOUN", "VERB"]], [["O", "PER", "O"]], [["B", "NOUN", "I"]],
    [["B-PER", "NOUN"]], [["B-PER", "M-PER", "E-PER"]]])
def test_no_tag_stands_out_where_all_are_of_spans_or_most_stand_for_themselves(sentences):
    assert odd_tag(sentences) is None


def test_bmes_is_bioes_with_another_letter():
    assert from_bmes([["B-ORG", "M-ORG", "E-ORG"], ["O", "S-M-N"]]) == [["B-ORG", "I-ORG", "E-ORG"], ["O", "S-M-N"]]
    for others in ([["B-ORG", "M-ORG", "I-ORG"]], [["M-fs", "N-fs"]], [["O", "B-M"]], [["O"]]):
        assert from_bmes(others) == others


def test_the_scheme_of_labels():
    assert scheme_of_labels(labels_of(["PER"], "IOB2")) == "IOB2"
    assert scheme_of_labels(["O", "I-PER", "I-LOC", "B-LOC"]) == "IOB1"
    assert scheme_of_labels(["LABEL_0", "LABEL_1"]) == "plain"


def test_bilou_is_refused_with_what_to_write():
    with pytest.raises(InputError, match="the scheme BILOU; write S- for U- and E- for L-"):
        scheme_of([["O", "U-PER"], ["B-LOC", "L-LOC"]])
