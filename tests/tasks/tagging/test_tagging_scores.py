"""Entity scores: equal to seqeval's, by type and in all three means."""

import functools
import json
import math

import pytest

from electra_tf.tasks.tagging.tag_schemes import spans_of, strict_spans_of
from electra_tf.tasks.tagging.tagging_scores import METRICS, span_scores, tagging_scores
from tests.oracles.shared import shared_path

OUR_NAME = {"IOB1": "IOB1", "IOB2": "IOB2", "IOBES": "BIOES"}
MEANS = ("micro", "macro", "weighted")


@functools.cache
def cases():
    return json.loads(shared_path("oracles/seqeval/seqeval.json").read_text(encoding="utf-8"))["cases"]


def assert_equal(scores, expected):
    by_type, *means = scores
    report = expected["report"]
    for name, ours in [*by_type.items(), *((f"{mean} avg", scores) for mean, scores in zip(MEANS, means, strict=True))]:
        theirs = [report[name][key] for key in ("precision", "recall", "f1-score", "support")]
        # The mean over no type at all is undefined there and 0 here.
        theirs = [0.0 if math.isnan(value) else value for value in theirs]
        assert [ours.precision, ours.recall, ours.f1, ours.support] == pytest.approx(theirs, abs=1e-9), name
    assert len(by_type) == len(report) - len(MEANS)


def test_scores_are_those_of_seqevals_default_mode():
    assert len(cases()) > 100
    for case in cases():
        scores = tagging_scores(case["y_true"], case["y_pred"], scheme="IOB2")
        assert_equal((scores.by_type, scores.micro, scores.macro, scores.weighted), case["default"])
        assert scores.accuracy == pytest.approx(case["accuracy"], abs=1e-9)


@pytest.mark.parametrize("scheme", OUR_NAME)
def test_scores_are_those_of_seqevals_strict_mode(scheme):
    compared = 0
    for case in cases():
        if case["scheme"] == scheme and "error" not in case["strict"]:
            true, predicted = ([strict_spans_of(tags, OUR_NAME[scheme]) for tags in case[side]]
                               for side in ("y_true", "y_pred"))
            assert_equal(span_scores(true, predicted), case["strict"])
            compared += 1
    assert compared >= 18


def test_without_a_scheme_each_word_is_a_span():
    scores = tagging_scores([["NOUN", "VERB"], ["NOUN"]], [["NOUN", "NOUN"], ["NOUN"]], scheme="plain")
    assert scores.micro.f1 == scores.accuracy == pytest.approx(2 / 3)
    assert scores.by_type["NOUN"].precision == pytest.approx(2 / 3) and scores.by_type["VERB"].f1 == 0


def test_one_tag_for_all_words_is_a_constant_guess():
    true = [["O", "B-PER"], ["O"]]
    assert tagging_scores(true, [["O", "O"], ["O"]], scheme="IOB2").is_constant
    assert not tagging_scores(true, true, scheme="IOB2").is_constant
    assert not tagging_scores([["O"]], [["O"]], scheme="IOB2").is_constant


def test_every_metric_has_a_number_and_a_name():
    scores = tagging_scores([["B-PER", "O", "B-LOC"]], [["B-PER", "B-LOC", "O"]], scheme="IOB2")
    assert tuple(scores.numbers()) == METRICS
    assert list(scores.numbers().values()) == pytest.approx([0.5, 0.5, 0.5, 0.5, 0.5, 1 / 3])
    assert len(spans_of(["B-PER", "O", "B-LOC"])) == scores.micro.support
