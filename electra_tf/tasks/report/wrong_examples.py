"""The examples at which a model was most sure and wrong: where labels are often wrong, too."""

import json

from electra_tf.tasks.report.parts import Table

MOST_SHOWN = 20
_LONGEST_TEXT = 400
# Where a task's predictions keep what was asked.
_TEXTS = ("text", "texts", "question", "context", "tokens", "words", "choices")


def most_confidently_wrong(predictions, *, most=MOST_SHOWN):
    """The wrong answers that the model was surest of.

    Args:
        predictions: dicts of predictions.jsonl: "label", "prediction", and "confidence", "probability" or
            "probabilities" where the task gives them; "exact_match" says what is right where more than one answer is.
        most: how many.

    Returns:
        List of (confidence or None, prediction), surest first. In place of the confidence stands the error of numbers,
        and of lists how many items are missing or too many; the largest come first.

    >>> most_confidently_wrong([{"label": "pos", "prediction": "neg", "probabilities": [0.9, 0.1]}])[0][0]   # 0.9
    """
    measure = {"error": _error, "wrong items": _wrong_items, "confidence": _confidence}[_measure_of(predictions)]
    found = [(measure(line), line) for line in predictions if not _is_right(line)]
    return sorted(found, key=lambda pair: -1.0 if pair[0] is None else pair[0], reverse=True)[:most]


def wrong_examples_table(predictions, *, most=MOST_SHOWN):
    """`most_confidently_wrong` as a Table; long texts are cut.

    >>> wrong_examples_table(predictions).header   # ('confidence', 'true', 'predicted', 'text')
    """
    name = _measure_of(predictions)
    found = most_confidently_wrong(predictions, most=most)
    what = "wrong answers that the model was surest of" if name == "confidence" else "largest errors"
    return Table((name, "true", "predicted", "text"),
                 tuple((size, in_words(line["label"]), in_words(line["prediction"]), text_of(line))
                       for size, line in found), f"The {len(found)} {what}.")


def text_of(prediction):
    """What was asked in one example, as one str; the parts of a pair each in a line.

    >>> text_of({"text": ["a film", "a bore"], "label": "0"})   # 'a film\\na bore'
    """
    parts = []
    for name in _TEXTS:
        value = prediction.get(name)
        if isinstance(value, list):
            value = (" " if name in ("tokens", "words") else "\n").join(map(str, value))
        if value:
            parts.append(str(value))
    text = "\n".join(parts)
    return text if len(text) <= _LONGEST_TEXT else text[:_LONGEST_TEXT] + " \u2026"


def in_words(value):
    """A value of JSON as it is shown in a table: text as it is, fractions with four digits.

    >>> in_words(["PER", 3])   # '["PER", 3]'
    """
    if isinstance(value, float):
        return f"{value:.4g}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def is_number(value):
    """Whether a value is a number and no truth value."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _measure_of(predictions):
    """What the wrong answers are sorted by."""
    values = [line[key] for line in predictions for key in ("label", "prediction")]
    if all(map(is_number, values)):
        return "error"
    return "wrong items" if all(isinstance(value, list) for value in values) else "confidence"


def _error(line):
    return float(abs(line["label"] - line["prediction"]))


def _wrong_items(line):
    return len({in_words(item) for item in line["label"]} ^ {in_words(item) for item in line["prediction"]})


def _is_right(line):
    return bool(line["exact_match"]) if "exact_match" in line else line["label"] == line["prediction"]


def _confidence(line):
    for name in ("confidence", "probability"):
        if is_number(line.get(name)):
            return float(line[name])
    probabilities = line.get("probabilities")
    if isinstance(probabilities, dict):
        probabilities = list(probabilities.values())
    return float(max(probabilities)) if probabilities and all(map(is_number, probabilities)) else None
