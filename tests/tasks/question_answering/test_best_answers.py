"""The best answers over windows: the original's own results, and spans that must never be answers."""

import numpy as np
import pytest

from electra_tf.tasks.question_answering.best_answers import best_answers
from electra_tf.tasks.question_answering.span_head import SpanBeam
from electra_tf.tasks.question_answering.windows import encode_windows
from electra_tf.text.tokenizer import Tokenizer
from tests.oracles.original_questions import TASKS, OriginalQuestions
from tests.tasks.tiny import tiny_vocabulary

CONTEXT = "a good film and a bad plot"


class OriginalResults:
    """The original's outputs for each window, and the answers it made of them."""

    def __init__(self, task):
        self.original = OriginalQuestions(task)
        examples = self.original.values["eval"]
        self.ids = [example["qas_id"] for example in examples]
        self.windows = self.original.windows(self.ids)
        self.results = [self.original.values["raw_results"][str(feature["eid"])]
                        for example in examples for feature in example["features"]]

    def array(self, name, dtype=np.float64):
        return np.array([result[name] for result in self.results], dtype)

    def answers(self, beams, *, has_classifier):
        config = self.original.config
        return best_answers(beams, self.windows, has_classifier=has_classifier, n_best=config["n_best_size"],
                            max_answer_length=config["max_answer_length"])

    def expected(self, name):
        values = self.original.values.get(name)
        return values and [values[one] for one in self.ids]


@pytest.fixture(scope="module", params=TASKS)
def originals(request):
    return OriginalResults(request.param)


def assert_probabilities(answers, null_scores, tolerance):
    if null_scores is not None:
        np.testing.assert_allclose([answer.no_answer_probability for answer in answers],
                                   1 / (1 + np.exp(-np.array(null_scores))), atol=tolerance)


def test_answers_of_the_joint_head_are_the_originals(originals):
    beams = SpanBeam(originals.array("start_top_log_probs"), originals.array("start_top_index", int),
                     originals.array("end_top_log_probs"), originals.array("end_top_index", int),
                     originals.array("answerable_logit"))
    answers = originals.answers(beams, has_classifier=True)
    expected = originals.expected("expected_predictions_joint")
    # Where a no-break space joins words the original loses the place and takes all of them; ours is exact.
    expected = ["contin" if text == "contingents\xa0who" else text for text in expected]
    assert [answer.best_text for answer in answers] == expected
    assert_probabilities(answers, originals.expected("expected_null_scores"), 1e-9)


def test_answers_of_the_independent_head_are_the_originals(originals):
    size = originals.original.config["n_best_size"]
    start, end = originals.array("start_logits"), originals.array("end_logits")
    starts, ends = (np.argsort(-logits, axis=1, kind="stable")[:, :size] for logits in (start, end))
    of_each_start = (len(start), size, size)
    beams = SpanBeam(np.take_along_axis(start, starts, 1), starts,
                     np.broadcast_to(np.take_along_axis(end, ends, 1)[:, None], of_each_start),
                     np.broadcast_to(ends[:, None], of_each_start), start[:, 0] + end[:, 0])
    answers = originals.answers(beams, has_classifier=False)
    assert [answer.best_text for answer in answers] == originals.expected(
        "expected_predictions_independent_no_classifier")
    assert_probabilities(answers, originals.expected("expected_null_scores_independent_no_classifier"), 1e-7)


def one_window(spans, *, context=CONTEXT, no_answer=-1.0):
    """(beams, windows) of one question, where `spans` are (score, start, end) in places of the row."""
    windows = encode_windows(Tokenizer(tiny_vocabulary()), ["film"], [context], sequence_length=30,
                             max_question_length=5, stride=9)
    size = len(spans)
    end_scores = np.full((1, size, size), -np.inf)
    end_scores[0, :, 0] = 0.0
    ends = np.zeros((1, size, size), int)
    ends[0, :, 0] = [end for *_, end in spans]
    return SpanBeam(np.array([[score for score, *_ in spans]], float), np.array([[start for _, start, _ in spans]]),
                    end_scores, ends, np.array([no_answer])), windows


def test_only_spans_of_the_context_are_answers_and_each_text_stands_once():
    # row: [CLS] film [SEP] a good film and a bad plot [SEP]
    spans = [(9.0, 0, 0), (8.0, 1, 1), (7.0, 3, 10), (6.0, 5, 4), (5.0, 3, 9), (4.0, 3, 3), (3.0, 7, 7), (2.0, 4, 5)]
    (answer,) = best_answers(*one_window(spans), has_classifier=True, max_answer_length=4)
    assert [(span.text, span.start, span.end) for span in answer.n_best] == [("a", 0, 1), ("good film", 2, 11)]
    np.testing.assert_allclose([span.probability for span in answer.n_best], np.exp([0, -2]) / np.exp([0, -2]).sum())
    assert (answer.text, answer.start, answer.end) == ("a", 0, 1)
    for span in answer.n_best:
        assert span.text == CONTEXT[span.start:span.end]


def test_n_best_is_cut():
    spans = [(5.0 - place, place, place) for place in range(3, 9)]
    (answer,) = best_answers(*one_window(spans), has_classifier=True, n_best=3)
    assert [span.text for span in answer.n_best] == ["a", "good", "film"]


@pytest.mark.parametrize("threshold, text", [(0.2, ""), (0.3, "good")])
def test_above_the_threshold_there_is_taken_to_be_none(threshold, text):
    beams, windows = one_window([(5.0, 4, 4)], no_answer=np.log(0.25 / 0.75))
    (answer,) = best_answers(beams, windows, has_classifier=True, no_answer_threshold=threshold)
    assert answer.no_answer_probability == pytest.approx(0.25)
    assert (answer.text, answer.best_text) == (text, "good")
    assert (answer.start, answer.end) == ((2, 6) if text else (None, None))
    assert answer.probability == pytest.approx(1.0 if text else 0.25)


def test_without_a_classifier_the_empty_span_competes_with_the_best():
    beams, windows = one_window([(5.0, 4, 4)], no_answer=6.0)
    (answer,) = best_answers(beams, windows, has_classifier=False)
    assert answer.no_answer_probability == pytest.approx(1 / (1 + np.exp(-1.0))) and answer.text == ""


def test_an_empty_context_answers_nothing_whatever_the_threshold():
    beams, windows = one_window([(5.0, 2, 2), (3.0, 0, 0)], context=" ", no_answer=-9.0)
    (answer,) = best_answers(beams, windows, has_classifier=True, no_answer_threshold=1.0)
    assert (answer.text, answer.start, answer.no_answer_probability, answer.n_best) == ("", None, 1.0, ())


def test_very_sure_answers_do_not_overflow():
    for logit, expected in ((2000.0, 1.0), (-2000.0, 0.0)):
        beams, windows = one_window([(5.0, 4, 4)], no_answer=logit)
        assert best_answers(beams, windows, has_classifier=True)[0].no_answer_probability == expected
