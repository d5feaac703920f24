"""Precision, recall and F1 of each class, label or type of span, from the answers that a task has written."""

import dataclasses

from electra_tf.tasks.classification_scores import classification_scores
from electra_tf.tasks.multi_label_classification import label_table
from electra_tf.tasks.multi_label_scores import MultiLabelScores
from electra_tf.tasks.options import MultiLabel, TextClassification, TokenClassification
from electra_tf.tasks.tagging.tag_schemes import Span
from electra_tf.tasks.tagging.tagging_scores import span_scores


def per_class(task, predictions, model):
    """The scores of each class.

    Args:
        task: name of the task.
        predictions: list of dicts of predictions.jsonl, with "label" and "prediction".
        model: TextTask that gave the answers, or another one with the same labels.

    Returns:
        Dict of name -> dict of precision, recall, f1 (each 0 where it would divide by 0) and support, the number of
        true examples. Of texts, every label that the model knows; of tagged words, each type of span that is true or
        predicted. None for other tasks.

    >>> per_class("text_classification", predictions, classifier)["pos"]["recall"]   # 0.75
    """
    return _OF_TASK[task](predictions, model) if task in _OF_TASK else None


def _of_classes(predictions, model):
    place_of = {name: place for place, name in enumerate(model.labels)}
    true, answers = ([place_of[line[key]] for line in predictions] for key in ("label", "prediction"))
    return classification_scores(true, answers, num_labels=len(place_of)).per_class(model.labels)


def _of_labels(predictions, model):
    true, answers = (label_table([line[key] for line in predictions], model.labels)
                     for key in ("label", "prediction"))
    return MultiLabelScores(true > 0, answers).per_class(model.labels)


def _of_types(predictions, _):
    true, answers = ([[Span(**span) for span in line[key]] for line in predictions] for key in ("label", "prediction"))
    return {name: dataclasses.asdict(scores) for name, scores in span_scores(true, answers)[0].items()}


_OF_TASK = {TextClassification.name: _of_classes, MultiLabel.name: _of_labels, TokenClassification.name: _of_types}
