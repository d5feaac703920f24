"""Texts coloured by what a model's answer rests on, for the answers that are most wrong."""

from electra_tf.tasks.attributions import (
    NO_ANSWER,
    answer_attributions,
    choice_attributions,
    tag_attributions,
    text_attributions,
)
from electra_tf.tasks.report.parts import ColouredText
from electra_tf.tasks.report.wrong_examples import in_words, most_confidently_wrong, wrong_decisions

_MOST_SHOWN = 5
_STEPS = 64  # the values then add up within 1 %
# Characters beyond the pieces that were looked at: a long text is shown around its window.
_MOST_AROUND = 200


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
        text = _text_of(line, classifier)
        attributions = text_attributions(classifier, text, label=line["prediction"], steps=_STEPS)
        found.append(coloured_text(text, attributions, true=line["label"]))
    return found


def coloured_scores(regressor, predictions, *, most=_MOST_SHOWN):
    """The texts whose scores are farthest from the truth, coloured by what raises and lowers the score.

    Args:
        regressor: ElectraTextRegressor that gave the answers.
        predictions, most: as for `coloured_mistakes`.

    Returns:
        List of ColouredText, the largest error first.

    >>> coloured_scores(regressor, predictions)[0].heading   # 'score 1.5 (true: 4)'
    """
    found = []
    for _, line in most_confidently_wrong(predictions, most=most):
        text = _text_of(line, regressor)
        attributions = text_attributions(regressor, text, steps=_STEPS)
        found.append(coloured_text(text, attributions, true=in_words(line["label"]),
                                   answer=f"{attributions.label} {in_words(line['prediction'])}"))
    return found


def coloured_labels(classifier, predictions, *, most=_MOST_SHOWN):
    """The most confidently wrong answers of a multi-label classifier, each coloured for its most wrongly judged label.

    Args:
        classifier: ElectraMultiLabelClassifier that gave the answers.
        predictions, most: as for `coloured_mistakes`; "probabilities" by label.

    Returns:
        List of ColouredText, surest first; blue speaks for the label, whether it was predicted or missed.

    >>> coloured_labels(classifier, predictions)[0].heading   # 'sport: no (true: yes)'
    """
    found = []
    for line, label in _most_wrongly_decided(predictions, most):
        text = _text_of(line, classifier)
        attributions = text_attributions(classifier, text, label=label, steps=_STEPS)
        answer, truth = ("yes" if label in line[key] else "no" for key in ("prediction", "label"))
        found.append(coloured_text(text, attributions, answer=f"{label}: {answer}", true=truth))
    return found


def coloured_tags(tagger, predictions, *, most=_MOST_SHOWN):
    """The sentences with the most confidently wrong tags, each coloured for the predicted tag of its surest wrong word.

    Args:
        tagger: ElectraTokenClassifier that gave the answers.
        predictions: dicts with "words", "tags", "predicted_tags" and "probabilities".
        most: as for `coloured_mistakes`.

    Returns:
        List of ColouredText, surest first.

    >>> coloured_tags(tagger, predictions)[0].heading   # 'Paris: B-PER (true: B-LOC)'
    """
    found = []
    for line, word in _most_wrongly_decided(predictions, most):
        attributions = tag_attributions(tagger, line["words"], word=word, tag=line["predicted_tags"][word],
                                        steps=_STEPS)
        found.append(coloured_text(" ".join(line["words"]), attributions, true=line["tags"][word],
                                   answer=f"{line['words'][word]}: {attributions.label}"))
    return found


def coloured_choices(model, predictions, *, names, most=_MOST_SHOWN):
    """The most confidently wrong choices, each coloured by what makes the chosen ending fit.

    Args:
        model: ElectraMultipleChoice that gave the answers.
        predictions: dicts with "text", "choices", "label", "prediction" (both by name) and "probabilities".
        names: those of the choices, in their order.
        most: as for `coloured_mistakes`.

    Returns:
        List of ColouredText, surest first: the text, and in the next line the ending.

    >>> coloured_choices(model, predictions, names=("ending0", "ending1"))[0].heading   # 'ending1 (true: ending0)'
    """
    found = []
    for _, line in most_confidently_wrong(predictions, most=most):
        pair = line["text"], line["choices"][list(names).index(line["prediction"])]
        found.append(coloured_text(pair, choice_attributions(model, *pair, steps=_STEPS), true=line["label"],
                                   answer=line["prediction"]))
    return found


def coloured_answers(answerer, predictions, *, most=_MOST_SHOWN):
    """The most confidently wrong answers to questions, each coloured for the answer that was given.

    Args:
        answerer: ElectraQuestionAnswerer that gave the answers.
        predictions: dicts with "question", "context", "label", "prediction", "start", "end" and "exact_match".
        most: as for `coloured_mistakes`.

    Returns:
        List of ColouredText, surest first: the question, and in the next line the context.

    >>> coloured_answers(answerer, predictions)[0].heading   # 'Ann (true: Bob; Bob Ray)'
    """
    found = []
    for _, line in most_confidently_wrong(predictions, most=most):
        pair = line["question"], line["context"]
        span = None if line["start"] is None else (line["start"], line["end"])
        attributions = answer_attributions(answerer, *pair, span=span, steps=_STEPS)
        found.append(coloured_text(pair, attributions, true="; ".join(dict.fromkeys(line["label"])) or NO_ANSWER))
    return found


def coloured_text(text, attributions, *, true=None, answer=None):
    """A text coloured by what its pieces add to an answer.

    Args:
        text: as it was given to `text_attributions`: str, or (first, second).
        attributions: Attributions.
        true: the true answer, or None.
        answer: what to call the answer; None takes the label of the attributions.

    Returns:
        ColouredText; what lies far outside the window that was looked at is left out.

    >>> coloured_text(text, text_attributions(classifier, text), true="pos").heading   # 'neg (true: pos)'
    """
    parts = []
    for place, one in enumerate((text,) if isinstance(text, str) else text):
        if place:
            parts.append(("\n", None))
        pieces = [piece for piece in attributions.pieces if piece.in_second == bool(place)]
        end = max(0, pieces[0].offsets[0] - _MOST_AROUND) if pieces else 0
        if end:
            parts.append(("\u2026 ", None))
        for piece in pieces:
            parts += [(one[end:piece.offsets[0]], None), (one[slice(*piece.offsets)], piece.value)]
            end = piece.offsets[1]
        rest = one[end:]
        parts.append((rest if len(rest) <= _MOST_AROUND else f"{rest[:_MOST_AROUND]} \u2026", None))
    truth = "" if true is None else f" (true: {true})"
    return ColouredText(f"{attributions.label if answer is None else answer}{truth}",
                        [part for part in parts if part[0]])


def _text_of(line, model):
    """The text of a prediction as the model takes it."""
    return tuple(line["text"]) if model.pairs else line["text"]


def _most_wrongly_decided(predictions, most):
    """Yields (prediction, its surest wrong decision) of answers that consist of several decisions."""
    for _, line in most_confidently_wrong(predictions, most=most):
        decisions = wrong_decisions(line)
        if decisions:
            yield line, decisions[0][0]
