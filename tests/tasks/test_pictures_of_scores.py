"""Names of labels stand in the pictures of scores as they are, also where matplotlib would read a formula."""

import numpy as np
import pytest

from electra_tf.tasks.classification_scores import classification_scores
from electra_tf.tasks.classification_task import ClassificationTask
from electra_tf.tasks.multi_label_scores import MultiLabelScores
from electra_tf.tasks.multi_label_task import MultiLabelTask
from electra_tf.tasks.options import MultiLabel, Regression, TextClassification
from electra_tf.tasks.regression_scores import RegressionScores
from electra_tf.tasks.regression_task import RegressionTask

PRICES = ("$", "$$", "$5_$10")


class Model:
    labels, score_range = PRICES, (0, 1)


CASES = {
    "labels": (ClassificationTask(TextClassification(("text",), "label")),
               classification_scores([0, 1, 2], [0, 1, 1], num_labels=3)),
    "several labels": (MultiLabelTask(MultiLabel(("text",), "label")),
                       MultiLabelScores(np.eye(3, dtype=int), np.eye(3, dtype=int))),
    "scores": (RegressionTask(Regression(("text",), "label")), RegressionScores(np.arange(3.0), np.arange(3.0)))}


@pytest.mark.parametrize("name", CASES)
def test_dollars_are_no_formula(tmp_path, name):
    task, scores = CASES[name]
    task.draw(scores, Model(), path=tmp_path / "scores.png", title="$$.tsv, accuracy 1.000")
    assert (tmp_path / "scores.png").read_bytes().startswith(b"\x89PNG")
