"""From the beams of all windows to the best answers of each question: exact substrings of the context."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class AnswerSpan:
    """A piece of the context: text == context[start:end]; `probability` among the n best answers of the question."""

    text: str
    start: int
    end: int
    probability: float


@dataclasses.dataclass(frozen=True)
class QuestionAnswer:
    """The answer to one question.

    Attributes:
        text: the best answer, a substring of the context; "" where there is taken to be none.
        start, end: its first character and the one after its last, or None.
        probability: that of the best answer among the n best; where there is none, no_answer_probability.
        no_answer_probability: probability that the context holds no answer.
        n_best: AnswerSpans, the best first, each text once; whatever no_answer_probability is.
    """

    text: str
    start: int | None
    end: int | None
    probability: float
    no_answer_probability: float
    n_best: tuple

    @property
    def best_text(self):
        """The best answer's text, though there may be taken to be none; "" where the context offers nothing."""
        return self.n_best[0].text if self.n_best else ""


def best_answers(beams, windows, *, has_classifier, no_answer_threshold=0.5, n_best=20, max_answer_length=30):
    """The answers to all questions, as the original chooses them over windows.

    An answer lies in the context, begins in the window where its first piece has the most context, and is no longer
    than `max_answer_length`. Those of all windows are ranked by their scores. Whether there is one is judged by the
    window that says "there is an answer" the loudest.

    Args:
        beams: SpanBeam of numpy arrays, one row for each window.
        windows: EncodedWindows.
        has_classifier: whether `beams.no_answer` are logits of a classifier, rather than scores of an empty span.
        no_answer_threshold: the answer is "" where no_answer_probability is greater; 1 always answers.
        n_best: answers to keep.
        max_answer_length: in pieces.

    Returns:
        List of QuestionAnswer.

    >>> best_answers(beams, windows, has_classifier=True)[0].text   # '1895'
    """
    answers = []
    for question, context in enumerate(windows.contexts):
        rows = windows.rows_of(question)
        found = _ranked(_candidates(beams, windows, rows, max_answer_length), context, n_best)
        no_answer = float(np.min(beams.no_answer[rows]))
        if not has_classifier and found:
            no_answer -= found[0][0]
        # Where nothing can be an answer, there is none.
        no_answer_probability = _sigmoid(no_answer) if found else 1.0
        answers.append(_answer(found, no_answer_probability, no_answer_threshold))
    return answers


def _candidates(beams, windows, rows, max_answer_length):
    """(scores, first pieces, last pieces) of all spans of one question that may be answers, in the beams' order."""
    shape = beams.end_scores[rows].shape  # [windows, beam, beam]
    starts = np.broadcast_to(beams.start_positions[rows][:, :, None], shape)
    ends = beams.end_positions[rows]
    scores = beams.start_scores[rows][:, :, None] + beams.end_scores[rows]
    first, last = (values[rows][:, None, None] for values in (windows.first_places, windows.lengths - 2))
    is_best = windows.is_best_window[rows]
    # A place that the engine's padding added lies behind `last`, whatever is looked up for it.
    within = np.minimum(beams.start_positions[rows], is_best.shape[1] - 1)
    is_best = np.take_along_axis(is_best, within, axis=1)[:, :, None]
    is_answer = (np.isfinite(scores) & is_best & (starts >= first) & (ends >= starts) & (ends <= last)
                 & (ends - starts < max_answer_length))
    shift = np.broadcast_to(windows.first_pieces[rows][:, None, None] - first, shape)[is_answer]
    return scores[is_answer], starts[is_answer] + shift, ends[is_answer] + shift


def _ranked(candidates, context, n_best):
    """List of (score, text, start, end), the best first; of equal texts the best alone."""
    scores, first, last = candidates
    found = {}
    for place in np.argsort(-scores, kind="stable"):
        start, end = int(context.offsets[first[place], 0]), int(context.offsets[last[place], 1])
        text = context.text[start:end]
        if text not in found:
            found[text] = (float(scores[place]), text, start, end)
            if len(found) == n_best:
                break
    return list(found.values())


def _answer(found, no_answer_probability, no_answer_threshold):
    scores = np.array([score for score, *_ in found])
    weights = np.exp(scores - scores.max(initial=-np.inf))
    spans = tuple(AnswerSpan(text, start, end, float(weight / weights.sum()))
                  for (_, text, start, end), weight in zip(found, weights, strict=True))
    return decided(spans, no_answer_probability, threshold=no_answer_threshold)


def decided(n_best, no_answer_probability, *, threshold):
    """The QuestionAnswer that a threshold makes of the n best answers.

    Args:
        n_best: tuple of AnswerSpan, the best first.
        no_answer_probability, threshold: there is taken to be none where the probability is greater.

    >>> decided(answer.n_best, answer.no_answer_probability, threshold=1.0).text   # '1895'
    """
    if not n_best or no_answer_probability > threshold:
        return QuestionAnswer("", None, None, no_answer_probability, no_answer_probability, n_best)
    best = n_best[0]
    return QuestionAnswer(best.text, best.start, best.end, best.probability, no_answer_probability, n_best)


def _sigmoid(value):
    return float(1 / (1 + np.exp(-np.float64(value)))) if value > 0 else float(np.exp(value) / (1 + np.exp(value)))
