"""Scores of several labels against scikit-learn's values."""

import json
import math

import numpy as np
import pytest

from electra_tf.tasks.multi_label_scores import MultiLabelScores, average_precision, roc_auc
from tests.oracles.shared import shared_path

THEIRS = {
    "micro_f1": "f1_micro", "macro_f1": "f1_macro", "weighted_f1": "f1_weighted", "samples_f1": "f1_samples",
    "subset_accuracy": "subset_accuracy", "micro_precision": "precision_micro", "micro_recall": "recall_micro",
    "macro_precision": "precision_macro", "macro_recall": "recall_macro", "hamming_loss": "hamming_loss"}


def cases():
    found = json.loads(shared_path("oracles/glue_metrics/glue_metrics.json").read_text())["multilabel"]
    assert len(found) == 12
    return [(case, np.array(case["labels"], bool), np.array(case["scores"])) for case in found]


def test_scores_are_those_of_scikit_learn():
    for case, labels, probabilities in cases():
        scores = MultiLabelScores(labels, probabilities)
        assert scores.answers.astype(int).tolist() == case["predictions"]
        for ours, value in scores.numbers().items():
            assert value == pytest.approx(case[THEIRS[ours]]["value"], abs=1e-9), (case["name"], ours)
        for values, name in zip(scores.precision_recall_f1(0), ("precision", "recall", "f1"), strict=True):
            assert values.tolist() == pytest.approx(case[f"{name}_per_label"]["value"], abs=1e-9), case["name"]


@pytest.mark.parametrize("function, name", [(roc_auc, "roc_auc"), (average_precision, "average_precision")])
def test_areas_of_each_label_are_those_of_scikit_learn(function, name):
    compared = 0
    for case, labels, probabilities in cases():
        expected = case[f"{name}_per_label"]
        if "error" in expected:
            continue
        for place, value in enumerate(expected["value"]):
            found, value = function(labels[:, place], probabilities[:, place]), float(value)
            assert (math.isnan(found) and math.isnan(value)) or found == pytest.approx(value, abs=1e-9), case["name"]
            compared += 1
    assert compared > 20


def test_a_constant_answer_is_recognised():
    labels = np.array([[True, False], [False, False]])
    assert MultiLabelScores(labels, np.array([[0.1, 0.2], [0.3, 0.4]])).is_constant
    assert not MultiLabelScores(labels, np.array([[0.6, 0.2], [0.3, 0.4]])).is_constant
