"""Statistics over trials against numpy, by counting resamples, and by hand."""

import itertools
import json

import numpy as np
import pytest

from electra_tf.tasks.statistics.bootstrap import bootstrap_interval
from electra_tf.tasks.statistics.trials import (
    first_attempts,
    kept_attempts,
    trial_seed,
    trial_statistics,
    trials_summary,
    trials_table,
)

SCORES = [0.71, 0.78, 0.5, 0.755, 0.7625]


def attempt(trial, number, score, collapsed=False, **more):
    return {"trial": trial, "attempt": number, "seed": trial_seed(0, trial, number, num_trials=3), "score": score,
            "best_step": 40 + trial, "collapsed": collapsed, **more}


RESTARTED = [attempt(0, 0, 0.75), attempt(1, 0, 0.5, "constant prediction"), attempt(1, 1, 0.77), attempt(2, 0, 0.76)]


def test_statistics_are_those_of_numpy():
    found = trial_statistics(SCORES)
    assert found.count == 5
    assert found.median == np.median(SCORES)
    assert found.mean == pytest.approx(np.mean(SCORES), abs=1e-12)
    assert found.std == pytest.approx(np.std(SCORES, ddof=1), abs=1e-12)


def test_one_trial_has_no_spread_and_says_so():
    found = trial_statistics([0.75])
    assert (found.median, found.mean, found.std, found.interval) == (0.75, 0.75, None, None)
    assert found.sentence() == "median 0.7500, mean 0.7500; one trial shows no spread"
    assert json.loads(json.dumps(found.numbers(), allow_nan=False))["interval"] is None


@pytest.mark.parametrize("statistic", [np.mean, np.median])
def test_the_interval_is_that_of_all_resamples(statistic):
    """5^5 resamples, each as likely: the drawn ones must have the same quantiles, up to the noise of 10,000 draws."""
    all_resamples = np.sort([statistic(rows) for rows in itertools.product(SCORES, repeat=5)])
    low, high = bootstrap_interval(SCORES, statistic)
    for found, share in ((low, 0.025), (high, 0.975)):
        assert np.quantile(all_resamples, share - 0.006) <= found <= np.quantile(all_resamples, share + 0.006)


def test_the_interval_follows_the_seed_and_the_level():
    scores = np.random.default_rng(0).normal(size=30)
    assert bootstrap_interval(scores, seed=1) == bootstrap_interval(scores, seed=1)
    assert bootstrap_interval(scores, seed=1) != bootstrap_interval(scores, seed=2)
    narrow, wide = bootstrap_interval(scores, level=0.5), bootstrap_interval(scores, level=0.99)
    assert wide[0] < narrow[0] < scores.mean() < narrow[1] < wide[1]


@pytest.mark.parametrize(("count", "expected"), [(3, 0.75), (10, 0.90)])
def test_intervals_of_few_trials_hold_the_truth_as_often_as_the_guide_says(count, expected):
    random = np.random.default_rng(2)
    intervals = np.array([bootstrap_interval(random.normal(size=count), resamples=200, seed=seed)
                          for seed in range(400)])
    assert ((intervals[:, 0] <= 0) & (intervals[:, 1] >= 0)).mean() == pytest.approx(expected, abs=0.05)


def test_the_interval_resamples_whole_rows():
    rows = np.array([[1, 1], [0, 0], [1, 1], [0, 0], [1, 1]])
    assert bootstrap_interval(rows, lambda drawn: float(np.mean(drawn[:, 0] == drawn[:, 1])), resamples=50) == (1, 1)


def test_no_seed_is_used_twice():
    seeds = [trial_seed(5, trial, number, num_trials=4) for trial in range(4) for number in range(6)]
    assert len(set(seeds)) == len(seeds)
    assert [trial_seed(5, trial, 0, num_trials=4) for trial in range(4)] == [5, 6, 7, 8]
    assert 0 <= trial_seed(2**31 - 1, 3, 2, num_trials=4) < 2**31


def test_restarted_trials_count_with_and_without():
    assert [entry["score"] for entry in kept_attempts(RESTARTED)] == [0.75, 0.77, 0.76]
    assert [entry["score"] for entry in first_attempts(RESTARTED)] == [0.75, 0.5, 0.76]
    summary = trials_summary(RESTARTED)
    assert (summary["median"], summary["num_trials"], summary["restarts"], summary["collapsed"]) == (0.76, 3, 1, 0)
    assert summary["without_restarts"]["median"] == 0.75
    assert summary["without_restarts"]["mean"] == pytest.approx((0.75 + 0.5 + 0.76) / 3)


def test_a_trial_that_stayed_collapsed_is_counted():
    entries = [attempt(0, 0, 0.5, True), attempt(0, 1, 0.5, True)]
    assert (trials_summary(entries)["collapsed"], trials_summary(entries)["restarts"]) == (1, 1)


def test_entries_without_numbers_are_one_trial_each():
    entries = [{"seed": seed, "score": score, "best_step": 9, "collapsed": False}
               for seed, score in enumerate((0.5, 0.75))]
    assert kept_attempts(entries) == first_attempts(entries) == entries
    assert "without_restarts" not in trials_summary(entries)


def test_the_table_shows_every_attempt_and_both_summaries():
    lines = trials_table(RESTARTED, metric="accuracy").splitlines()
    assert [line.split() for line in lines[:5]] == [
        ["trial", "seed", "score", "best", "step", "collapsed"],
        ["1", "0", "0.7500", "40", "no"],
        ["2", "1", "0.5000", "41", "constant", "prediction"],
        ["2", "4", "0.7700", "41", "no", "(restart", "1)"],
        ["3", "2", "0.7600", "42", "no"]]
    assert lines[5].startswith("accuracy of 3 trials: median 0.7600, mean 0.7600, standard deviation 0.0100, 95 % ")
    assert lines[6].startswith("1 collapsed attempt was restarted with other seeds; without restarts: median 0.7500")
    assert len(lines) == 7
    hashed = trials_table(RESTARTED, metric="accuracy", settings_hash="0123456789abcdef").splitlines()
    assert hashed == [*lines, "settings hash 0123456789ab"]
