"""Two runs on the same examples: the difference, its interval, and whether it could be chance, in plain words."""

import dataclasses

from electra_tf.errors import InputError
from electra_tf.tasks.statistics.bootstrap import LEVEL, bootstrap_interval
from electra_tf.tasks.statistics.paired_metrics import paired_metric
from electra_tf.tasks.statistics.prediction_files import read_predictions, require_same_examples
from electra_tf.tasks.statistics.randomization import RandomizationTest, randomization_test

# Each resample scores all examples twice; the ends of an interval need no more digits than these give.
_RESAMPLES = 2_000
_SIGNIFICANT = 0.05
# What must be equal for two scores to be of one kind.
_SAME_IN_RESULTS = ("task", "split")


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Two runs and their difference.

    Attributes:
        first, second: what was compared, as it was named.
        metric, split: which score, of which set ("" where the runs do not say).
        examples: how many both answered.
        scores: (first, second).
        intervals: 95 % bootstrap intervals of the two scores over the examples.
        difference_interval: the same of the difference, first minus second, with the examples kept paired.
        test: RandomizationTest.
    """

    first: str
    second: str
    metric: str
    split: str
    examples: int
    scores: tuple
    intervals: tuple
    difference_interval: tuple
    test: RandomizationTest

    def numbers(self):
        """Dict ready for JSON."""
        return dataclasses.asdict(self)

    def __str__(self):
        """The comparison as a few sentences."""
        percent = f"{100 * LEVEL:.0f} %"
        lines = [f"{name}: {self.metric} {score:.4f}, {percent} interval over the examples {low:.4f} to {high:.4f}"
                 for name, score, (low, high) in zip((self.first, self.second), self.scores, self.intervals,
                                                     strict=True)]
        low, high = self.difference_interval
        of_split = f" of {self.split}" * bool(self.split)
        lines.append(f"difference {self.test.difference:+.4f}, {percent} interval {low:+.4f} to {high:+.4f}; they "
                     f"differ in {self.test.differing:,} of {self.examples:,} examples{of_split}")
        how = (f"all {self.test.exchanges:,} exchanges of answers" if self.test.is_exact else
               f"{self.test.exchanges:,} random exchanges of answers")
        lines.append(f"p = {self.test.p_value:.2g} (paired approximate randomization, {how})")
        return "\n".join([*lines, _verdict(self)])


def compare_results(first, second, *, metric=None, seed=0):
    """Compares what two runs answered to the same examples.

    Args:
        first, second: run folders with predictions.jsonl and result.json, or such prediction files.
        metric: see `paired_metric`; None takes the metric of the first run's result.json.
        seed: of the test and of the intervals.

    Returns:
        Comparison; `print` shows it in sentences.

    Raises:
        InputError: files that cannot be read, runs of different tasks, splits or examples, or a metric that the
            predictions do not have.

    >>> print(compare_results("runs/small", "runs/random", metric="accuracy"))
    """
    (first_lines, first_result), (second_lines, second_result) = read_predictions(first), read_predictions(second)
    for name in _SAME_IN_RESULTS:
        values = [result.get(name) for result in (first_result, second_result)]
        if None not in values and values[0] != values[1]:
            raise InputError(f"{name} is {values[0]!r} in {first} and {values[1]!r} in {second}; give two runs that "
                             f"answered the same examples.")
    require_same_examples(first_lines, second_lines, names=(str(first), str(second)))
    metric = metric or first_result.get("metric")
    if metric is None:
        raise InputError(f"--metric must be given, as no result.json beside {first} names one.")
    paired = paired_metric(metric, first_lines, second_lines)
    rows = list(range(len(first_lines)))
    settings = {"resamples": _RESAMPLES, "seed": seed}
    return Comparison(
        str(first), str(second), metric, first_result.get("split") or "", len(rows),
        (paired.score(paired.first), paired.score(paired.second)),
        tuple(bootstrap_interval(array, paired.score, **settings) for array in (paired.first, paired.second)),
        bootstrap_interval(rows, lambda drawn: paired.score(paired.first[drawn]) - paired.score(paired.second[drawn]),
                           **settings),
        randomization_test(paired.first, paired.second, paired.score, seed=seed))


def _verdict(comparison):
    test = comparison.test
    if test.differing == 0:
        return "Both answered alike: there is nothing to tell apart."
    chance = (f"If both models were equally good, a difference this large would come out in {100 * test.p_value:.2g} % "
              f"of such comparisons")
    if test.p_value >= _SIGNIFICANT:
        conclusion = f"{chance}, so these examples do not show that one is better."
    else:
        better = comparison.first if test.difference > 0 else comparison.second
        conclusion = f"{chance}, so on examples like these {better} is better."
    return (f"{conclusion} This compares two tuned models, not two ways of training: for that, compare several trials "
            f"of each.")
