"""What predictions show beyond one score: confusions, scores of each class or type, distributions of numbers."""

import collections

import numpy as np

from electra_tf.tasks.classification_scores import ratio
from electra_tf.tasks.labels import label_names
from electra_tf.tasks.report.parts import Confusion, Histogram, Table
from electra_tf.tasks.report.wrong_examples import is_number
from electra_tf.tasks.tagging.tag_schemes import OUTSIDE

# A larger matrix cannot be read; the commonest confusions are shown in its place.
_MOST_LABELS = 16
_MOST_CONFUSIONS = 10


def answer_parts(predictions):
    """The parts of a report that show how the answers of one model are distributed.

    Args:
        predictions: dicts of predictions.jsonl, with "label" and "prediction".

    Returns:
        Tuple of parts. For names: the confusion matrix (or the commonest confusions of many labels) and the scores of
        each class; for numbers: histograms; for lists (several labels, entities): the scores of each type, before them
        a histogram of the labels' probabilities or the confusion matrix of the words; for other answers a histogram of
        the examples' F1, where it is given.

    >>> answer_parts([{"label": "a", "prediction": "b"}, {"label": "b", "prediction": "b"}])   # (Confusion, Table)
    """
    values = [line[key] for line in predictions for key in ("label", "prediction")]
    if all(map(is_number, values)):
        return _number_parts(predictions)
    if all(isinstance(value, list) for value in values):
        return (*_word_parts(predictions), *_probability_parts(predictions), _type_table(predictions))
    if all(is_number(line.get("f1")) for line in predictions):
        return (Histogram("F1 of each example", {"examples": [line["f1"] for line in predictions]}),)
    if all(isinstance(value, str) for value in values) and len(set(values)) > 1 and "" not in values:
        return _label_parts(predictions, label_names(values))
    return ()


def _number_parts(predictions):
    true, predicted = ([float(line[key]) for line in predictions] for key in ("label", "prediction"))
    return (Histogram("scores", {"true": true, "predicted": predicted}),
            Histogram("predicted minus true", {"error": np.subtract(predicted, true)}))


def _label_parts(predictions, labels):
    counts = _pair_counts(((line["label"], line["prediction"]) for line in predictions), labels)
    scores = _scores_table(labels, np.diag(counts), counts.sum(axis=0), counts.sum(axis=1), "class")
    return (*_confusion_parts(labels, counts, "examples"), scores)


def _word_parts(predictions):
    """The types that words have and were given, of predictions that are spans of words."""
    if not all("predicted_tags" in line for line in predictions):
        return ()
    pairs = [pair for line in predictions
             for pair in zip(*(_types_of_words(line[key], len(line["tags"])) for key in ("label", "prediction")))]
    labels = tuple(sorted({name for pair in pairs for name in pair}, key=lambda name: (name != OUTSIDE, name)))
    return _confusion_parts(labels, _pair_counts(pairs, labels), "words")


def _types_of_words(spans, num_words):
    types = [OUTSIDE] * num_words
    for span in spans:
        types[span["start"]:span["end"]] = [span["type"]] * (span["end"] - span["start"])
    return types


def _probability_parts(predictions):
    """The probabilities of labels by name, of those that hold and of the others."""
    if not all(isinstance(line.get("probabilities"), dict) for line in predictions):
        return ()
    holds, holds_not = [], []
    for line in predictions:
        for name, share in line["probabilities"].items():
            (holds if name in line["label"] else holds_not).append(share)
    values = {"labels that hold": holds, "labels that do not hold": holds_not}
    return (Histogram("probability of each label", {name: shares for name, shares in values.items() if shares},
                      counted="labels", as_shares=True),)


def _pair_counts(pairs, labels):
    """int array [labels, labels]: how often each (true, predicted) pair occurs."""
    places = {label: place for place, label in enumerate(labels)}
    counts = np.zeros((len(labels), len(labels)), int)
    for true, predicted in pairs:
        counts[places[true], places[predicted]] += 1
    return counts


def _confusion_parts(labels, counts, counted):
    matrix = (Confusion(labels, counts, counted),) if len(labels) <= _MOST_LABELS else ()
    confusions = (_confusions_table(labels, counts),) if len(labels) > 3 else ()
    return (*matrix, *confusions)


def _confusions_table(labels, counts):
    pairs = sorted(((int(counts[true, predicted]), true, predicted) for true in range(len(labels))
                    for predicted in range(len(labels)) if true != predicted and counts[true, predicted]), reverse=True)
    return Table(("true", "predicted", "times"),
                 tuple((labels[true], labels[predicted], times) for times, true, predicted in pairs[:_MOST_CONFUSIONS]),
                 "The commonest confusions.")


def _type_table(predictions):
    hits, predicted, true = collections.Counter(), collections.Counter(), collections.Counter()
    for line in predictions:
        right, answered = (collections.Counter(map(_key, line[key])) for key in ("label", "prediction"))
        for counter, items in ((hits, right & answered), (predicted, answered), (true, right)):
            for (kind, _), count in items.items():
                counter[kind] += count
    types = sorted({*predicted, *true})
    return _scores_table(types, *([counter[kind] for kind in types] for counter in (hits, predicted, true)), "type")


def _key(item):
    """(type, everything) of an item: the label of a span, or the item itself."""
    if isinstance(item, dict):
        span = {name: item[name] for name in ("start", "end", "label", "type") if name in item}
        return str(span.get("label", span.get("type", ""))), str(sorted(span.items()))
    if isinstance(item, list):
        return str(next((part for part in item if isinstance(part, str)), "")), str(item)
    return str(item), str(item)


def _scores_table(names, hits, predicted, true, kind):
    hits, predicted, true = (np.asarray(counts) for counts in (hits, predicted, true))
    scores = ratio(hits, predicted), ratio(hits, true), ratio(2 * hits, predicted + true)
    rows = zip(map(str, names), *(values.tolist() for values in (*scores, true, predicted)), strict=True)
    return Table((kind, "precision", "recall", "F1", "true", "predicted"), tuple(rows),
                 f"Scores of each {kind}, and how often it is true and predicted.")
