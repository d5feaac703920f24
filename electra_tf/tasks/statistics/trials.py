"""Several runs that differ by the seed alone: their seeds, what they reached together, and the printed table."""

import dataclasses
import statistics

import numpy as np

from electra_tf.tasks.statistics.bootstrap import LEVEL, bootstrap_interval

_SEEDS = 2**31
_HASH_DIGITS = 12  # as in the report; enough to tell runs apart


@dataclasses.dataclass(frozen=True)
class TrialStatistics:
    """Scores of several trials in a few numbers.

    Attributes:
        count: number of trials.
        median, mean: of the scores.
        std: sample standard deviation (divided by count - 1), or None for one trial.
        interval: (low, high), 95 % bootstrap interval of the mean, or None for one trial.
    """

    count: int
    median: float
    mean: float
    std: float | None
    interval: tuple | None

    def numbers(self):
        """Dict ready for JSON: the numbers without the count."""
        return {"median": self.median, "mean": self.mean, "std": self.std,
                "interval": None if self.interval is None else list(self.interval)}

    def sentence(self):
        """The numbers in words, with four digits.

        >>> trial_statistics([0.75, 0.77]).sentence()
        'median 0.7600, mean 0.7600, standard deviation 0.0141, 95 % bootstrap interval of the mean 0.7500 to 0.7700'
        """
        words = f"median {self.median:.4f}, mean {self.mean:.4f}"
        if self.std is None:
            return f"{words}; one trial shows no spread"
        low, high = self.interval
        return (f"{words}, standard deviation {self.std:.4f}, {100 * LEVEL:.0f} % bootstrap interval of the "
                f"mean {low:.4f} to {high:.4f}")


def trial_statistics(scores, *, seed=0):
    """Median, mean, standard deviation and bootstrap interval of the scores of trials.

    Args:
        scores: floats, at least one.
        seed: of the bootstrap.

    Returns:
        TrialStatistics.

    >>> trial_statistics([0.75, 0.77, 0.76]).std   # 0.01
    """
    scores = [float(score) for score in scores]
    has_spread = len(scores) > 1
    return TrialStatistics(
        len(scores), statistics.median(scores), statistics.fmean(scores),
        statistics.stdev(scores) if has_spread else None,
        bootstrap_interval(np.array(scores), seed=seed) if has_spread else None)


def trial_seed(first_seed, trial, attempt, *, num_trials):
    """The seed of one attempt of one trial: first_seed + trial + attempt * num_trials.

    Trial 0 begins with the run's own seed, the others with those that follow; a trial that is restarted takes the
    next seed that belongs to no trial and to no other restart. So no seed is used twice, and none depends on which
    trial collapsed before.

    Args:
        first_seed: the run's seed.
        trial: from 0.
        attempt: 0, or the number of the restart.
        num_trials: trials of the run.

    >>> [trial_seed(7, trial, 1, num_trials=3) for trial in range(3)]   # [10, 11, 12]
    """
    return (first_seed + trial + attempt * num_trials) % _SEEDS


def kept_attempts(attempts):
    """The last attempt of each trial: what counts after restarts.

    Args:
        attempts: entries of result.json's "trials": dicts with "trial" and "attempt" (each trial one attempt where
            they are missing), in the order in which they ran.

    Returns:
        List of those entries, one for each trial, in the order of the trials.

    >>> kept_attempts([{"trial": 0, "attempt": 0}, {"trial": 0, "attempt": 1}])   # [{"trial": 0, "attempt": 1}]
    """
    return list({trial: entry for trial, _, entry in numbered_attempts(attempts)}.values())


def first_attempts(attempts):
    """The first attempt of each trial, collapsed or not: what the same seeds give without restarts.

    >>> first_attempts([{"trial": 0, "attempt": 0}, {"trial": 0, "attempt": 1}])   # [{"trial": 0, "attempt": 0}]
    """
    return [entry for _, attempt, entry in numbered_attempts(attempts) if attempt == 0]


def numbered_attempts(attempts):
    """(trial, attempt, entry) of every attempt, sorted; `attempts` as for `kept_attempts`.

    >>> numbered_attempts([{"seed": 7}, {"seed": 8}])   # [(0, 0, {"seed": 7}), (1, 0, {"seed": 8})]
    """
    return sorted(((entry.get("trial", place), entry.get("attempt", 0), entry)
                   for place, entry in enumerate(attempts)), key=lambda numbered: numbered[:2])


def trials_summary(attempts):
    """What result.json says of all trials: with restarts, and without where there were any.

    Args:
        attempts: as for `kept_attempts`, with "score" and "collapsed".

    Returns:
        Dict ready for JSON: median, mean, std, interval, num_trials, restarts (how many), collapsed (how many of the
        kept trials still are) and, where a trial was restarted, without_restarts: the same four numbers of the first
        attempts.

    >>> trials_summary([{"score": 0.75, "collapsed": False}])["median"]   # 0.75
    """
    kept = kept_attempts(attempts)
    restarts = len(attempts) - len(kept)
    summary = {**_statistics(kept).numbers(), "num_trials": len(kept), "restarts": restarts,
               "collapsed": sum(bool(entry.get("collapsed")) for entry in kept)}
    if restarts:
        summary["without_restarts"] = _statistics(first_attempts(attempts)).numbers()
    return summary


def trials_table(attempts, *, metric, settings_hash=None):
    """Every attempt of every trial as a printed table, then the summary.

    Args:
        attempts: as for `kept_attempts`, with "seed", "score", "best_step" and "collapsed" (false, true, or what
            showed it).
        metric: name of the score.
        settings_hash: result.json's; its start is the last line. None leaves that out.

    Returns:
        str of several lines.

    >>> print(trials_table(result["trials"], metric="accuracy", settings_hash=result["settings_hash"]))
    """
    lines = ["trial        seed     score  best step  collapsed"]
    for trial, attempt, entry in numbered_attempts(attempts):
        restart = f" (restart {attempt})" if attempt else ""
        lines.append(f"{trial + 1:5}  {entry['seed']:10}  {entry['score']:8.4f}  {entry['best_step']:9}  "
                     f"{collapse_words(entry)}{restart}".rstrip())
    kept = _statistics(kept_attempts(attempts))
    trials = "1 trial" if kept.count == 1 else f"{kept.count} trials"
    lines.append(f"{metric} of {trials}: {kept.sentence()}")
    restarts = len(attempts) - kept.count
    if restarts:
        lines.append(f"{restarts} collapsed {'attempt was' if restarts == 1 else 'attempts were'} restarted with other "
                     f"seeds; without restarts: {_statistics(first_attempts(attempts)).sentence()}")
    if settings_hash:
        lines.append(f"settings hash {settings_hash[:_HASH_DIGITS]}")
    return "\n".join(lines)


def collapse_words(entry):
    """"no", "yes", or what showed that an attempt had collapsed.

    >>> collapse_words({"collapsed": "constant prediction"})   # 'constant prediction'
    """
    collapsed = entry.get("collapsed")
    if isinstance(collapsed, str):
        return collapsed
    return "yes" if collapsed else "no"


def _statistics(entries):
    return trial_statistics([entry["score"] for entry in entries])
