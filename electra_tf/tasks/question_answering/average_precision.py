"""How well the probability of "there is no answer" puts right answers first, whatever threshold is chosen later."""

import numpy as np


def average_precision(scores, has_answer, no_answer_probabilities):
    """The area under the curve of precision against recall that thresholds of the probability make.

    At a threshold the questions of no greater probability are answered. Precision is the mean score of their answers,
    where an answer to a question without one scores 0; recall is the sum of these scores over all questions that have
    an answer. The area is the sum of precision times the gain of recall, from each threshold to the next, as in SQuAD
    2.0's script (Rajpurkar et al. 2018): its pr_exact_ap, pr_f1_ap and, for scores of 1, pr_oracle_ap.

    Args:
        scores: float [questions], 0..1, of the answers as they are, though there may be none.
        has_answer: bool [questions], True for at least one.
        no_answer_probabilities: float [questions], or anything else that grows with the doubt; equal ones are decided
            together.

    Returns:
        float, 0..1.

    >>> average_precision([1.0, 1.0], [True, False], [0.9, 0.2])   # 0.5
    """
    probabilities = np.asarray(no_answer_probabilities)
    order = np.argsort(probabilities, kind="stable")
    right = np.cumsum(np.where(has_answer, scores, 0.0)[order])
    is_threshold = np.append(np.diff(probabilities[order]) != 0, True)
    right, answered = right[is_threshold], 1 + np.flatnonzero(is_threshold)
    return float((right / answered * np.diff(right, prepend=0)).sum() / np.count_nonzero(has_answer))
