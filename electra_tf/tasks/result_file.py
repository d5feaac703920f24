"""What result.json says of scored answers: one set of names for fine-tuning runs and for tuned models on other data."""

from electra_tf.tasks.statistics.trials import trials_summary
from electra_tf.training.run_folder import versions

# The split of what was scored outside of any run.
DATA_SPLIT = "data"


def result_values(*, job, task, metric, split, trials, settings, settings_hash, inputs, **more):
    """The values of a result.json, the same names for every job that scores answers.

    Args:
        job: name of the job.
        task, metric: what was asked, and the name of the score that counts.
        split: set that the scores are of: "validation", "test" or DATA_SPLIT.
        trials: an entry for each attempt of each trial: dicts with seed, score, metrics, best_step and collapsed.
        settings, settings_hash: what decided the trained model, and the hash of that and of its inputs; None where it
            is not known.
        inputs: dict of what was read -> its hash.
        **more: what the job has to say besides.

    Returns:
        Dict ready for JSON, with the summary of the trials and the versions of what ran.

    >>> result_values(job="finetune", task="multi_label", metric="micro_f1", split="test", trials=entries,
    ...               settings=settings, settings_hash=None, inputs={})["median"]   # 0.81
    """
    return {"job": job, "task": task, "metric": metric, "split": split, "trials": trials, **trials_summary(trials),
            **more, "settings": settings, "settings_hash": settings_hash, "inputs": inputs, "versions": versions()}
