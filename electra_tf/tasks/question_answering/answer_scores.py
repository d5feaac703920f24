"""Exact match and F1 of answers, as the official scripts of SQuAD 1.1, SQuAD 2.0 and CMRC 2018 define them."""

import collections
import dataclasses
import re
import string

import numpy as np

from electra_tf.errors import InputError
from electra_tf.tasks.question_answering.average_precision import average_precision

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_WITHOUT_PUNCTUATION = str.maketrans("", "", string.punctuation)
# What CMRC's script leaves out, and nothing else.
_WITHOUT_CMRC_PUNCTUATION = str.maketrans("", "", "-:_*^/\\~`+=，。：？！“”；’《》·、「」（）－～『』")
# A Chinese character as CMRC's script knows them; a word of other letters, where a number keeps its commas; a sign.
_CMRC_TOKEN = re.compile(r"[\u4e00-\u9fa5]|[^\W\u4e00-\u9fa5]+(?:[.,][^\W\u4e00-\u9fa5]+)*|[^\w\s]")


def normalized(text):
    """An answer as SQuAD compares it: small letters, no ASCII punctuation, no English articles, single spaces.

    >>> normalized("The  Who!")   # 'who'
    """
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_WITHOUT_PUNCTUATION)).split())


def answer_score(text, gold_texts, *, scorer):
    """(exact match, F1) of one answer against the gold answer that it fits best.

    Args:
        text: the answer; "" says that there is none.
        gold_texts: the right answers; none where the question has no answer.
        scorer: "squad1" and "squad2" share words; "cmrc" shares the longest run of Chinese characters and words, and
            leaves out punctuation. Two answers without a word are equal, but in SQuAD 1.1 their F1 is 0.

    Returns:
        Two floats, 0..1.

    >>> answer_score("in the city", ("the city", "town"), scorer="squad1")   # (0.0, 0.667)
    """
    exact, f1 = _RULES[scorer]
    if scorer == "squad2":  # the script leaves out gold answers without a word, such as a lone article
        gold_texts = [gold for gold in gold_texts if normalized(gold)]
    golds = gold_texts or [""]
    return max(float(exact(text, gold)) for gold in golds), max(float(f1(text, gold)) for gold in golds)


def _squad_exact(text, gold):
    return normalized(text) == normalized(gold)


def _squad1_f1(text, gold):
    return _bag_f1(normalized(text).split(), normalized(gold).split())


def _squad2_f1(text, gold):
    words, gold_words = normalized(text).split(), normalized(gold).split()
    return _bag_f1(words, gold_words) if words and gold_words else words == gold_words


def _cmrc_exact(text, gold):
    return _cmrc_text(text) == _cmrc_text(gold)


def _cmrc_f1(text, gold):
    tokens, gold_tokens = (_CMRC_TOKEN.findall(_cmrc_text(one)) for one in (text, gold))
    if not (tokens and gold_tokens):  # the script knows no question without an answer
        return tokens == gold_tokens
    return _f1(_longest_common_run(tokens, gold_tokens), tokens, gold_tokens)


def _cmrc_text(text):
    return text.lower().strip().translate(_WITHOUT_CMRC_PUNCTUATION)


_SMALLEST = 1e-12  # probability whose log-odds still count
_RULES = {"squad1": (_squad_exact, _squad1_f1), "squad2": (_squad_exact, _squad2_f1), "cmrc": (_cmrc_exact, _cmrc_f1)}


def _bag_f1(words, gold_words):
    shared = collections.Counter(words) & collections.Counter(gold_words)
    return _f1(sum(shared.values()), words, gold_words)


def _f1(num_shared, tokens, gold_tokens):
    if num_shared == 0:
        return 0.0
    precision, recall = num_shared / len(tokens), num_shared / len(gold_tokens)
    return 2 * precision * recall / (precision + recall)


