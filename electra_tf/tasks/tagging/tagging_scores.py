"""How good predicted tags are: precision, recall and F1 of whole spans, equal to seqeval's and conlleval's."""

import collections
import dataclasses

import numpy as np

from electra_tf.tasks.tagging.tag_schemes import OUTSIDE, PLAIN, Span, spans_of, split_tag

METRICS = ("f1", "precision", "recall", "macro_f1", "weighted_f1", "accuracy")


@dataclasses.dataclass(frozen=True)
class PrecisionRecall:
    """Scores of the spans of one type, or of all.

    Attributes:
        precision: share of the predicted spans that are true.
        recall: share of the true spans that were predicted.
        f1: their harmonic mean; all three are 0 where they would divide by 0.
        support: number of true spans.
    """

    precision: float
    recall: float
    f1: float
    support: int


@dataclasses.dataclass(frozen=True)
class TaggingScores:
    """Scores of one set of tagged sentences. Without a scheme of spans, each word is a span of its own.

    Attributes:
        by_type: type of span -> PrecisionRecall, in alphabetical order; a type that is only predicted is among them.
        micro: PrecisionRecall over all spans: the usual "entity F1".
        macro: the mean over the types.
        weighted: the mean over the types, each as often as it has true spans.
        accuracy: share of the words that got their own tag.
        is_constant: whether all words got one tag although their own are not all the same.
        types: names of the types of words: O and the types of spans, or the plain tags.
        confusion: int array [types, types]: the words by their own type (row) and the predicted one (column).
    """

    by_type: dict
    micro: PrecisionRecall
    macro: PrecisionRecall
    weighted: PrecisionRecall
    accuracy: float
    is_constant: bool
    types: tuple
    confusion: np.ndarray

    def numbers(self):
        """Dict of the scores by the names in METRICS."""
        return {"f1": self.micro.f1, "precision": self.micro.precision, "recall": self.micro.recall,
                "macro_f1": self.macro.f1, "weighted_f1": self.weighted.f1, "accuracy": self.accuracy}


def tagging_scores(true_tags, predicted_tags, *, scheme):
    """Scores predicted tags; spans are read as conlleval and seqeval's default mode read them.

    Args:
        true_tags, predicted_tags: lists of lists of str, sentence by sentence, of equal lengths.
        scheme: "IOB1", "IOB2", "BIOES" or "plain".

    Returns:
        TaggingScores.

    >>> tagging_scores([["B-PER", "O"]], [["B-PER", "B-LOC"]], scheme="IOB2").micro   # precision 0.5, recall 1.0
    """
    by_type, *means = span_scores(*([scored_spans(tags, scheme) for tags in sentences]
                                    for sentences in (true_tags, predicted_tags)))
    true, predicted = ([tag for tags in sentences for tag in tags] for sentences in (true_tags, predicted_tags))
    hits = sum(one == other for one, other in zip(true, predicted, strict=True))
    types, confusion = _confusion(true, predicted, scheme)
    return TaggingScores(by_type, *means, accuracy=_ratio(hits, len(true)), types=types, confusion=confusion,
                         is_constant=len(set(predicted)) == 1 and len(set(true)) > 1)


def _confusion(true, predicted, scheme):
    """(names of types, counts of words by own and predicted type)."""
    type_of = {tag: tag if PLAIN == scheme or tag == OUTSIDE else split_tag(tag)[1] for tag in {*true, *predicted}}
    types = sorted(set(type_of.values()), key=lambda name: (name != OUTSIDE, name))
    place_of = {tag: types.index(name) for tag, name in type_of.items()}
    confusion = np.zeros([len(types)] * 2, int)
    np.add.at(confusion, ([place_of[tag] for tag in true], [place_of[tag] for tag in predicted]), 1)
    return tuple(types), confusion


def span_scores(true, predicted):
    """Scores predicted spans.

    Args:
        true, predicted: iterables of lists of Span, sentence by sentence.

    Returns:
        (type -> PrecisionRecall, the same over all spans, mean of the types, mean weighted by support).

    >>> span_scores([[Span("PER", 0, 2)]], [[Span("PER", 0, 1)]])[1].f1   # 0.0
    """
    num_true, num_predicted, num_hit = collections.Counter(), collections.Counter(), collections.Counter()
    for own, answer in zip(true, predicted, strict=True):
        num_true.update(span.type for span in own)
        num_predicted.update(span.type for span in answer)
        num_hit.update(span.type for span in set(own) & set(answer))
    by_type = {name: _precision_recall(num_hit[name], num_predicted[name], num_true[name])
               for name in sorted(num_true | num_predicted)}
    micro = _precision_recall(num_hit.total(), num_predicted.total(), num_true.total())
    return (by_type, micro, _mean(by_type.values(), [1] * len(by_type)),
            _mean(by_type.values(), [scores.support for scores in by_type.values()]))


def scored_spans(tags, scheme):
    """The spans of one sentence that are compared: those that the tags mean, or each word where tags mean themselves.

    >>> scored_spans(["NOUN"], "plain")   # [Span('NOUN', 0, 1)]
    """
    if scheme == PLAIN:
        return [Span(tag, place, place + 1) for place, tag in enumerate(tags)]
    return spans_of(tags)


def _precision_recall(num_hit, num_predicted, num_true):
    return PrecisionRecall(_ratio(num_hit, num_predicted), _ratio(num_hit, num_true),
                           _ratio(2 * num_hit, num_predicted + num_true), num_true)


def _mean(scores, weights):
    scores = list(scores)
    return PrecisionRecall(
        *(_ratio(sum(getattr(one, name) * weight for one, weight in zip(scores, weights)), sum(weights))
          for name in ("precision", "recall", "f1")), support=sum(one.support for one in scores))


def _ratio(numerator, denominator):
    return numerator / denominator if denominator else 0.0
