"""Scores from how often each class was hit, named and true: counts that can be summed batch by batch."""

import numpy as np

from electra_tf.tasks.classification_scores import ratio
from electra_tf.tasks.tagging.tag_schemes import OUTSIDE, PLAIN, split_tag
from electra_tf.tasks.tagging.tagging_scores import scored_spans


def means_of_classes(counts):
    """Precision, recall and F1 of all classes in three means; a ratio whose denominator is 0 counts 0.

    Args:
        counts: float [3, classes]: how often each class was hit, named, and true.

    Returns:
        Dict, "micro_precision" to "weighted_f1".

    >>> means_of_classes(np.array([[1, 0], [1, 1], [2, 0]]))["micro_f1"]   # 0.5
    """
    of_classes, true = _precision_recall_f1(counts), counts[2]
    means = {"micro": _precision_recall_f1(counts.sum(axis=1)),
             "macro": ratio(of_classes.sum(axis=1), counts.shape[1]),
             "weighted": of_classes @ ratio(true, true.sum())}
    return {f"{mean}_{score}": float(value) for mean, values in means.items()
            for score, value in zip(("precision", "recall", "f1"), values, strict=True)}


def _precision_recall_f1(counts):
    hits, named, true = counts
    return np.array([ratio(hits, named), ratio(hits, true), ratio(2 * hits, named + true)])


def types_of_tags(tags, scheme):
    """The types of spans that tags can mean; tags that stand for themselves are types.

    Args:
        tags: list of str.
        scheme: "IOB1", "IOB2", "BIOES" or "plain".

    Returns:
        Tuple of str, in the order of the tags.

    >>> types_of_tags(["O", "B-PER", "I-PER", "B-LOC"], "IOB2")   # ('PER', 'LOC')
    """
    if scheme == PLAIN:
        return tuple(tags)
    return tuple(dict.fromkeys(split_tag(tag)[1] for tag in tags if tag != OUTSIDE))


def count_spans(true, named, weights, *, tags, scheme):
    """Counts spans and words of sentences.

    Args:
        true: integer [sentences, length], the tags by number; negative where no word is asked for.
        named: the same, the answers.
        weights: float [sentences], how often each sentence counts.
        tags: list of str, the tags by number.
        scheme: "IOB1", "IOB2", "BIOES" or "plain".

    Returns:
        (float32 [3, types]: how often each of `types_of_tags` was hit, named, and true; float32 [2]: right words, and
        all words).

    >>> count_spans(np.array([[1, 2, -1]]), np.array([[1, 0, 0]]), [1], tags=["O", "B-X", "I-X"], scheme="IOB2")
    ([[0], [1], [1]], [1, 2])
    """
    types = types_of_tags(tags, scheme)
    spans, words = np.zeros([3, len(types)], np.float32), np.zeros(2, np.float32)
    for own, answers, weight in zip(true, named, weights, strict=True):
        if not weight:
            continue
        is_asked = own >= 0
        own, answers = own[is_asked], answers[is_asked]
        words += weight * np.array([(own == answers).sum(), len(own)])
        own, answers = (scored_spans([tags[number] for number in numbers], scheme) for numbers in (own, answers))
        for place, found in enumerate((set(own) & set(answers), answers, own)):
            for span in found:
                spans[place, types.index(span.type)] += weight
    return spans, words
