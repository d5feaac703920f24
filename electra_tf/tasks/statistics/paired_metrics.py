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
from electra_tf.tasks.classification_scores import ratio
from electra_tf.tasks.kendall import kendall
from electra_tf.tasks.regression_scores import mean_squared_error, pearson, spearman

# The scores of which less is better.
LOWER_IS_BETTER = ("mean_squared_error", "hamming_loss")

_OF_NUMBERS = {"pearson": pearson, "spearman": spearman, "kendall": kendall,
               "mean_squared_error": mean_squared_error}
_NEEDED = ("label", "prediction")
# Of the counts of right, predicted and true spans; two names are of one score.
_OF_SPANS = {"f1": lambda hits, predicted, true: ratio(2 * hits, predicted + true),
             "precision": lambda hits, predicted, true: ratio(hits, predicted),
             "recall": lambda hits, predicted, true: ratio(hits, true)}
_OF_SPANS["micro_f1"] = _OF_SPANS["f1"]
_OF_TYPES = ("macro_f1", "weighted_f1")


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
            tagged sentences those of TaggingScores; for other lists, such as entities, "f1", "precision" and "recall";
            for numbers those of RegressionScores; or the name of a number that each prediction has (such as
            "exact_match"), whose mean is taken.
        first, second: the trials of two runs on the same examples: lists of lists of dicts with "label" and
            "prediction". "probabilities" tell of labels that neither side names, "tags" and "predicted_tags" are
            those of a sentence's words.

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
    known, row_of, score = _scores_of_answers(every, metric)
    if metric in known:
        return _paired(first, second, row_of, score)
    choices = [*known, *(name for name in numbers if name not in _NEEDED)]
    raise InputError(f"metric={metric!r} cannot be taken from these predictions; choose one of "
                     f"{some_names(choices, most=20)}.")


def _scores_of_answers(lines, metric):
    """(names of the scores that answers of this kind have, function of a line -> row, score of rows)."""
    values = [line[key] for line in lines for key in _NEEDED]
    if all(map(_is_number, values)):
        return _OF_NUMBERS, _both, lambda rows: _or_zero(_OF_NUMBERS[metric](*rows.T))
    if all(isinstance(value, list) for value in values):
        has_tags = all("tags" in line and "predicted_tags" in line for line in lines)
        if has_tags or not all(isinstance(item, str) for value in values for item in value):
            return _scores_of_spans(lines, metric, has_tags=has_tags)
        return _scores_of_sets(lines, metric)
    return _scores_of_labels(lines, metric)


def _scores_of_labels(lines, metric):
    places = {name: place for place, name in enumerate(sorted({_text(line[key]) for line in lines for key in _NEEDED}))}
    num_labels = max(len(places), len(lines[0].get("probabilities") or ()))
    known = of_labels.METRICS + (of_labels.BINARY_METRICS if num_labels == len(places) == 2 else ())
    if metric == "accuracy":  # faster, and told of the examples that are right in one run and wrong in the other
        return known, lambda line: float(_text(line["label"]) == _text(line["prediction"])), np.mean
    return (known, lambda line: [places[_text(value)] for value in _both(line)],
            lambda rows: of_labels.classification_scores(*rows.T, num_labels=num_labels).numbers()[metric])


def _scores_of_sets(lines, metric):
    named = (line.get("probabilities") for line in lines)
    names = sorted({item for line in lines for key in _NEEDED for item in line[key]}.union(
        *(names for names in named if isinstance(names, dict))))
    return ((*of_sets.METRICS, "hamming_loss"),
            lambda line: [[name in items for name in names] for items in _both(line)],
            lambda rows: of_sets.MultiLabelScores(rows[:, 0], rows[:, 1].astype(float)).numbers()[metric])


def _scores_of_spans(lines, metric, *, has_tags):
    spans = [span for line in lines for key in _NEEDED for span in line[key]]
    has_types = all(isinstance(span, dict) and "type" in span for span in spans)
    known = (*_OF_SPANS, *(_OF_TYPES if has_types else ()), *(("accuracy",) if has_tags else ()))
    if metric == "accuracy":
        return known, _word_counts, lambda rows: float(ratio(*rows.sum(axis=0)))
    if has_types and metric in _OF_TYPES:
        types = sorted({span["type"] for span in spans}) or [""]
        return (known, lambda line: [_set_counts(*(_of_type(name, items) for items in _both(line))) for name in types],
                lambda rows: _mean_f1(*rows.sum(axis=0).T, is_weighted=metric == "weighted_f1"))
    return (known, lambda line: _set_counts(*_both(line)), lambda rows: float(_OF_SPANS[metric](*rows.sum(axis=0))))


def _paired(first, second, row_of, score):
    return PairedMetric(*(np.stack([np.array([row_of(line) for line in lines]) for lines in trials], axis=1)
                          for trials in (first, second)), score)


def _both(line):
    return [line[key] for key in _NEEDED]


def _word_counts(line):
    """Words with their own tag, and all words."""
    hits = sum(one == other for one, other in zip(line["tags"], line["predicted_tags"], strict=True))
    return [hits, len(line["tags"])]


def _of_type(name, spans):
    return [span for span in spans if span["type"] == name]


def _set_counts(label, prediction):
    """Items in both, items predicted, true items."""
    true, predicted = ({_text(item) for item in items} for items in (label, prediction))
    return [len(true & predicted), len(predicted), len(true)]


def _mean_f1(hits, predicted, true, *, is_weighted):
    """The mean F1 of the types that are true or predicted, each counted once or as often as it is true."""
    weights = true if is_weighted else (predicted + true > 0).astype(float)
    return float(ratio(_OF_SPANS["f1"](hits, predicted, true) @ weights, weights.sum()))


def _or_zero(correlation):
    """A correlation, 0 where a side is constant."""
    return 0.0 if math.isnan(correlation) else correlation


def _is_number(value):
    return isinstance(value, bool | int | float)


def _text(value):
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