def _longest_common_run(first, second):
    """Length of the longest run of tokens that stands in both lists."""
    longest, previous = 0, [0] * (len(second) + 1)
    for token in first:
        current = [0]
        for place, other in enumerate(second):
            current.append(previous[place] + 1 if token == other else 0)
        longest, previous = max(longest, *current), current
    return longest


@dataclasses.dataclass(frozen=True)
class AnswerScores:
    """Scores of the answers to a set of questions, after the decision which of them have none.

    Attributes:
        scorer: "squad1", "squad2" or "cmrc".
        exact, f1: float [questions], of each question, 0..1.
        has_answer: bool [questions], whether the question has one.
        texts: the answers, "" where there is taken to be none.
        no_answer_threshold: the probability above which there is taken to be none; None where it was another for each
            part of the set.
        average_precisions: name -> float, 0..1, where some questions have no answer and the probabilities of that are
            known; see `numbers`.
    """

    scorer: str
    exact: np.ndarray
    f1: np.ndarray
    has_answer: np.ndarray
    texts: list
    no_answer_threshold: float | None
    average_precisions: dict = dataclasses.field(default_factory=dict)

    def numbers(self):
        """Dict of "f1" and "exact_match", 0..1; where some questions have no answer, also of both kinds of question.

        With probabilities of "no answer" there are also "f1_average_precision", "exact_match_average_precision" and
        "answerability_average_precision", which takes every answer for right: see `average_precision`.
        """
        numbers = {"f1": float(self.f1.mean()), "exact_match": float(self.exact.mean())}
        if self.has_answer.all():
            return numbers
        for name, which in (("has_answer", self.has_answer), ("no_answer", ~self.has_answer)):
            if which.any():
                numbers |= {f"{name}_f1": float(self.f1[which].mean()),
                            f"{name}_exact_match": float(self.exact[which].mean())}
        return numbers | self.average_precisions

    @property
    def is_constant(self):
        """Whether all answers are the same, though there are several questions and one answer does not fit them."""
        return len(self.texts) > 1 and len(set(self.texts)) == 1 and self.exact.mean() < 1


def score_answers(texts, gold_texts, *, scorer, no_answer_probabilities=None, no_answer_threshold=1.0):
    """Scores answers against the right ones.

    Args:
        texts: list of str, the best answer to each question, though there may be none.
        gold_texts: list of the right answers of each; empty where the question has none.
        scorer: "squad1", "squad2" or "cmrc".
        no_answer_probabilities: float [questions], or None.
        no_answer_threshold: float or float [questions]; an answer counts as "" where its probability is greater.

    Returns:
        AnswerScores.

    >>> score_answers(["Paris", "x"], [("paris",), ()], scorer="squad2", no_answer_probabilities=[0.1, 0.9],
    ...               no_answer_threshold=0.5).numbers()["f1"]   # 1.0
    """
    scores = np.array([answer_score(text, golds, scorer=scorer) for text, golds in zip(texts, gold_texts, strict=True)])
    exact, f1 = scores.reshape(-1, 2).T
    has_answer = np.array([bool(golds) for golds in gold_texts], bool)
    threshold = no_answer_threshold if np.isscalar(no_answer_threshold) else None
    precisions = {}
    if no_answer_probabilities is not None:
        if 0 < has_answer.sum() < len(has_answer):
            ranked = {"f1": f1, "exact_match": exact, "answerability": np.ones_like(f1)}
            precisions = {f"{name}_average_precision": average_precision(values, has_answer, no_answer_probabilities)
                          for name, values in ranked.items()}
        has_none = np.asarray(no_answer_probabilities) > no_answer_threshold
        exact, f1 = (np.where(has_none, ~has_answer, values) for values in (exact, f1))
        texts = ["" if none else text for none, text in zip(has_none, texts, strict=True)]
    return AnswerScores(scorer, exact, f1, has_answer, list(texts), threshold, precisions)


