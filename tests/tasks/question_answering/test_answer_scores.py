"""Exact match and F1 are those of the official scripts: their numbers for 1.1 and 2.0, hand-made ones for CMRC."""

import json

import numpy as np
import pytest

from electra_tf.errors import InputError
from electra_tf.tasks.question_answering.answer_scores import (
    answer_score,
    best_no_answer_threshold,
    middle_threshold,
    normalized,
    score_answers,
    score_predictions,
)
from electra_tf.tasks.question_answering.average_precision import average_precision
from electra_tf.tasks.question_answering.question_files import read_questions
from tests.oracles.shared import shared_path


def oracle(name):
    return json.loads(shared_path(f"oracles/squad/{name}.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def version2():
    return read_questions(shared_path("oracles/squad/v2_data.json")).questions


@pytest.fixture(scope="module")
def version1():
    return read_questions(shared_path("oracles/squad/v1_data.json")).questions


def percent(numbers, name):
    return pytest.approx(100 * numbers[name], abs=1e-10)


def test_each_question_of_squad_2_scores_as_in_the_script(version2):
    scores = score_predictions(version2, oracle("v2_predictions"), scorer="squad2")
    expected = oracle("v2_expected")["per_question_raw"]
    for question, text, exact, f1 in zip(version2, scores.texts, scores.exact, scores.f1, strict=True):
        values = expected[question.id]
        assert (exact, f1) == (values["exact"], pytest.approx(values["f1"], abs=1e-12)), question.id
        assert normalized(text) == values["normalized_prediction"]


@pytest.mark.parametrize("threshold", ["-2.75", "-1.0", "0.0", "0.5", "1.0"])
def test_the_totals_of_squad_2_at_a_threshold(version2, threshold):
    expected = oracle("v2_expected")["thresholds"][threshold]
    scores = score_predictions(version2, oracle("v2_predictions"), scorer="squad2",
                               no_answer_probabilities=oracle("v2_na_scores"), no_answer_threshold=float(threshold))
    numbers = scores.numbers()
    for theirs, ours in (("exact", "exact_match"), ("f1", "f1"), ("HasAns_exact", "has_answer_exact_match"),
                         ("HasAns_f1", "has_answer_f1"), ("NoAns_exact", "no_answer_exact_match"),
                         ("NoAns_f1", "no_answer_f1")):
        assert expected[theirs] == percent(numbers, ours), theirs
    assert len(scores.exact) == expected["total"] and scores.has_answer.sum() == expected["HasAns_total"]


def test_the_totals_of_squad_2_without_probabilities(version2):
    numbers = score_predictions(version2, oracle("v2_predictions"), scorer="squad2").numbers()
    expected = oracle("v2_expected")["without_na_file_threshold_1.0"]
    assert expected["exact"] == percent(numbers, "exact_match") and expected["f1"] == percent(numbers, "f1")


def test_the_best_thresholds_of_squad_2(version2):
    scores = score_predictions(version2, oracle("v2_predictions"), scorer="squad2")
    expected, scales = oracle("v2_expected")["thresholds"]["0.0"], oracle("v2_na_scores")
    probabilities = [scales[question.id] for question in version2]
    for values, name in ((scores.exact, "exact"), (scores.f1, "f1")):
        best, threshold = best_no_answer_threshold(values, scores.texts, scores.has_answer, probabilities)
        assert 100 * best == pytest.approx(expected[f"best_{name}"])
        assert threshold == expected[f"best_{name}_thresh"]


def test_the_average_precisions_of_squad_2(version2):
    numbers = score_predictions(version2, oracle("v2_predictions"), scorer="squad2", no_answer_threshold=-1.0,
                                no_answer_probabilities=oracle("v2_na_scores")).numbers()
    expected = oracle("v2_expected")["precision_recall_raw_scores"]
    for theirs, ours in (("pr_exact_ap", "exact_match"), ("pr_f1_ap", "f1"), ("pr_oracle_ap", "answerability")):
        assert expected[theirs] == percent(numbers, f"{ours}_average_precision")


def test_average_precision_is_the_area_under_all_thresholds():
    random = np.random.default_rng(6)
    for _ in range(30):
        scores, has_answer = random.random(9), np.append(random.random(8) < 0.6, True)
        probabilities = random.random(9).round(1)  # some are equal
        area, recall = 0.0, 0.0
        for threshold in sorted(set(probabilities)):
            answered = [place for place in range(9) if probabilities[place] <= threshold]
            right = sum(scores[place] for place in answered if has_answer[place])
            area += right / len(answered) * (right / sum(has_answer) - recall)
            recall = right / sum(has_answer)
        assert average_precision(scores, has_answer, probabilities) == pytest.approx(area)
        order = random.permutation(9)
        assert average_precision(scores[order], has_answer[order], probabilities[order]) == pytest.approx(area)


def test_average_precisions_need_both_kinds_of_questions_and_their_probabilities():
    def names(gold_texts, **settings):
        numbers = score_answers(["Paris", "x"], gold_texts, scorer="squad2", **settings).numbers()
        return {name for name in numbers if name.endswith("average_precision")}
    known = {"no_answer_probabilities": [0.1, 0.9]}
    assert len(names([("Paris",), ()], **known)) == 3
    assert names([("Paris",), ()]) == names([("Paris",), ("x",)], **known) == names([(), ()], **known) == set()


def test_a_threshold_is_the_best_of_all_by_brute_force():
    random = np.random.default_rng(5)
    for _ in range(30):
        f1, has_answer = random.random(8).round(1), random.random(8) < 0.6
        probabilities, texts = random.random(8), list(random.choice(["", "x"], 8))
        f1 = np.where(has_answer, f1, [not text for text in texts])
        best, threshold = best_no_answer_threshold(f1, texts, has_answer, probabilities)
        by_threshold = [np.where(probabilities > one, ~has_answer, f1).mean() for one in [-1.0, *probabilities]]
        assert best == pytest.approx(max(by_threshold))
        if best > by_threshold[0]:
            assert np.where(probabilities > threshold, ~has_answer, f1).mean() == pytest.approx(best)
        else:
            assert threshold == 0.0


@pytest.mark.parametrize("threshold, probabilities, middle", [
    (0.2, [0.1, 0.2, 0.8], 0.5), (0.0, [0.4, 0.5], None), (0.8, [0.1, 0.8], 1.0), (0.0, [0.0, 0.0], 1.0),
    (1e-30, [1e-30, 1e-20], None), (0.5, [0.5, 1.0], None)])
def test_a_threshold_for_others_lies_in_the_middle_of_its_gap(threshold, probabilities, middle):
    found = middle_threshold(threshold, probabilities)
    assert middle is None or found == pytest.approx(middle)
    decided = np.array(probabilities) > threshold
    np.testing.assert_array_equal(np.array(probabilities) > found, decided)


def test_a_question_of_squad_2_without_a_prediction_is_refused(version2):
    predictions = oracle("v2_predictions")
    missing = oracle("v2_expected")["with_one_missing_prediction_threshold_0.0"]["missing_id"]
    predictions.pop(version2[7].id)
    with pytest.raises(InputError, match="1 of 60 questions have no prediction, the first is 'q007'"):
        score_predictions(version2, predictions, scorer="squad2")
    assert missing not in predictions
    with pytest.raises(InputError, match="60 of 60 questions have no no-answer probability"):
        score_predictions(version2, oracle("v2_predictions"), scorer="squad2", no_answer_probabilities={})


def test_each_question_of_squad_1_scores_as_in_the_script(version1):
    expected = oracle("v1_expected")
    scores = score_predictions(version1, oracle("v1_predictions"), scorer="squad1")
    for question, exact, f1 in zip(version1, scores.exact, scores.f1, strict=True):
        values = expected["per_question"].get(question.id, {"exact": 0, "f1": 0})  # one has no prediction
        assert (exact, f1) == (values["exact"], pytest.approx(values["f1"], abs=1e-12)), question.id
    for questions, name in ((version1, "all_51_questions_one_without_prediction"),
                            (version1[:50], "first_50_questions")):
        numbers = score_predictions(questions, oracle("v1_predictions"), scorer="squad1").numbers()
        assert expected[name] == {"exact_match": percent(numbers, "exact_match"), "f1": percent(numbers, "f1")}


@pytest.mark.parametrize("text, golds, exact, f1", [
    ("\u5149\u8363\u548c\u03c9-force", ("\u5149\u8363\u548c\u03c9-Force\u3002",), 1, 1),  # small letters, no signs
    ("\u5317\u4eac\u5e02", ("\u5317\u4eac",), 0, 2 * 2 / (3 + 2)),
    ("\u5317\u4eac\u9996\u90fd", ("\u5317\u4eac\u662f\u9996\u90fd",), 0, 2 * 2 / (4 + 5)),  # the longest run alone
    ("308 \u5206", ("308",), 0, 2 / 3),
    ("1,000\u4eba", ("1,000\u4eba", "x"), 1, 1),
    ("New York\u5e02", ("york\u5e02",), 0, 2 * 2 / (3 + 2)),
    ("\u4eba", ("\u5317\u4eac",), 0, 0),
    ("", ("\u5317\u4eac",), 0, 0),
    ("", (), 1, 1),
    ("\uff0c", (), 1, 1),  # nothing is left of it
    ("\u4eba", (), 0, 0),
])
def test_chinese_is_compared_by_characters_as_cmrc_does(text, golds, exact, f1):
    assert answer_score(text, golds, scorer="cmrc") == (exact, pytest.approx(f1))


def test_scores_of_a_set_without_unanswerable_questions_are_two_numbers():
    scores = score_answers(["Paris", "Rome"], [("paris",), ("Oslo", "the Rome")], scorer="squad1")
    assert scores.numbers() == {"f1": 1.0, "exact_match": 1.0} and not scores.is_constant


def test_a_constant_answer_is_recognised():
    golds = [("Paris",), ("Rome",), ()]
    assert score_answers(["Rome"] * 3, golds, scorer="squad2").is_constant
    assert score_answers(["Paris", "x", "y"], golds, scorer="squad2", no_answer_threshold=0.5,
                         no_answer_probabilities=[0.9, 0.9, 0.9]).is_constant
    assert not score_answers(["Rome"] * 2, [("Rome",), ("rome",)], scorer="squad2").is_constant


def test_a_file_without_answers_cannot_be_scored(tmp_path):
    path = tmp_path / "test.json"
    path.write_text(json.dumps({"data": [{"paragraphs": [{"context": "x", "qas": [{"id": "q", "question": "?"}]}]}]}))
    with pytest.raises(InputError, match="question 'q' has no answers in its file"):
        score_predictions(read_questions(path).questions, {"q": "x"}, scorer="squad1")
