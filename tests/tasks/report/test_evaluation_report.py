"""The report of a tuned model on other data, from what its result.json and its predictions say."""

import pytest

from electra_tf.tasks.report.evaluation_report import evaluation_report
from electra_tf.tasks.report.page import report_html
from electra_tf.tasks.report.parts import Confusion, Histogram

RESULT = {"task": "text_classification", "metric": "accuracy", "score": 0.5, "examples": 1200,
          "metrics": {"accuracy": 0.5, "macro_f1": 0.4}, "versions": {"tensorflow": "2.21.0"},
          "settings": {"model": "runs/polarity", "data": "sets/other.tsv", "text_columns": ["sentence"]}}
LINES = [{"text": "<b>dull</b>", "label": "neg", "prediction": "pos", "probabilities": [0.1, 0.9]},
         {"text": "fine", "label": "pos", "prediction": "pos", "probabilities": [0.2, 0.8]}]


def part_of(report, title):
    section, = (section for section in report.sections if section.title == title)
    return section.parts[0]


def test_the_scores_stand_first():
    report = evaluation_report(RESULT, LINES)
    assert report.title == "text_classification: accuracy on other.tsv"
    assert report.lead == "runs/polarity answered 1,200 examples of sets/other.tsv."
    assert report.facts == [("accuracy", "0.5000", "of 1,200 examples")]
    assert part_of(report, "Scores").rows == (("accuracy", 0.5), ("macro_f1", 0.4))


def test_confusions_and_the_surest_mistakes_are_shown():
    report = evaluation_report(RESULT, LINES)
    assert isinstance(part_of(report, "Answers"), Confusion)
    assert part_of(report, "Most confidently wrong").rows == ((0.9, "neg", "pos", "<b>dull</b>"),)
    page = report_html(report)
    assert "2.21.0" in page and "&lt;b&gt;dull" in page and "<b>dull" not in page


def test_numbers_have_histograms_and_their_largest_errors():
    report = evaluation_report({**RESULT, "task": "regression"}, [{"text": "a", "label": 1.0, "prediction": 3.0}])
    assert isinstance(part_of(report, "Answers"), Histogram)
    assert part_of(report, "Largest errors").rows[0][0] == pytest.approx(2.0)


def test_without_a_mistake_no_mistakes_are_announced():
    titles = [section.title for section in evaluation_report(RESULT, LINES[1:]).sections]
    assert titles == ["Scores", "Settings and versions"]
