"""One fine-tuning run: a pretrained encoder and a labelled set in; the best model by validation and all scores out."""

import dataclasses
import hashlib
import json
import pathlib
import shutil
import statistics

from electra_tf.config import to_dict
from electra_tf.errors import InputError
from electra_tf.model.model_folder import fingerprint
from electra_tf.tasks.classification_task import ClassificationTask
from electra_tf.tasks.multi_label_task import MultiLabelTask
from electra_tf.tasks.multiple_choice_task import MultipleChoiceTask
from electra_tf.tasks.options import MultiLabel, MultipleChoice, Regression, TextClassification
from electra_tf.tasks.regression_task import RegressionTask
from electra_tf.tasks.run_models import TUNED_MODEL, model_folder_of
from electra_tf.tasks.trial import Setting, Trial, run_trial
from electra_tf.training.run_folder import RESULT_FILE, create_run_folder, versions, write_result

JOB = "finetune"
TRIALS = "trials"
_TASK_OF = {TextClassification: ClassificationTask, Regression: RegressionTask, MultiLabel: MultiLabelTask,
            MultipleChoice: MultipleChoiceTask}


@dataclasses.dataclass(frozen=True)
class FineTuningResult:
    """What a run reached.

    Attributes:
        folder: the run; its `model` is the model folder of the best trial by validation.
        metric: name of the score that chose the best weights of each trial, and is reported.
        split: set that the reported scores are of: "test", or "validation" where no test set was given.
        trials: tuple of Trial, in the order in which they ran.
        best: the trial whose model was kept.
    """

    folder: pathlib.Path
    metric: str
    split: str
    trials: tuple[Trial, ...]
    best: Trial

    @property
    def scores(self):
        """The reported score of each trial."""
        return [score_of(trial, self.split, self.metric) for trial in self.trials]


def finetune(config, *, task, train, validation, model, output, test=None, metric=None, random_weights=False,
             num_trials=1, name=None):
    """Tunes a pretrained encoder, once or with several seeds, and keeps the weights that score best on validation.

    The same arguments give the same weights on the same kind of machine. The same call goes on where a killed run
    stopped: trials that ran to their end are kept, the one that was cut short starts again. A finished run is refused.

    Args:
        config: FineTuningConfig; trial number i has the seed `config.seed` + i.
        task: what is to be told and where the files hold it: TextClassification or another of tasks/options.py.
        train, validation, test: labelled sets as the task reads them; `test` (or None) is scored with the best weights.
        model: model folder, folder of a pretraining or fine-tuning run, or a shipped name.
        output: folder of the run.
        metric: score that chooses the best weights; None takes the task's first.
        random_weights: take only architecture and vocabulary from `model`: the baseline without pretraining.
        num_trials: how many seeds.
        name: what result.json calls the task; None takes the task's own name.

    Returns:
        FineTuningResult.

    Raises:
        InputError: data, model, settings or output that cannot be used, or a loss that is not finite.

    >>> task = TextClassification(text_columns=["sentence"], label_column="label")
    >>> finetune(FineTuningConfig(), task=task, train="train.tsv", validation="dev.tsv", model="tiny_en",
    ...          output="runs/polarity").best.validation["accuracy"]   # 0.78
    """
    if num_trials < 1:
        raise InputError(f"num_trials={num_trials} must be 1 or more.")
    tuned = task_of(task)
    metric = metric or tuned.metrics[0]
    if metric not in tuned.metrics:
        raise InputError(f"metric={metric!r} is not known; choose one of {', '.join(tuned.metrics)}.")
    sets = {name: tuned.read(source)
            for name, source in (("train", train), ("validation", validation), ("test", test)) if source}
    source = model_folder_of(model)
    setting = Setting(tuned, config, sets, source, not random_weights, metric)
    first = setting.new_model(config.seed)
    examples = {name: tuned.examples(first, rows) for name, rows in sets.items()}

    settings = {"task": name or task.name, **dataclasses.asdict(task), "train": str(train),
                "validation": str(validation), "test": test and str(test), "model": str(model), "metric": metric,
                "random_weights": random_weights, "num_trials": num_trials, **to_dict(config)}
    inputs = {"model": fingerprint(source), **{name: rows.hash() for name, rows in sets.items()}}
    folder = _run_folder(output, settings=settings, inputs=inputs)
    split = "test" if test else "validation"
    trials, best = _run_trials(setting, folder, examples, seeds=range(config.seed, config.seed + num_trials))
    result = FineTuningResult(folder, metric, split, tuple(trials), best)
    write_result(folder, _result(result, settings, inputs, sets))
    return result


def task_of(options):
    """The FineTuningTask that options of tasks/options.py ask for.

    >>> task_of(TextClassification(("sentence",), "label")).metrics[0]   # 'accuracy'
    """
    return _TASK_OF[type(options)](options)


def score_of(trial, split, metric):
    """A trial's score on the reported set."""
    return getattr(trial, split)[metric]


def _run_folder(output, *, settings, inputs):
    """The folder of a new run, or of one with equal settings that was cut short."""
    # What data and model are is told by their hashes; where they lie may change.
    folder = create_run_folder(output, job=JOB, settings=settings, inputs=inputs, resume=True,
                               free=("train", "validation", "test", "model"))
    if (folder / RESULT_FILE).is_file():
        raise InputError(f"{folder} holds a finished run with these settings; its model is {folder / TUNED_MODEL}. "
                         f"Give a new folder to run it again.")
    return folder


def _run_trials(setting, folder, examples, *, seeds):
    """(trials, the best of them by validation): of all models only the best one's is kept, as `model`."""
    trials, best = [], None
    for seed in seeds:
        name = "Fine-tuning" if len(seeds) == 1 else f"Trial {len(trials) + 1} of {len(seeds)}"
        trial = run_trial(setting, folder / TRIALS / str(seed), seed=seed, examples=examples, name=name)
        if best is None or trial.validation[setting.metric] > best.validation[setting.metric]:
            best = trial
        trials.append(trial)
        for other in trials:
            if other is not best:
                shutil.rmtree(folder / TRIALS / str(other.seed) / TUNED_MODEL, ignore_errors=True)
    made = folder / TRIALS / str(best.seed) / TUNED_MODEL
    if made.is_dir():  # else a run that was cut short after this line
        made.rename(folder / TUNED_MODEL)
    return trials, best


def _result(result, settings, inputs, sets):
    """What result.json holds: every trial's scores, their summary, and the hashes of what they were made from."""
    scores = result.scores
    return {
        "job": JOB, "task": settings["task"], "metric": result.metric, "split": result.split,
        "trials": [{"seed": trial.seed, "score": score, "metrics": getattr(trial, result.split),
                    "validation": trial.validation, "best_step": trial.best_step, "best_epoch": trial.best_epoch,
                    "train_steps": trial.train_steps, "steps_done": trial.steps_done, "collapsed": trial.collapsed,
                    "examples_per_second": trial.examples_per_second, "seconds": trial.seconds}
                   for trial, score in zip(result.trials, scores, strict=True)],
        "median": statistics.median(scores), "mean": statistics.mean(scores),
        "std": statistics.stdev(scores) if len(scores) > 1 else None, "best_seed": result.best.seed,
        "examples": {name: len(rows) for name, rows in sets.items()}, "settings": settings,
        "settings_hash": hashlib.sha256(json.dumps([settings, inputs], sort_keys=True).encode("utf-8")).hexdigest(),
        "inputs": inputs, "versions": versions()}
