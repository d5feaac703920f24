"""Accuracy, macro-F1 and Matthews' coefficient against scikit-learn's values."""

import json

import numpy as np
import pytest
from matplotlib import image

from electra_tf.tasks.classification_scores import classification_scores
from electra_tf.tasks.confusion_picture import draw_confusion
from tests.oracles.shared import shared_path


def test_scores_of_several_labels_are_those_of_scikit_learn():
    cases = json.loads(shared_path("oracles/glue_metrics/glue_metrics.json").read_text())["multiclass"]
    assert len(cases) == 18
    for case in cases:
        scores = classification_scores(case["labels"], case["predictions"], num_labels=case["num_labels"])
        expected = {
            "accuracy": "accuracy", "macro_f1": "f1_macro", "matthews": "matthews", "micro_f1": "f1_micro",
            "macro_precision": "precision_macro", "macro_recall": "recall_macro", "weighted_f1": "f1_weighted"}
        assert scores.numbers() == pytest.approx(
            {ours: case[theirs]["value"] for ours, theirs in expected.items()}, abs=1e-9)
        for of_labels, name in ((scores.precision_of_labels, "precision"), (scores.recall_of_labels, "recall"),
                                (scores.f1_of_labels, "f1")):
            assert of_labels.tolist() == pytest.approx(case[f"{name}_per_class"]["value"], abs=1e-9)
        assert scores.confusion.tolist() == case["confusion_matrix"]


def test_scores_of_two_labels_are_those_of_scikit_learn():
    cases = json.loads(shared_path("oracles/glue_metrics/glue_metrics.json").read_text())["binary"]
    for case in [case for case in cases if case["labels"]]:
        scores = classification_scores(case["labels"], case["predictions"], num_labels=2)
        for name in ("accuracy", "matthews", "f1", "precision", "recall"):
            assert scores.numbers()[name] == pytest.approx(case[name]["value"], abs=1e-9), (case["name"], name)


def test_a_small_set_by_hand():
    scores = classification_scores([0, 0, 0, 1, 2], [0, 0, 1, 1, 1], num_labels=4)
    assert scores.accuracy == pytest.approx(3 / 5)
    assert scores.numbers()["macro_f1"] == pytest.approx((2 * 2 / 5 + 2 * 1 / 4 + 0 + 0) / 4)


@pytest.mark.parametrize("labels, predictions, is_constant", [
    ([0, 1, 2], [1, 1, 1], True), ([0, 1, 2], [1, 1, 0], False), ([1, 1, 1], [1, 1, 1], False)])
def test_a_constant_guess_is_recognised(labels, predictions, is_constant):
    assert classification_scores(labels, predictions, num_labels=3).is_constant is is_constant


@pytest.mark.parametrize("num_labels", [2, 25])
def test_the_picture_shows_the_matrix(tmp_path, num_labels):
    confusion = np.zeros((num_labels, num_labels), int)
    confusion[0, 1] = 7
    labels = [f"label {number}" for number in range(num_labels)]
    draw_confusion(confusion, labels, path=tmp_path / "a.png", title="validation")
    first = image.imread(tmp_path / "a.png")
    draw_confusion(confusion.T, labels, path=tmp_path / "b.png", title="validation")
    assert first.shape[0] > 200 and (first != image.imread(tmp_path / "b.png")).any()
