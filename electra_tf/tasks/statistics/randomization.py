"""Do two models differ on the same examples? The paired approximate randomization test (Noreen 1989, Yeh 2000)."""

import dataclasses

import numpy as np

SHUFFLES = 10_000
# Up to this many examples that differ, all 2^n exchanges are tried: 8,192.
_MOST_ENUMERATED = 13
# Equal differences must count as equal after another order of additions.
_ROUNDING = 1e-12


@dataclasses.dataclass(frozen=True)
class RandomizationTest:
    """What the test found.

    Attributes:
        difference: score of the first minus score of the second.
        p_value: share of the exchanges whose difference is as large or larger, on either side.
        exchanges: how many were tried.
        is_exact: whether these were all there are.
        differing: examples at which the two differ at all.
    """

    difference: float
    p_value: float
    exchanges: int
    is_exact: bool
    differing: int


def randomization_test(first, second, score, *, shuffles=SHUFFLES, seed=0):
    """Tests whether the difference between two models' scores could come from chance.

    If both were equally good, exchanging their answers to any example would change nothing; so the answers to each
    example are exchanged or not by a coin, and the p-value is the share of such exchanges with a difference at least
    as large. The difference as it was counts as one of them, (r + 1) / (n + 1), so the value is never 0. Where few
    examples differ, all exchanges are tried and the p-value is exact.

    Args:
        first, second: arrays [examples, ...] of what the score needs of each example (such as whether it is right, or
            label and prediction), in the same order.
        score: function of one such array that returns a number.
        shuffles: exchanges to draw where not all are tried.
        seed: of the draws.

    Returns:
        RandomizationTest.

    >>> randomization_test([1, 1, 1, 1], [0, 0, 0, 0], np.mean).p_value   # 0.125, 2 of 16 exchanges
    """
    first, second = np.asarray(first), np.asarray(second)
    differing = np.flatnonzero((first != second).reshape(len(first), -1).any(axis=1))
    difference = float(score(first) - score(second))
    is_exact = len(differing) <= _MOST_ENUMERATED
    exchanges = _all_exchanges(len(differing)) if is_exact else _drawn_exchanges(len(differing), shuffles, seed)
    as_large = 0
    for is_exchanged in exchanges:
        rows = differing[is_exchanged]
        one, other = first.copy(), second.copy()
        one[rows], other[rows] = second[rows], first[rows]
        as_large += abs(score(one) - score(other)) >= abs(difference) - _ROUNDING
    tried = 2 ** len(differing) if is_exact else shuffles
    p_value = as_large / tried if is_exact else (as_large + 1) / (tried + 1)
    return RandomizationTest(difference, float(p_value), tried, is_exact, len(differing))


def _all_exchanges(count):
    for number in range(2 ** count):
        yield (number >> np.arange(count) & 1).astype(bool)


def _drawn_exchanges(count, shuffles, seed):
    random = np.random.default_rng(seed)
    for _ in range(shuffles):
        yield random.random(count) < 0.5
