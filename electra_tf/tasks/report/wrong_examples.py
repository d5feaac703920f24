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
        List of (confidence or None, prediction), surest first; the confidence of an answer of several labels or tags is
        that in the surest of its wrong decisions. In place of it stands the error of numbers and, of lists without
        probabilities, how many items are missing or too many; the largest come first.

    >>> most_confidently_wrong([{"label": "pos", "prediction": "neg", "probabilities": [0.9, 0.1]}])[0][0]   # 0.9
    """
    measure = {"error": _error, "wrong items": _wrong_items, "confidence": _confidence}[_measure_of(predictions)]
    found = [(measure(line), line) for line in predictions if not _is_right(line)]
    return sorted(found, key=lambda pair: -1.0 if pair[0] is None else pair[0], reverse=True)[:most]


def wrong_decisions(prediction):
    """What an answer that consists of several decisions has decided wrongly: each label yes or no, a tag for each word.

    Args:
        prediction: dict of predictions.jsonl: lists of labels in "label" and "prediction" with the "probabilities" of
            all labels by name; or "tags" and "predicted_tags" with the "probabilities" of the latter (None: unknown).

    Returns:
        List of (name of the label or number of the word, probability of what was decided), surest first; empty for
        other answers and without probabilities.

    >>> wrong_decisions({"label": ["a"], "prediction": ["b"], "probabilities": {"a": 0.1, "b": 0.8}})
    [('a', 0.9), ('b', 0.8)]
    """
    probabilities = prediction.get("probabilities")
    if not probabilities:
        return []
    if "predicted_tags" in prediction:
        tags = zip(prediction["tags"], prediction["predicted_tags"], probabilities, strict=True)
        found = [(word, share) for word, (true, answer, share) in enumerate(tags)
                 if true != answer and share is not None]
    elif isinstance(probabilities, dict) and isinstance(prediction["prediction"], list):
        answer = set(prediction["prediction"])
        found = [(name, share if name in answer else 1 - share) for name, share in probabilities.items()
                 if (name in answer) != (name in prediction["label"])]
    else:
        found = []
    return sorted(found, key=lambda pair: pair[1], reverse=True)


def wrong_examples_table(predictions, *, most=MOST_SHOWN):
    """`most_confidently_wrong` as a Table; long texts are cut, and of tagged words only the wrong spans are shown.

    >>> wrong_examples_table(predictions).header   # ('confidence', 'true', 'predicted', 'text')
    """
    name = _measure_of(predictions)
    found = most_confidently_wrong(predictions, most=most)
    what = "wrong answers that the model was surest of" if name == "confidence" else "largest errors"
    return Table((name, "true", "predicted", "text"),
                 tuple((size, _answer(line, "label", "prediction"), _answer(line, "prediction", "label"), text_of(line))
                       for size, line in found), f"The {len(found)} {what}.")


def text_of(prediction):
    """What was asked in one example, as one str; the parts of a pair each in a line.

    >>> text_of({"text": ["a film", "a bore"], "label": "0"})   # 'a film\\na bore'
    """
    parts = []
    for name in _TEXTS:
        value = prediction.get(name)
        if name == "words" and prediction.get("text"):
            continue  # they are those of the text
        if isinstance(value, list):
            value = (" " if name in ("tokens", "words") else "\n").join(map(str, value))
        if value:
            parts.append(str(value))
    text = "\n".join(parts)
    return text if len(text) <= _LONGEST_TEXT else text[:_LONGEST_TEXT] + " \u2026"


def _answer(line, key, other):
    """An answer in words; of tagged words the spans that the other side lacks."""
    if "predicted_tags" not in line:
        return in_words(line[key])
    return "\n".join(f"{' '.join(line['words'][span['start']:span['end']])} ({span['type']})"
                     for span in line[key] if span not in line[other])


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
    if all(isinstance(value, list) for value in values) and not any(map(wrong_decisions, predictions)):
        return "wrong items"
    return "confidence"


def _error(line):
    return float(abs(line["label"] - line["prediction"]))


def _wrong_items(line):
    return len({in_words(item) for item in line["label"]} ^ {in_words(item) for item in line["prediction"]})


def _is_right(line):
    if "exact_match" in line:
        return bool(line["exact_match"])
    # The order of several labels says nothing.
    are_lists = isinstance(line["label"], list) and isinstance(line["prediction"], list)
    return not _wrong_items(line) if are_lists else line["label"] == line["prediction"]


def _confidence(line):
    if isinstance(line["prediction"], list):
        return next((share for _, share in wrong_decisions(line)), None)
    for name in ("confidence", "probability"):
        if is_number(line.get(name)):
            return float(line[name])
    probabilities = line.get("probabilities")
    if isinstance(probabilities, dict):
        probabilities = list(probabilities.values())
    return float(max(probabilities)) if probabilities and all(map(is_number, probabilities)) else None
