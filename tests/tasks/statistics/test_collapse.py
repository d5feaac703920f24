"""Collapsed trials are recognised; those that learn are left alone."""

import numpy as np
import pytest

from electra_tf.tasks.classification_scores import METRICS, classification_scores
from electra_tf.tasks.statistics.collapse import CONSTANT, MAJORITY, collapse_of, is_hopeless, majority_level

LABELS = np.array([0, 1, 1, 1, 2, 2])


@pytest.mark.parametrize(("metric", "level"), [
    ("accuracy", 3 / 6),             # always 1
    ("macro_f1", (2 * 3 / 9) / 3),   # always 1: F1 of label 1 is 2 x 3 / (3 + 6), of the others 0
    ("matthews", 0.0),
])
def test_the_majority_level_is_that_of_the_best_constant_answer(metric, level):
    assert majority_level(LABELS, num_labels=3, metric=metric) == pytest.approx(level)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(("answers", "expected"), [
    ([1, 1, 1, 1, 1, 1], CONSTANT),
    ([0, 1, 1, 1, 2, 0], None),
    ([1, 2, 2, 0, 0, 0], MAJORITY),
])
def test_a_collapsed_model_is_told_from_one_that_has_learnt(metric, answers, expected):
    scores = classification_scores(LABELS, answers, num_labels=3)
    level = majority_level(LABELS, num_labels=3, metric=metric)
    assert collapse_of(scores, metric=metric, majority_level=level) == expected


def test_recall_which_a_constant_answer_makes_perfect_shows_no_collapse():
    labels = np.array([0, 0, 0, 1, 1])
    level = majority_level(labels, num_labels=2, metric="recall")
    scores = classification_scores(labels, [0, 0, 1, 1, 0], num_labels=2)
    assert level is None and collapse_of(scores, metric="recall", majority_level=level) is None
    dead = classification_scores(labels, [1] * 5, num_labels=2)
    assert dead.numbers()["recall"] == 1 and collapse_of(dead, metric="recall", majority_level=level) == CONSTANT
    # Always 1: precision 2/5, recall 1.
    assert majority_level(labels, num_labels=2, metric="f1") == pytest.approx(4 / 7)


def test_a_score_as_good_as_the_majority_share_shows_nothing_learnt():
    scores = classification_scores(LABELS, [2, 0, 1, 1, 0, 2], num_labels=3)
    assert scores.accuracy == 3 / 6
    assert collapse_of(scores, metric="accuracy", majority_level=0.5) == MAJORITY
    assert collapse_of(scores, metric="accuracy", majority_level=0.49) is None


def test_without_a_majority_level_only_constant_answers_are_collapsed():
    wrong = classification_scores(LABELS, [1, 2, 2, 0, 0, 0], num_labels=3)
    constant = classification_scores(LABELS, [0] * 6, num_labels=3)
    assert collapse_of(wrong, metric="accuracy") is None
    assert collapse_of(constant, metric="accuracy") == CONSTANT


@pytest.mark.parametrize(("changes", "expected"), [
    ({}, True),
    ({"collapses": [CONSTANT, None, CONSTANT]}, False),         # it had learnt something in between
    ({"collapses": []}, False),                                 # nothing is known yet
    ({"step": 149}, False),                                     # not yet halfway
    ({"step": 60, "train_steps": 80}, False),                   # too few updates to judge
    ({"loss": 0.6}, False),                                     # the loss falls: the answers may follow
    ({"loss": 0.69}, True),                                     # within the noise of a guess
    ({"loss": 0.6, "guess_loss": None}, True),
])
def test_a_running_trial_is_given_up_only_when_everything_says_so(changes, expected):
    usual = {"collapses": [CONSTANT, MAJORITY], "step": 150, "train_steps": 300, "loss": 0.7, "guess_loss": 0.693}
    assert is_hopeless(**{**usual, **changes}) is expected
