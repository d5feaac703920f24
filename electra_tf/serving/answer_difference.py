"""How far the answers of two forms of a model are apart, in numbers that a user can judge: probabilities."""

import numpy as np


def largest_answer_difference(answers, expected):
    """Between the answers of two forms of a model.

    Args:
        answers, expected: what `served_numbers` returns.

    Returns:
        The largest difference of a probability: of a label, an ending, a tag of a piece; of the span that an answer to
        a question is, or of "there is no answer". For a regressor, of an output, where the range of scores is 1.

    >>> largest_answer_difference({"probabilities": [[0.5]], "logits": [[0.1]]}, {"probabilities": [[0.4]]})   # 0.1
    """
    if "start_scores" in expected:
        return max(map(_largest, _of_spans(answers, expected), _of_spans(expected, answers)))
    name = "probabilities" if "probabilities" in expected else "logits"
    return _largest(np.asarray(answers[name]), np.asarray(expected[name]))


def _largest(values, others):
    return float(np.abs(values - others).max(initial=0))


def _of_spans(beam, other):
    """Probabilities of a SpanBeam by name, in arrays that do not depend on the order of the beam.

    Returns:
        Of each span among those of its row, float [batch, length, length]; of "no answer" as a classifier's logit and
        as a score beside the best span's, float [batch] each.
    """
    beam = {name: np.asarray(values) for name, values in beam.items()}
    length = 1 + max(int(np.max(values[name], initial=0)) for values in (beam, other)
                     for name in ("start_positions", "end_positions"))
    scores = beam["start_scores"][:, :, None] + beam["end_scores"]  # [batch, beam, beam]
    best = scores.max(axis=(1, 2))
    weights = np.exp(scores - best[:, None, None])
    weights /= weights.sum(axis=(1, 2), keepdims=True)
    spans = np.zeros([len(scores), length, length])
    np.add.at(spans, (np.arange(len(scores))[:, None, None], beam["start_positions"][:, :, None],
                      beam["end_positions"]), weights)
    return spans, _sigmoid(beam["no_answer"]), _sigmoid(beam["no_answer"] - best)


def _sigmoid(values):
    return 1 / (1 + np.exp(-np.clip(values, -500.0, 500.0)))
