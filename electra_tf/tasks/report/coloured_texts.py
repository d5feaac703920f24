"""Texts coloured by what a classifier's answer rests on."""

from electra_tf.tasks.attributions import text_attributions
from electra_tf.tasks.report.parts import ColouredText
from electra_tf.tasks.report.wrong_examples import most_confidently_wrong

_MOST_SHOWN = 5
_STEPS = 64  # the values then add up within 1 %


def coloured_mistakes(classifier, predictions, *, most=_MOST_SHOWN):
    """The most confidently wrong answers of a text classifier, coloured.

    Args:
        classifier: ElectraTextClassifier that gave the answers.
        predictions: dicts of predictions.jsonl, with "text", "label", "prediction" and "probabilities".
        most: how many.

    Returns:
        List of ColouredText, surest first, for the label that was predicted.

    >>> coloured_mistakes(classifier, predictions)[0].heading   # 'neg (true: pos)'
    """
    found = []
    for _, line in most_confidently_wrong(predictions, most=most):
        text = tuple(line["text"]) if classifier.pairs else line["text"]
        attributions = text_attributions(classifier, text, label=line["prediction"], steps=_STEPS)
        found.append(coloured_text(text, attributions, true=line["label"]))
    return found


def coloured_text(text, attributions, *, true=None):
    """A text coloured by what its pieces add to a label.

    Args:
        text: as it was given to `text_attributions`: str, or (first, second).
        attributions: Attributions.
        true: the true label, or None.

    Returns:
        ColouredText.

    >>> coloured_text(text, text_attributions(classifier, text), true="pos").heading   # 'neg (true: pos)'
    """
    parts = []
    for place, one in enumerate((text,) if isinstance(text, str) else text):
        if place:
            parts.append(("\n", None))
        end = 0
        for piece in (piece for piece in attributions.pieces if piece.in_second == bool(place)):
            parts += [(one[end:piece.offsets[0]], None), (one[slice(*piece.offsets)], piece.value)]
            end = piece.offsets[1]
        parts.append((one[end:], None))
    truth = "" if true is None else f" (true: {true})"
    return ColouredText(f"{attributions.label}{truth}", [part for part in parts if part[0]])
