"""All trials of a fine-tuning run: one after the other, collapsed ones again, and what is kept of them."""

import json
import shutil

from electra_tf.files import write_json_atomically
from electra_tf.tasks.ensemble import ensemble_of
from electra_tf.tasks.run_models import TUNED_MODEL
from electra_tf.tasks.statistics.prediction_files import TRIALS
from electra_tf.tasks.statistics.trials import trial_seed
from electra_tf.tasks.trial import run_trial

ENSEMBLE = "ensemble"
_ENSEMBLE_RESULT = "ensemble.json"


def run_trials(settings, folder, examples, trials):
    """Runs every trial, and a collapsed one again with another seed as often as is allowed.

    Args:
        settings, examples: a Setting and its Examples by name, for each trial.
        folder: of the run.
        trials: Trials.

    Returns:
        List of lists of Trial: the attempts of each trial, of which the last one counts.

    >>> run_trials([setting] * 3, run, [examples] * 3, Trials(num_trials=3, max_restarts=1))[0][-1].seed   # 0
    """
    attempts = []
    for number, (setting, of_trial) in enumerate(zip(settings, examples, strict=True)):
        group = []
        while not group or (group[-1].collapsed and len(group) <= trials.max_restarts):
            seed = trial_seed(setting.config.seed, number, len(group), num_trials=len(settings))
            name = "Fine-tuning" if len(settings) == 1 else f"Trial {number + 1} of {len(settings)}"
            name += f", restart {len(group)}" if group else ""
            group.append(run_trial(setting, _folder(folder, seed), seed=seed, examples=of_trial, name=name))
        attempts.append(group)
        if not trials.ensemble:
            best = best_trial(attempts, setting.metric)
            for one in (one for group in attempts for one in group if one is not best):
                shutil.rmtree(_folder(folder, one.seed) / TUNED_MODEL, ignore_errors=True)
    return attempts


def best_trial(attempts, metric):
    """The trial that scored best on its validation set, of those that count; the first of equals.

    One that diverged before it had learnt anything is the best only where all did.
    """
    return max((group[-1] for group in attempts), key=lambda trial: (trial.best_step > 0, trial.validation[metric]))


def keep_best_model(folder, attempts, metric):
    """Makes the best trial's model that of the run, drops the others, and returns the trial."""
    best = best_trial(attempts, metric)
    made = _folder(folder, best.seed) / TUNED_MODEL
    if made.is_dir():  # else a run that was cut short after this line
        made.rename(folder / TUNED_MODEL)
    for other in (folder / TRIALS).glob(f"*/{TUNED_MODEL}"):
        shutil.rmtree(other)
    return best


def make_ensemble(settings, folder, examples, kept):
    """Writes all trials that count as one model, and scores it on the reported set.

    Args:
        settings, examples: as of `run_trials`.
        folder: of the run; the model goes to its `ensemble`.
        kept: the Trial of each trial that counts.

    Returns:
        Dict of scores; None for folds without a test set, as every row has trained a member.

    >>> make_ensemble([setting] * 3, run, [examples] * 3, kept)["accuracy"]   # 0.79
    """
    result = folder / _ENSEMBLE_RESULT
    if result.is_file():
        return json.loads(result.read_text(encoding="utf-8"))
    task = settings[0].task
    members = [task.load_model(_folder(folder, trial.seed) / TUNED_MODEL) for trial in kept]
    ensemble, split = ensemble_of(members), settings[0].reported_split
    has_folds, scores = any(one.sets is not settings[0].sets for one in settings), None
    if not has_folds:  # of folds, the members have seen every row but those of the test set
        task.unsettle(ensemble)
        if split == "validation":
            scores = task.scores(ensemble, examples[0][split]).numbers()
        task.settle(ensemble, examples[0]["validation"])
    if split == "test":
        scores = task.scores(ensemble, examples[0][split]).numbers()
    shutil.rmtree(folder / ENSEMBLE, ignore_errors=True)
    ensemble.save_to_preset(folder / ENSEMBLE)
    write_json_atomically(result, scores)
    return scores


def _folder(run, seed):
    return run / TRIALS / str(seed)
