"""Labels by name outside, by number inside."""

import numpy as np
import pytest

from electra_tf.errors import InputError
from electra_tf.tasks.labels import label_names, label_numbers


def test_names_are_sorted_numbers_by_value():
    assert label_names(["pos", "neg", "pos", "Zero"]) == ("Zero", "neg", "pos")
    assert label_names(["10", "9", "-1", "9"]) == ("-1", "9", "10")
    assert label_names(["10", "9", "x"]) == ("10", "9", "x")


@pytest.mark.parametrize("values, message", [
    (["a", "a"], "train.tsv: the labels are all a; a classifier needs two or more"),
    ([], "train.tsv: the labels are all missing"),
    (["a", "", "b", ""], "train.tsv, line 1: the label is empty; every training example needs one"),
])
def test_labels_that_cannot_be_learned_are_refused(values, message):
    with pytest.raises(InputError, match=message):
        label_names(values, source="train.tsv", where="train.tsv, line {}".format)


def test_a_label_is_given_by_name_or_by_place():
    names = ("neg", "pos", "other")
    for values in (["pos", "neg", "other"], [1, 0, 2], np.array([1, 0, 2]), [b"pos", 0, np.int64(2)]):
        assert label_numbers(values, names).tolist() == [1, 0, 2]
    assert label_numbers([], names).tolist() == []


def test_names_that_are_numbers_are_never_taken_for_places():
    assert label_numbers([1, 4, "2"], ("1", "2", "3", "4")).tolist() == [0, 3, 1]
    with pytest.raises(InputError, match="labels, example 0: label 0 is unknown; expected one of 1, 2, 3, 4"):
        label_numbers([0], ("1", "2", "3", "4"))


@pytest.mark.parametrize("value", ["Pos", 2, -1, None, 0.5])
def test_an_unknown_label_is_named_with_its_place(value):
    with pytest.raises(InputError, match=r"dev.tsv, example 1: label .* is unknown; expected one of neg, pos"):
        label_numbers(["neg", value], ("neg", "pos"), where="dev.tsv, example {}".format)
