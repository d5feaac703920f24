"""Decoding: never an ill-formed span, and the likeliest of all sequences that are well formed."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from electra_tf.tasks.tagging.tag_decoding import TagDecoder
from electra_tf.tasks.tagging.tag_schemes import (
    SPAN_SCHEMES,
    labels_of,
    misplaced_tags,
    spans_of,
    strict_spans_of,
    tags_of,
)


def random_scores(words, tags, seed):
    scores = np.random.default_rng(seed).normal(0, 3, [words, tags])
    return scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))


@pytest.mark.parametrize("scheme", SPAN_SCHEMES)
@given(words=st.integers(0, 30), seed=st.integers(0, 10**6))
def test_no_span_is_ever_ill_formed(scheme, words, seed):
    labels = labels_of(["PER", "LOC"], scheme)
    tags = [labels[tag] for tag in TagDecoder(labels, scheme)(random_scores(words, len(labels), seed))]
    assert len(tags) == words and misplaced_tags(tags, scheme) == []
    assert strict_spans_of(tags, scheme) == spans_of(tags) and tags_of(spans_of(tags), words, scheme) == tags


@pytest.mark.parametrize("scheme", SPAN_SCHEMES)
@pytest.mark.parametrize("seed", range(20))
def test_the_sequence_is_the_likeliest_of_the_allowed_ones(scheme, seed):
    labels = labels_of(["PER", "LOC"], scheme)
    words = 1 + seed % 4
    scores = random_scores(words, len(labels), seed)
    allowed = [path for path in itertools.product(range(len(labels)), repeat=words)
               if not misplaced_tags([labels[tag] for tag in path], scheme)]
    best = max(allowed, key=lambda path: sum(scores[word, tag] for word, tag in enumerate(path)))
    assert tuple(TagDecoder(labels, scheme)(scores)) == best


def test_labels_without_a_scheme_are_taken_one_by_one():
    scores = random_scores(50, 4, 1)
    np.testing.assert_array_equal(TagDecoder(("A", "B", "C", "D"), "plain")(scores), scores.argmax(axis=1))


def test_a_model_that_can_write_no_whole_span_still_answers():
    assert list(TagDecoder(("B-PER", "I-PER"), "BIOES")(np.log([[0.9, 0.1], [0.3, 0.7]]))) == [0, 1]
