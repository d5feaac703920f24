"""The randomization test against counting, the binomial distribution, and its own promise without a difference."""

import itertools
import math

import numpy as np
import pytest

from electra_tf.tasks.classification_scores import classification_scores
from electra_tf.tasks.statistics.randomization import randomization_test


def sign_test(wins, losses):
    """Two-sided exact p-value of McNemar's test: what exchanging right and wrong answers amounts to."""
    count, least = wins + losses, max(wins, losses)
    return min(1.0, sum(math.comb(count, number) for number in range(count + 1)
                        if abs(2 * number - count) >= 2 * least - count) / 2**count)


@pytest.mark.parametrize(("wins", "losses", "ties"), [(5, 0, 3), (7, 2, 0), (4, 4, 9), (9, 4, 1)])
def test_few_examples_give_the_exact_value_of_mcnemars_test(wins, losses, ties):
    first = np.array([1] * wins + [0] * losses + [1] * ties)
    second = np.array([0] * wins + [1] * losses + [1] * ties)
    found = randomization_test(first, second, np.mean)
    assert found.is_exact and found.exchanges == 2 ** (wins + losses) and found.differing == wins + losses
    assert found.difference == pytest.approx((wins - losses) / len(first))
    assert found.p_value == pytest.approx(sign_test(wins, losses), abs=1e-12)


def macro_f1(rows):
    return classification_scores(rows[:, 0], rows[:, 1], num_labels=3).numbers()["macro_f1"]


def example_runs(rows, seed, noise=(0.2, 0.4)):
    random = np.random.default_rng(seed)
    labels = random.integers(3, size=rows)
    return [np.stack([labels, np.where(random.random(rows) < share, random.integers(3, size=rows), labels)], axis=1)
            for share in noise]


def test_a_metric_of_many_columns_is_enumerated_in_full():
    """All 2^n exchanges written out here, over all rows and not only those that differ."""
    first, second = example_runs(9, seed=3)
    observed = macro_f1(first) - macro_f1(second)
    as_large = 0
    for exchange in itertools.product([False, True], repeat=9):
        swap = np.array(exchange)[:, None]
        one, other = np.where(swap, second, first), np.where(swap, first, second)
        as_large += abs(macro_f1(one) - macro_f1(other)) >= abs(observed) - 1e-12
    found = randomization_test(first, second, macro_f1)
    assert found.is_exact and found.p_value == pytest.approx(as_large / 2**9, abs=1e-12)


def test_many_examples_come_near_the_exact_value_with_the_rule_of_one():
    wins, losses = 30, 14
    first, second = np.array([1] * wins + [0] * losses), np.array([0] * wins + [1] * losses)
    found = randomization_test(first, second, np.mean, shuffles=4000)
    assert not found.is_exact and found.exchanges == 4000
    exact = sign_test(wins, losses)
    assert abs(found.p_value - exact) < 4 * math.sqrt(exact * (1 - exact) / 4000) + 1 / 4000
    # (r + 1) / (n + 1) with a whole r
    assert found.p_value * 4001 == pytest.approx(round(found.p_value * 4001), abs=1e-6)


def test_a_drawn_p_value_is_never_zero():
    found = randomization_test(np.ones(200), np.zeros(200), np.mean, shuffles=99)
    assert found.p_value == pytest.approx(1 / 100)


def test_the_value_follows_the_seed_and_not_the_order_of_the_two():
    first, second = example_runs(60, seed=1)
    one, same, other = (randomization_test(first, second, macro_f1, shuffles=200, seed=seed) for seed in (1, 1, 2))
    swapped = randomization_test(second, first, macro_f1, shuffles=200, seed=1)
    assert one == same and one.p_value != other.p_value
    assert (swapped.p_value, swapped.difference) == (one.p_value, -one.difference)


def test_equal_answers_differ_by_nothing():
    first, _ = example_runs(20, seed=0)
    found = randomization_test(first, first.copy(), macro_f1)
    assert (found.difference, found.p_value, found.differing) == (0.0, 1.0, 0)


def test_models_that_are_equally_good_are_seldom_called_different():
    """Of 150 comparisons of two equally noisy models about 5 % may have p < 0.05, and few more."""
    values = [randomization_test(*example_runs(40, seed=seed, noise=(0.3, 0.3)),
                                 lambda rows: (rows[:, 0] == rows[:, 1]).sum() / 40, shuffles=99).p_value
              for seed in range(150)]
    assert np.mean(np.array(values) < 0.05) <= 0.08
    assert np.mean(np.array(values) < 0.5) > 0.25


def test_inputs_are_left_as_they_are():
    first, second = example_runs(30, seed=2)
    copies = first.copy(), second.copy()
    randomization_test(first, second, macro_f1, shuffles=20)
    assert (first == copies[0]).all() and (second == copies[1]).all()
