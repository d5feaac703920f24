"""Metrics as a paired test needs them: a few numbers for each example, and the score of any set of such rows."""

import dataclasses
import json
from collections.abc import Callable

import numpy as np

from electra_tf.errors import InputError
from electra_tf.files import some_names
from electra_tf.tasks.classification_scores import METRICS as _LABEL_METRICS
from electra_tf.tasks.classification_scores import classification_scores

MICRO_F1 = "micro_f1"


@dataclasses.dataclass(frozen=True)
class PairedMetric:
    """A metric of two runs on the same examples.

    Attributes:
        first, second: arrays [examples, trials, ...]: what the score needs of each example.
        score_of_trial: function of an array [examples, ...] that returns a float.
    """

    first: np.ndarray
    second: np.ndarray
    score_of_trial: Callable

    def scores(self, rows):
        """The score of each trial, list of float; `rows` are `first`, `second`, or any examples of them."""
        return [self.score_of_trial(rows[:, trial]) for trial in range(rows.shape[1])]

    def score(self, rows):
        """The mean of the trials' scores."""
        return float(np.mean(self.scores(rows)))


def paired_metric(metric, first, second):
    """The rows and the score of a metric.

    Args:
        metric: "accuracy"; "macro_f1" or "matthews", for labels and predictions that are names or numbers;
            "micro_f1", where both are lists (the labels of an example, the entities of a sentence); or the name of a
            number that each prediction has (such as "exact_match" or "f1"), whose mean is taken.
        first, second: the trials of two runs on the same examples: lists of lists of dicts with "label" and
            "prediction".

    Returns:
        PairedMetric.

    Raises:
        InputError: the predictions have nothing of that name.

    >>> paired_metric("accuracy", first.trials, second.trials).scores(rows)   # [0.75, 0.77]
    """
    every = [line for trials in (first, second) for lines in trials for line in lines]
    are_lists = all(isinstance(line[key], list) for line in every for key in ("label", "prediction"))
    if metric == "accuracy":
        return _paired(first, second, lambda line: float(_text(line["label"]) == _text(line["prediction"])), np.mean)
    if metric in _LABEL_METRICS and not are_lists:
        names = sorted({_text(line[key]) for line in every for key in ("label", "prediction")})
        places = {name: place for place, name in enumerate(names)}
        return _paired(first, second, lambda line: [places[_text(line["label"])], places[_text(line["prediction"])]],
                       lambda rows: classification_scores(*rows.T, num_labels=len(names)).numbers()[metric])
    if metric == MICRO_F1 and are_lists:
        return _paired(first, second, _set_counts, _f1_of_counts)
    if all(_is_number(line.get(metric)) for line in every):
        return _paired(first, second, lambda line: float(line[metric]), np.mean)
    numbers = [name for name, value in every[0].items() if _is_number(value)]
    raise InputError(f"metric={metric!r} cannot be taken from these predictions; choose one of "
                     f"{some_names([*_LABEL_METRICS, MICRO_F1, *numbers], most=20)}, or another number that each of "
                     f"them has.")


def _paired(first, second, row_of, score):
    return PairedMetric(*(np.stack([np.array([row_of(line) for line in lines]) for lines in trials], axis=1)
                          for trials in (first, second)), score)


def _set_counts(line):
    """Items in both, items predicted, true items."""
    true, predicted = ({_text(item) for item in line[key]} for key in ("label", "prediction"))
    return [len(true & predicted), len(predicted), len(true)]


def _f1_of_counts(rows):
    hits, predicted, true = rows.sum(axis=0)
    return float(2 * hits / (predicted + true)) if predicted + true else 0.0


def _is_number(value):
    return isinstance(value, bool | int | float)


def _text(value):
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
