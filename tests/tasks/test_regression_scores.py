"""Correlations and squared error against scipy's and scikit-learn's values."""

import json
import math

import numpy as np
import pytest

from electra_tf.tasks.kendall import kendall
from electra_tf.tasks.regression_scores import RegressionScores, mean_ranks, mean_squared_error, pearson, spearman
from tests.oracles.shared import shared_path

FUNCTIONS = {"pearson": pearson, "spearman": spearman, "kendall_tau_b": kendall,
             "mean_squared_error": mean_squared_error}


def cases():
    found = json.loads(shared_path("oracles/glue_metrics/glue_metrics.json").read_text())["regression"]
    assert len(found) == 31
    return [case for case in found if case["name"] != "nearly-constant"]  # rounding noise, as its README says


@pytest.mark.parametrize("name", FUNCTIONS)
def test_scores_are_those_of_scipy(name):
    compared = 0
    for case in cases():
        expected = case[name]
        if "error" in expected:  # scipy refuses; ours is for finite numbers, two or more
            continue
        found = FUNCTIONS[name](*(np.array(case[side], float) for side in ("labels", "predictions")))
        value = float(expected["value"])
        if math.isnan(value):
            assert math.isnan(found), case["name"]
        else:
            tolerance = 1e-6 if case["name"] == "large-offset" else 1e-9
            assert found == pytest.approx(value, abs=tolerance), case["name"]
        compared += 1
    assert compared >= 26


def test_ties_share_their_mean_rank():
    assert mean_ranks([30, 10, 20, 20, 20]).tolist() == [5, 1, 3, 3, 3]


def test_a_constant_answer_counts_nothing_and_is_recognised():
    constant = RegressionScores(np.array([0.0, 1.0, 2.0]), np.array([1.0, 1.0, 1.0]))
    assert constant.is_constant
    assert constant.numbers() == {"pearson": 0, "spearman": 0, "kendall": 0,
                                  "mean_squared_error": pytest.approx(2 / 3)}
    assert not RegressionScores(np.array([0.0, 1.0]), np.array([1.0, 1.5])).is_constant


@pytest.mark.parametrize("decimals", [0, 1, 8])
def test_kendall_counts_every_pair(decimals):
    random = np.random.default_rng(decimals)
    for count in (2, 3, 10, 117):
        first = random.normal(size=count)
        second = np.round(first + random.normal(size=count), decimals)
        first = np.round(first, decimals)
        signs = [np.sign(side[:, None] - side) for side in (first, second)]
        pairs = math.sqrt(np.abs(signs[0]).sum() * np.abs(signs[1]).sum())
        expected = (signs[0] * signs[1]).sum() / pairs if pairs else math.nan
        assert kendall(first, second) == pytest.approx(expected, abs=1e-12, nan_ok=True)


@pytest.mark.parametrize("values", [
    ([1, 1, 1], [1, 2, 3]), ([1, 2, 3], [2, 2, 2]), ([1, 2, np.nan], [1, 2, 3]), ([1], [1])])
def test_kendall_of_a_constant_side_is_not_a_number(values):
    assert math.isnan(kendall(*values))
