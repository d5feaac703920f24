"""What always giving one answer scores, by which a run that has learnt nothing is recognised."""

import types

import numpy as np
import pytest

from electra_tf.tasks.fine_tuning_task import Examples
from electra_tf.tasks.finetune import task_of
from electra_tf.tasks.options import MultiLabel, MultipleChoice, Regression, TextClassification, TokenClassification

CHOICE = task_of(MultipleChoice(("text",), ("x", "y", "z"), "label"))
LABELS = task_of(MultiLabel(("text",), "label"))


def examples(labels):
    return Examples(None, np.array(labels), None)


def test_of_endings_it_is_the_commonest_place():
    assert CHOICE.majority_level(examples([2, 2, 0, 1, 2]), "accuracy") == pytest.approx(0.6)


def test_of_several_labels_it_is_the_commonest_set():
    table = [[1, 0, 1], [1, 0, 1], [0, 1, 0]]  # two thirds of the sets; hits 4 of 6 named and of 5 true
    assert LABELS.majority_level(examples(table), "subset_accuracy") == pytest.approx(2 / 3)
    assert LABELS.majority_level(examples(table), "micro_f1") == pytest.approx(2 * 4 / (6 + 5))
    assert LABELS.majority_level(examples([[0, 0], [0, 0], [1, 0]]), "micro_f1") == 0


def test_of_scores_it_is_no_correlation():
    assert task_of(Regression(("text",), "label")).majority_level(examples([1.0, 2.0]), "spearman") == 0


@pytest.mark.parametrize("scheme, lines, metric, level", [
    ("auto", "A B-PER|b O|c O||d O", "f1", 0), ("auto", "A B-PER|b O|c O||d O", "accuracy", 0.75),
    ("plain", "a N|b V|c N||d N", "accuracy", 0.75)])
def test_of_tags_it_is_o_or_the_commonest_plain_tag(tmp_path, scheme, lines, metric, level):
    (tmp_path / "dev.txt").write_text(lines.replace("|", "\n") + "\n")
    options = TokenClassification(token_column=0, tag_column=1, **({"scheme": scheme} if scheme == "plain" else {}))
    rows = task_of(options).read(tmp_path / "dev.txt")
    assert task_of(options).majority_level(Examples(None, None, rows), metric) == pytest.approx(level)


@pytest.mark.parametrize("metric, level", [
    ("accuracy", 0.75), ("macro_f1", 2 * 3 / (3 + 4) / 3), ("macro_recall", 1 / 3)])
def test_of_labels_it_is_the_commonest_one_and_a_label_that_is_missing_counts_as_in_the_scores(metric, level):
    task = task_of(TextClassification(("text",), "label"))
    model = types.SimpleNamespace(labels=("a", "b", "rare"), encode=list,
                                  predict_encoded=lambda texts, verbose: np.eye(3)[[1] * len(texts)])
    rows = types.SimpleNamespace(texts=["x"] * 4, labels=["b", "a", "b", "b"], where=str)
    scored = task.examples(model, rows)
    assert task.majority_level(scored, metric) == pytest.approx(level)
    assert task.scores(model, scored).numbers()[metric] == pytest.approx(level)  # of a model that always answers b
