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
        first, second: arrays [examples, ...]: what the score needs of each example.
        score: function of such an array, or of any rows of it, that returns a float.
    """

    first: np.ndarray
    second: np.ndarray
    score: Callable


def paired_metric(metric, first, second):
    """The rows and the score of a metric.

    Args:
        metric: "accuracy", "macro_f1" or "matthews", for labels and predictions that are names or numbers;
            "micro_f1", where both are lists (the labels of an example, the entities of a sentence); or the name of a
            number that each prediction has (such as "exact_match" or "f1"), whose mean is taken.
        first, second: predictions of two runs on the same examples, dicts with "label" and "prediction".

    Returns:
        PairedMetric.

    Raises:
        InputError: the predictions have nothing of that name.

    >>> paired_metric("accuracy", first, second).score(rows)
    """
    if metric in _LABEL_METRICS and not isinstance(first[0]["label"], list):
        places = {name: place for place, name in enumerate(sorted(
            {_text(line[key]) for line in (*first, *second) for key in ("label", "prediction")}))}
        return PairedMetric(*(np.array([[places[_text(line["label"])], places[_text(line["prediction"])]]
                                        for line in lines]) for lines in (first, second)),
                            lambda rows: classification_scores(rows[:, 0], rows[:, 1],
                                                               num_labels=len(places)).numbers()[metric])
    if metric == MICRO_F1 and all(isinstance(line[key], list) for line in (*first, *second)
                                  for key in ("label", "prediction")):
        return PairedMetric(_set_counts(first), _set_counts(second), _f1_of_counts)
    if all(_is_number(line.get(metric)) for line in (*first, *second)):
        return PairedMetric(*(np.array([float(line[metric]) for line in lines]) for lines in (first, second)),
                            lambda rows: float(rows.mean()))
    numbers = [name for name, value in first[0].items() if _is_number(value)]
    known = [*_LABEL_METRICS, MICRO_F1, *numbers]
    raise InputError(f"metric={metric!r} cannot be taken from these predictions; choose one of "
                     f"{some_names(known, most=20)}, or another number that each of them has.")


def _set_counts(lines):
    """int [examples, 3]: items in both, items predicted, true items."""
    rows = []
    for line in lines:
        true, predicted = ({_text(item) for item in line[key]} for key in ("label", "prediction"))
        rows.append((len(true & predicted), len(predicted), len(true)))
    return np.array(rows)


def _f1_of_counts(rows):
    hits, predicted, true = rows.sum(axis=0)
    return float(2 * hits / (predicted + true)) if predicted + true else 0.0


def _is_number(value):
    return isinstance(value, bool | int | float)


def _text(value):
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
