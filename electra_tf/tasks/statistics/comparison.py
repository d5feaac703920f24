"""Two runs on the same examples: the difference, its interval, and whether it could be chance, in plain words."""

import dataclasses
import statistics

import numpy as np

from electra_tf.errors import InputError
from electra_tf.tasks.result_file import DATA_SPLIT
from electra_tf.tasks.statistics.bootstrap import LEVEL, bootstrap_interval
from electra_tf.tasks.statistics.paired_metrics import LOWER_IS_BETTER, paired_metric
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
        scores: (first, second), each the list of the trials' scores.
        intervals: 95 % bootstrap intervals of the two means over the examples.
        difference_interval: the same of the difference, first minus second, with the examples kept paired.
        test: RandomizationTest.
        folds: how many folds' answers were put together on either side; 0 where each trial answered all examples.
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
    folds: int = 0

    def numbers(self):
        """Dict ready for JSON."""
        return dataclasses.asdict(self)

    def __str__(self):
        """The comparison as a few sentences."""
        percent = f"{100 * LEVEL:.0f} %"
        lines = [f"{name}: {_score_words(self.metric, scores, self.folds)}, {percent} interval over the examples "
                 f"{low:.4f} to {high:.4f}" for name, scores, (low, high) in zip((self.first, self.second), self.scores,
                                                                     self.intervals, strict=True)]
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
        first, second: folders of runs with equally many trials, whose mean scores are compared; of cross-validations
            with the same folds, whose answers together are one answer to each example; of one trial each
            (RUN/trials/SEED); or outputs of `evaluate`. The result.json or predictions.jsonl of a folder may stand for
            it.
        metric: see `paired_metric`; None takes the metric of the first run's result.json.
        seed: of the test and of the intervals.

    Returns:
        Comparison; `print` shows it in sentences.

    Raises:
        InputError: files that cannot be read, runs of different tasks, splits, folds or examples, or a metric that the
            predictions do not have.

    >>> print(compare_results("runs/small", "runs/random", metric="accuracy"))
    """
    first, second = read_predictions(first), read_predictions(second)
    splits = [run.result.get("split") for run in (first, second)]
    for name in _SAME_IN_RESULTS:
        values = [run.result.get(name) for run in (first, second)]
        # Other data may be any set; whether it is the same one shows in the examples.
        if DATA_SPLIT not in splits and None not in values and values[0] != values[1]:
            raise InputError(f"{name} is {values[0]!r} in {first.source} and {values[1]!r} in {second.source}; give "
                             f"two runs that answered the same examples.")
    require_same_examples(first, second)
    metric = metric or first.result.get("metric")
    if metric is None:
        raise InputError(f"--metric must be given, as {first.source} belongs to no run whose result.json names one.")
    paired = paired_metric(metric, first.trials, second.trials)
    settings = {"resamples": _RESAMPLES, "seed": seed}
    return Comparison(
        first.source, second.source, metric, "" if splits[0] in (None, DATA_SPLIT) else splits[0], len(paired.first),
        (paired.scores(paired.first), paired.scores(paired.second)),
        tuple(bootstrap_interval(rows, paired.score, **settings) for rows in (paired.first, paired.second)),
        bootstrap_interval(np.arange(len(paired.first)),
                           lambda drawn: paired.score(paired.first[drawn]) - paired.score(paired.second[drawn]),
                           **settings),
        randomization_test(paired.first, paired.second, paired.score, seed=seed), max(first.folds, second.folds))


def _score_words(metric, scores, folds):
    if folds:
        return f"{metric} {scores[0]:.4f} of the answers of {folds} folds together"
    if len(scores) == 1:
        return f"{metric} {scores[0]:.4f}"
    return (f"{metric} {statistics.fmean(scores):.4f}, mean of {len(scores)} trials ({min(scores):.4f} to "
            f"{max(scores):.4f})")


def _verdict(comparison):
    test = comparison.test
    if test.differing == 0:
        return "Both answered alike: there is nothing to tell apart."
    chance = (f"If both were equally good, a difference this large would come out in {100 * test.p_value:.2g} % of "
              f"such comparisons")
    if test.p_value >= _SIGNIFICANT:
        conclusion = f"{chance}, so these examples do not show that one is better."
    else:
        first_is_better = (test.difference > 0) != (comparison.metric in LOWER_IS_BETTER)
        better = comparison.first if first_is_better else comparison.second
        conclusion = f"{chance}, so on examples like these {better} is better."
    if comparison.folds:
        return (f"{conclusion} Each example was answered by a model that was not trained on it. How much the seeds "
                f"matter is not told: for that, compare runs with other seeds too.")
    if len(comparison.scores[0]) > 1:
        return f"{conclusion} How much that owes to the seeds is told by the spread of the trials."
    return (f"{conclusion} This compares two tuned models, not two ways of training: for that, run several trials of "
            f"each and compare the runs.")