def best_no_answer_threshold(scores, texts, has_answer, no_answer_probabilities):
    """The threshold that gives the highest mean score, as SQuAD 2.0's script finds it.

    It is an optimist about the questions that it was found on: report it on others.

    Args:
        scores: float [questions], of the answers as they are.
        texts: the answers; "" to a question without one is right whatever the threshold.
        has_answer: bool [questions].
        no_answer_probabilities: float [questions].

    Returns:
        (mean score, threshold): the answer is "" where the probability is greater. 0 where answering nothing is best.

    >>> best_no_answer_threshold([1.0, 0.0], ["Paris", "x"], [True, False], [0.2, 0.7])   # (1.0, 0.2)
    """
    has_answer = np.asarray(has_answer, bool)
    is_given = np.array([bool(text) for text in texts], bool)
    gains = np.where(has_answer, scores, -is_given.astype(float))
    order = np.argsort(no_answer_probabilities, kind="stable")
    # Answering nothing first, then one question after the other, from the surest on.
    totals = np.concatenate([[0.0], np.cumsum(gains[order])]) + np.count_nonzero(~has_answer)
    best = int(totals.argmax())
    threshold = float(np.asarray(no_answer_probabilities)[order[best - 1]]) if best else 0.0
    return float(totals[best] / len(has_answer)), threshold


def middle_threshold(threshold, no_answer_probabilities):
    """A threshold for other questions: it decides these as `threshold` does, and stays away from all of them.

    Args:
        threshold: see `best_no_answer_threshold`.
        no_answer_probabilities: float [questions].

    Returns:
        The middle of the gap in which it lies, in log-odds; 1 where every question is answered.

    >>> middle_threshold(0.2, [0.1, 0.2, 0.8])   # 0.5
    """
    probabilities = np.asarray(no_answer_probabilities, float)
    above = probabilities[probabilities > threshold]
    if not len(above):
        return 1.0
    ends = np.clip([threshold, above.min()], _SMALLEST, 1 - _SMALLEST)
    middle = float(1 / (1 + np.exp(-np.log(ends / (1 - ends)).mean())))
    return middle if threshold <= middle < above.min() else threshold


def score_predictions(questions, predictions, *, scorer, no_answer_probabilities=None, no_answer_threshold=1.0):
    """Scores a predictions file, {id: text}, as the official scripts do.

    Args:
        questions: list of Question with gold answers.
        predictions: dict of str -> str. A question without one scores 0, in SQuAD 2.0 it is refused.
        scorer: "squad1", "squad2" or "cmrc".
        no_answer_probabilities: dict of str -> float, or None.
        no_answer_threshold: see `score_answers`.

    Returns:
        AnswerScores.

    Raises:
        InputError: a question has no prediction, no probability, or no gold answers to compare with.

    >>> score_predictions(rows.questions, {"q1": "Paris"}, scorer="squad1").numbers()["f1"]   # 0.5
    """
    ids = [question.id for question in questions]
    for question in questions:
        if question.gold_texts is None:
            raise InputError(f"question {question.id!r} has no answers in its file; there is nothing to score.")
    if scorer == "squad2":
        _require_all(ids, predictions, "prediction")
    if no_answer_probabilities is not None:
        _require_all(ids, no_answer_probabilities, "no-answer probability")
        no_answer_probabilities = [no_answer_probabilities[name] for name in ids]
    scores = score_answers([predictions.get(name, "") for name in ids], [question.gold_texts for question in questions],
                           scorer=scorer, no_answer_probabilities=no_answer_probabilities,
                           no_answer_threshold=no_answer_threshold)
    is_missing = np.array([name not in predictions for name in ids])
    return dataclasses.replace(scores, exact=np.where(is_missing, 0.0, scores.exact),
                               f1=np.where(is_missing, 0.0, scores.f1))


def _require_all(ids, values, noun):
    missing = [name for name in ids if name not in values]
    if missing:
        raise InputError(f"{len(missing)} of {len(ids)} questions have no {noun}, the first is {missing[0]!r}; "
                         f"give one for each.")
