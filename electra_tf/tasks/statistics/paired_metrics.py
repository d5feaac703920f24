"""Metrics as a paired test needs them: a few numbers for each example, and the score of any set of such rows."""

import dataclasses
import json
import math
from collections.abc import Callable

import numpy as np

from electra_tf.errors import InputError
from electra_tf.files import some_names
from electra_tf.tasks import classification_scores as of_labels
from electra_tf.tasks import multi_label_scores as of_sets
from electra_tf.tasks.regression_scores import pearson, spearman

_OF_NUMBERS = {"pearson": pearson, "spearman": spearman}
_NEEDED = ("label", "prediction")
_OF_SPANS = ("f1", "micro_f1")  # two names of one score


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
        metric: for labels the scores of ClassificationScores; for lists of labels those of MultiLabelScores; for
            other lists, such as entities, "f1"; for numbers "pearson" or "spearman"; or the name of a number that each
            prediction has (such as "exact_match"), whose mean is taken.
        first, second: the trials of two runs on the same examples: lists of lists of dicts with "label" and
            "prediction".

    Returns:
        PairedMetric.

    Raises:
        InputError: the predictions have nothing of that name.

    >>> paired_metric("accuracy", first.trials, second.trials).scores(rows)   # [0.75, 0.77]
    """
    every = [line for trials in (first, second) for lines in trials for line in lines]
    numbers = [name for name in every[0] if all(_is_number(line.get(name)) for line in every)]
    if metric in numbers and metric not in _NEEDED:
        return _paired(first, second, lambda line: float(line[metric]), np.mean)
    known, row_of, score = _scores_of_answers([line[key] for line in every for key in _NEEDED], metric)
    if metric in known:
        return _paired(first, second, lambda line: row_of(line["label"], line["prediction"]), score)
    choices = [*known, *(name for name in numbers if name not in _NEEDED)]
    raise InputError(f"metric={metric!r} cannot be taken from these predictions; choose one of "
                     f"{some_names(choices, most=20)}.")


def _scores_of_answers(values, metric):
    """(names of the scores that answers of this kind have, function of (label, prediction) -> row, score of rows)."""
    if all(map(_is_number, values)):
        return _OF_NUMBERS, lambda *pair: pair, lambda rows: _or_zero(_OF_NUMBERS[metric](*rows.T))
    if all(isinstance(value, list) for value in values):
        if not all(isinstance(item, str) for value in values for item in value):
            return _OF_SPANS, _set_counts, _f1_of_counts
        names = sorted({item for value in values for item in value})
        return (of_sets.METRICS, lambda *sets: [[name in items for name in names] for items in sets],
                lambda rows: of_sets.MultiLabelScores(rows[:, 0], rows[:, 1].astype(float)).numbers()[metric])
    places = {name: place for place, name in enumerate(sorted(set(map(_text, values))))}
    known = of_labels.METRICS + (of_labels.BINARY_METRICS if len(places) == 2 else ())
    if metric == "accuracy":  # faster, and told of the examples that are right in one run and wrong in the other
        return known, lambda *pair: float(_text(pair[0]) == _text(pair[1])), np.mean
    return (known, lambda *pair: [places[_text(value)] for value in pair],
            lambda rows: of_labels.classification_scores(*rows.T, num_labels=len(places)).numbers()[metric])


def _paired(first, second, row_of, score):
    return PairedMetric(*(np.stack([np.array([row_of(line) for line in lines]) for lines in trials], axis=1)
                          for trials in (first, second)), score)


def _set_counts(label, prediction):
    """Items in both, items predicted, true items."""
    true, predicted = ({_text(item) for item in items} for items in (label, prediction))
    return [len(true & predicted), len(predicted), len(true)]


def _f1_of_counts(rows):
    hits, predicted, true = rows.sum(axis=0)
    return float(2 * hits / (predicted + true)) if predicted + true else 0.0


def _or_zero(correlation):
    """A correlation, 0 where a side is constant."""
    return 0.0 if math.isnan(correlation) else correlation


def _is_number(value):
    return isinstance(value, bool | int | float)


def _text(value):
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
