"""Folds deal every row once, and every label evenly."""

import collections

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from electra_tf.errors import InputError
from electra_tf.tasks.statistics.folds import fold_of_groups, fold_of_rows


@settings(max_examples=60)
@given(counts=st.lists(st.integers(2, 17), min_size=1, max_size=5), folds=st.integers(2, 7), seed=st.integers(0, 99))
def test_folds_are_equal_in_size_and_in_labels(counts, folds, seed):
    labels = [name for name, count in zip("abcde", counts) for _ in range(count)]
    np.random.default_rng(seed).shuffle(labels)
    if len(labels) < folds:
        return
    fold = fold_of_rows(labels, folds=folds, seed=seed)
    sizes = np.bincount(fold, minlength=folds)
    assert sizes.sum() == len(labels) and sizes.max() - sizes.min() <= 1
    for name in set(labels):
        of_label = collections.Counter(fold[np.array(labels) == name].tolist())
        each = [of_label.get(number, 0) for number in range(folds)]
        assert max(each) - min(each) <= 1
        # Whatever is validated can be trained on.
        assert all(sum(each) - validated > 0 for validated in each)


def test_folds_follow_the_seed():
    labels = ["a", "b"] * 20
    assert (fold_of_rows(labels, folds=4, seed=1) == fold_of_rows(labels, folds=4, seed=1)).all()
    assert (fold_of_rows(labels, folds=4, seed=1) != fold_of_rows(labels, folds=4, seed=2)).any()


def test_rows_of_one_label_are_dealt_at_random():
    """Not by their place in the file: over seeds, each row is in each fold about equally often."""
    folds = np.array([fold_of_rows(["a"] * 6 + ["b"] * 6, folds=3, seed=seed) for seed in range(600)])
    shares = np.array([(folds == number).mean(axis=0) for number in range(3)])
    assert abs(shares - 1 / 3).max() < 0.08


def test_labels_that_are_no_classes_are_dealt_without_them():
    fold = fold_of_rows([0.1, 0.7, 0.3, 0.9], folds=2, is_stratified=False)
    assert sorted(fold) == [0, 0, 1, 1]


@pytest.mark.parametrize(("labels", "folds", "words"), [
    (["a", "a"], 1, "folds=1 must be 2 or more"),
    (["a", "a"], 3, "folds=3 needs as many rows, and there are 2"),
    (["a", "a", "b", "a"], 2, "b is the label of one row alone"),
])
def test_what_cannot_be_dealt_is_refused(labels, folds, words):
    with pytest.raises(InputError, match=words):
        fold_of_rows(labels, folds=folds)


@settings(max_examples=60)
@given(sizes=st.lists(st.integers(1, 9), min_size=2, max_size=12), folds=st.integers(2, 7), seed=st.integers(0, 99))
def test_groups_stay_together_in_folds_of_about_equal_size(sizes, folds, seed):
    groups = [f"text {number}" for number, size in enumerate(sizes) for _ in range(size)]
    np.random.default_rng(seed).shuffle(groups)
    if len(sizes) < folds:
        return
    fold = fold_of_groups(groups, folds=folds, seed=seed)
    assert len(set(zip(groups, fold.tolist()))) == len(sizes)
    rows = np.bincount(fold, minlength=folds)
    assert rows.min() > 0 and rows.max() - rows.min() <= max(sizes)


def test_groups_of_one_size_are_dealt_at_random():
    folds = np.array([fold_of_groups(list("aabbccddeeff"), folds=3, seed=seed) for seed in range(600)])
    shares = np.array([(folds == number).mean(axis=0) for number in range(3)])
    assert abs(shares - 1 / 3).max() < 0.08


def test_fewer_groups_than_folds_are_refused():
    with pytest.raises(InputError, match="folds=3 needs as many texts or other groups .*, and there are 2; give fewer"):
        fold_of_groups(["a", "b", "a", "a"], folds=3)
