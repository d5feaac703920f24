"""Whether a trial has collapsed: the same answer for everything, a score that a constant answer reaches too, or no
finite numbers any more.
"""

import numpy as np

from electra_tf.tasks.classification_scores import classification_scores

CONSTANT = "constant prediction"
MAJORITY = "majority-level score"
DIVERGED = "diverged"  # seen by the loop itself: its numbers are not finite

# Fewer updates do not show that a run is dead.
_STEPS_TO_JUDGE = 100
# The loss wanders by this share around that of a constant guess.
_LOSS_NOISE = 0.01
_SCORE_NOISE = 1e-9


def majority_level(labels, *, num_labels, metric):
    """The best score that always answering one label reaches.

    Args:
        labels: int [examples] of the set that is scored.
        num_labels: number of labels.
        metric: name of a score of ClassificationScores.

    Returns:
        float; for "accuracy" the share of the commonest label, for "matthews" 0. None where a constant answer is never
        wrong, as by "recall": there a good model reaches no more, so that the score tells nothing of a collapse.

    >>> majority_level([0, 1, 1], num_labels=2, metric="accuracy")   # 0.667
    """
    labels = np.asarray(labels)
    level = max(classification_scores(labels, np.full(len(labels), answer), num_labels=num_labels).numbers()[metric]
                for answer in range(num_labels))
    return level if level < 1 else None


def collapse_of(scores, *, metric, majority_level=None):
    """What shows that a model has collapsed, from one evaluation of it.

    Args:
        scores: what a task's `scores` returns: has is_constant and numbers().
        metric: name of the score to compare.
        majority_level: the score of the best constant answer on the same set, or None where the task has none.

    Returns:
        CONSTANT where all answers are the same, MAJORITY where the answers differ and the score is still no better
        than a constant answer's, None for a model that has learnt something.

    >>> collapse_of(classification_scores([0, 1], [0, 0], num_labels=2), metric="accuracy")   # 'constant prediction'
    """
    if scores.is_constant:
        return CONSTANT
    if majority_level is not None and scores.numbers()[metric] <= majority_level + _SCORE_NOISE:
        return MAJORITY
    return None


def is_hopeless(collapses, *, step, train_steps, loss, guess_loss=None):
    """Whether a running trial need not be finished.

    It is given up halfway (after 100 updates at least) where no evaluation so far found anything but a collapsed model
    and the loss is no lower than that of a constant guess: some seeds and rates end so, and waiting does not help.

    Args:
        collapses: what `collapse_of` said at each evaluation so far.
        step: updates done.
        train_steps: updates planned.
        loss: mean training loss since the last evaluation.
        guess_loss: loss of a constant guess, or None where it is not known; then the evaluations decide alone.

    >>> is_hopeless([CONSTANT], step=150, train_steps=300, loss=0.70, guess_loss=0.69)   # True
    """
    return (bool(collapses) and all(collapses) and step >= max(train_steps / 2, _STEPS_TO_JUDGE)
            and (guess_loss is None or loss > (1 - _LOSS_NOISE) * guess_loss))
