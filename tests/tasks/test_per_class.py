"""Precision, recall and F1 of each class, from answers in words, against scikit-learn's values."""

import json
import types

import numpy as np
import pytest

from electra_tf.tasks.per_class import per_class
from tests.oracles.shared import shared_path

SCORES = ("precision", "recall", "f1")


def oracle(kind):
    return json.loads(shared_path("oracles/glue_metrics/glue_metrics.json").read_text())[kind]


def model_of(count):
    return types.SimpleNamespace(labels=tuple(f"label {place}" for place in range(count)))


def test_scores_of_each_class_are_those_of_scikit_learn():
    cases = oracle("multiclass")
    assert len(cases) == 18
    for case in cases:
        model = model_of(case["num_labels"])
        lines = [{"label": model.labels[true], "prediction": model.labels[answer]}
                 for true, answer in zip(case["labels"], case["predictions"], strict=True)]
        found = json.loads(json.dumps(per_class("text_classification", lines, model)))
        assert tuple(found) == model.labels
        for name in SCORES:
            assert [scores[name] for scores in found.values()] == pytest.approx(
                case[f"{name}_per_class"]["value"], abs=1e-9), (case["name"], name)
        assert [scores["support"] for scores in found.values()] == [
            case["labels"].count(place) for place in range(case["num_labels"])]


def test_scores_of_each_of_several_labels_are_those_of_scikit_learn():
    for case in oracle("multilabel"):
        true, answers = (np.array(case[key], bool) for key in ("labels", "predictions"))
        model = model_of(true.shape[1])
        lines = [{"label": list(np.array(model.labels)[one]), "prediction": list(np.array(model.labels)[other])}
                 for one, other in zip(true, answers, strict=True)]
        found = per_class("multi_label", lines, model)
        for name in SCORES:
            assert [scores[name] for scores in found.values()] == pytest.approx(
                case[f"{name}_per_label"]["value"], abs=1e-9), (case["name"], name)
        assert [scores["support"] for scores in found.values()] == true.sum(axis=0).tolist()


def test_types_of_spans_are_counted_whole():
    def span(kind, start, end):
        return {"type": kind, "start": start, "end": end}
    lines = [{"label": [span("PER", 0, 2), span("LOC", 3, 4)], "prediction": [span("PER", 0, 1), span("LOC", 3, 4)]},
             {"label": [span("LOC", 3, 4)], "prediction": [span("ORG", 3, 4)]}]
    assert per_class("token_classification", lines, None) == {
        "LOC": {"precision": 1.0, "recall": 0.5, "f1": pytest.approx(2 / 3), "support": 2},
        "ORG": {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 0},
        "PER": {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 1}}


@pytest.mark.parametrize("task", ["regression", "question_answering", "multiple_choice"])
def test_other_tasks_have_no_classes(task):
    assert per_class(task, [{"label": 1.0, "prediction": 2.0}], None) is None
