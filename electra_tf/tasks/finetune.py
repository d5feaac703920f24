"""One fine-tuning run: a pretrained encoder and a labelled set in; the best model by validation and all scores out."""

import dataclasses
import hashlib
import json
import pathlib

from electra_tf.config import to_dict
from electra_tf.errors import InputError
from electra_tf.model.model_folder import fingerprint
from electra_tf.tasks.classification_task import ClassificationTask
from electra_tf.tasks.multi_label_task import MultiLabelTask
from electra_tf.tasks.multiple_choice_task import MultipleChoiceTask
from electra_tf.tasks.options import (
    MultiLabel,
    MultipleChoice,
    QuestionAnswering,
    Regression,
    TextClassification,
    TokenClassification,
    Trials,
)
from electra_tf.tasks.per_class import per_class
from electra_tf.tasks.question_answering.question_answering_task import QuestionAnsweringTask
from electra_tf.tasks.regression_task import RegressionTask
from electra_tf.tasks.report.page import REPORT_FILE, write_report
from electra_tf.tasks.report.run_report import run_report
from electra_tf.tasks.result_file import result_values
from electra_tf.tasks.run_models import TUNED_MODEL, generator_folder_of, is_preset, model_folder
from electra_tf.tasks.statistics.prediction_files import TRIALS, read_predictions
from electra_tf.tasks.tagging.task import TokenClassificationTask
from electra_tf.tasks.trial import Setting, Trial
from electra_tf.tasks.trials import keep_best_model, make_ensemble, run_trials
from electra_tf.training.run_folder import RESULT_FILE, create_run_folder, write_result

JOB = "finetune"
# Where data and model lie, which may change; what they hold is told by their hashes.
_PLACES = ("train", "validation", "test", "model", "vocabulary")
_TASK_OF = {TextClassification: ClassificationTask, Regression: RegressionTask, MultiLabel: MultiLabelTask,
            MultipleChoice: MultipleChoiceTask, TokenClassification: TokenClassificationTask,
            QuestionAnswering: QuestionAnsweringTask}


@dataclasses.dataclass(frozen=True)
class FineTuningResult:
    """What a run reached.

    Attributes:
        folder: the run; its `model` is the model folder of the best trial by validation.
        metric: name of the score that chose the best weights of each trial, and is reported.
        split: set that the reported scores are of: "test", or "validation" where no test set was given.
        trials: tuple of Trial that count: one for each seed or fold, the last attempt where one collapsed.
        best: the trial whose model was kept.
        ensemble: dict of the scores of all trials together, or None.
    """

    folder: pathlib.Path
    metric: str
    split: str
    trials: tuple[Trial, ...]
    best: Trial
    ensemble: dict | None = None

    @property
    def scores(self):
        """The reported score of each trial."""
        return [getattr(trial, self.split)[self.metric] for trial in self.trials]


def finetune(config, *, task, train, model, output, validation=None, test=None, metric=None, random_weights=False,
             trials=None, name=None, vocabulary=None, write_more=None):
    """Tunes a pretrained encoder, once or with several seeds, and keeps the weights that score best on validation.

    The same arguments give the same weights on the same kind of machine. The same call goes on where a killed run
    stopped: trials that ran to their end are kept, the one that was cut short starts again, and what a killed run still
    lacked beside its result.json is made. A finished run, which has its report, is refused.

    Args:
        config: FineTuningConfig; trial number i has the seed `config.seed` + i.
        task: what is to be told and where the files hold it: TextClassification or another of tasks/options.py.
        train, validation, test: labelled sets as the task reads them; `test` (or None) is scored with the best weights.
            With `trials.folds` there is no validation set.
        model: model folder, folder of a pretraining or fine-tuning run, or a shipped name; or the name of a preset,
            whose architecture then starts from random weights.
        output: folder of the run.
        metric: score that chooses the best weights; None takes the task's first.
        random_weights: take only architecture and vocabulary from `model`: the baseline without pretraining.
        trials: Trials; None is one trial.
        name: what result.json calls the task; None takes the task's own name.
        vocabulary: folder of a vocabulary, for a preset alone.
        write_more: function of the run's folder and its tuned model that writes what else belongs to a finished run,
            such as a submission.

    Returns:
        FineTuningResult.

    Raises:
        InputError: data, model, settings or output that cannot be used.

    >>> task = TextClassification(text_columns=["sentence"], label_column="label")
    >>> finetune(FineTuningConfig(), task=task, train="train.tsv", validation="dev.tsv", model="tiny_en",
    ...          output="runs/polarity").best.validation["accuracy"]   # 0.78
    """
    trials = trials or Trials()
    tuned = task_of(task)
    metric = metric or tuned.metrics[0]
    if metric not in tuned.metrics:
        raise InputError(f"metric={metric!r} is not known; choose one of {', '.join(tuned.metrics)}.")
    if bool(trials.folds) == bool(validation):
        raise InputError("a validation set and folds exclude each other; give one of them." if validation else
                         "there is no validation set; give one, or folds of the training set.")
    paths = {"train": train, "validation": validation, "test": test}
    settings = {"task": name or task.name, **dataclasses.asdict(task),
                **{part: path and str(path) for part, path in paths.items()}, "model": str(model),
                "vocabulary": vocabulary and str(vocabulary), "metric": metric,
                "random_weights": random_weights or is_preset(model), **dataclasses.asdict(trials), **to_dict(config)}
    with model_folder(model, vocabulary) as source:
        return _finetune(config, tuned, paths, source, pathlib.Path(output), settings, trials, write_more)


def _finetune(config, tuned, paths, source, output, settings, trials, write_more):
    """`finetune` with its arguments checked."""
    metric = settings["metric"]
    sets = {name: tuned.read(path) for name, path in paths.items() if path}
    settings_of_trials = [Setting(tuned, config, chosen, sets["train"], source, not settings["random_weights"], metric)
                          for chosen in _sets_of_trials(sets, trials, seed=config.seed)]
    first = settings_of_trials[0].new_model(config.seed)
    tuned.require_metric(metric, first)
    # Trials without folds have the same sets, which are encoded once.
    shared = settings_of_trials[0].examples(first)
    examples = [setting.examples(first) if trials.folds and number else shared
                for number, setting in enumerate(settings_of_trials)]

    generator = config.augmentation.generator
    models = {"model": source, **({"generator": generator_folder_of(generator)} if generator else {})}
    inputs = {**{name: fingerprint(model) for name, model in models.items()},
              **({"vocabulary": first.preprocessor.vocabulary.hash} if settings["vocabulary"] else {}),
              **{name: rows.hash() for name, rows in sets.items()}}
    folder = _run_folder(output, settings=settings, inputs=inputs)
    attempts = run_trials(settings_of_trials, folder, examples, trials)
    kept = [group[-1] for group in attempts]
    together = make_ensemble(settings_of_trials, folder, examples, kept) if trials.ensemble else None
    best = keep_best_model(folder, attempts, metric)
    result = FineTuningResult(folder, metric, settings_of_trials[0].reported_split, tuple(kept), best, together)
    if not (folder / RESULT_FILE).is_file():  # else a run that was cut short after this line
        classes = _per_class(folder, tuned, first, attempts)
        write_result(folder, _result(result, attempts, classes, settings, inputs, sets,
                                     settings_hash=settings_hash(settings, inputs, first)))
    tuned_model = tuned.load_model(folder / TUNED_MODEL)
    if write_more is not None:
        write_more(folder, tuned_model)
    predictions = read_predictions(folder / TRIALS / str(best.seed)).trials[0]
    # The report is the last of all: a run that has it is finished.
    coloured = tuned.coloured_texts(tuned_model, predictions)
    write_report(folder / REPORT_FILE, run_report(folder, coloured_texts=coloured))
    return result


def settings_hash(settings, inputs, model):
    """What tells runs that were made alike from others: a hash of all that decides their result, wherever it lies.

    Args:
        settings: dict of the run's settings.
        inputs: dict of what was read -> hash of its content.
        model: the TextTask with its new head, whose architecture and vocabulary count.

    Returns:
        str, a SHA-256 in hexadecimal.

    >>> settings_hash(settings, inputs, classifier)   # '9f86d081...'
    """
    deciding = {name: value for name, value in settings.items() if name not in _PLACES}
    deciding["augmentation"] = {**settings["augmentation"], "generator": None}
    content = [deciding, inputs, to_dict(model.encoder.config), model.preprocessor.vocabulary.hash]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode("utf-8")).hexdigest()


def task_of(options):
    """The FineTuningTask that options of tasks/options.py ask for.

    >>> task_of(TextClassification(("sentence",), "label")).metrics[0]   # 'accuracy'
    """
    return _TASK_OF[type(options)](options)


def _sets_of_trials(sets, trials, *, seed):
    """The rows of each trial's sets: the same for all, or another fold of the training set each time."""
    if not trials.folds:
        return [sets] * trials.num_trials
    train = sets["train"]
    fold = train.folds(trials.folds, seed=seed)
    return [{**sets, "train": train.at((fold != number).nonzero()[0]),
             "validation": train.at((fold == number).nonzero()[0])} for number in range(trials.folds)]


def _run_folder(output, *, settings, inputs):
    """The folder of a new run, or of one with equal settings that was cut short."""
    folder = create_run_folder(output, job=JOB, settings=settings, inputs=inputs, resume=True,
                               free=(*_PLACES, "augmentation.generator"))
    if (folder / RESULT_FILE).is_file() and (folder / REPORT_FILE).is_file():
        raise InputError(f"{folder} holds a finished run with these settings; its model is {folder / TUNED_MODEL}. "
                         f"Give a new folder to run it again.")
    return folder


def _per_class(folder, tuned, model, attempts):
    """What result.json says of the classes, by the seed of the attempt; {} for a task without classes."""
    found = {}
    for one in (one for group in attempts for one in group):
        predictions = read_predictions(folder / TRIALS / str(one.seed)).trials[0]
        scores = per_class(tuned.options.name, predictions, model)
        if scores is not None:
            found[one.seed] = {"per_class": scores}
    return found


def _result(result, attempts, classes, settings, inputs, sets, *, settings_hash):
    """What result.json holds: every attempt's scores, their summary, and the hashes of what they were made from."""
    entries = [{"trial": trial, "attempt": attempt, "seed": one.seed,
                "score": getattr(one, result.split)[result.metric], "metrics": getattr(one, result.split),
                **classes.get(one.seed, {}), "validation": one.validation, **one.course(),
                "collapsed": one.collapsed or False}
               for trial, group in enumerate(attempts) for attempt, one in enumerate(group)]
    return result_values(
        job=JOB, task=settings["task"], metric=result.metric, split=result.split, trials=entries,
        best_seed=result.best.seed, ensemble=result.ensemble,
        examples={name: len(rows) for name, rows in sets.items()}, settings=settings, settings_hash=settings_hash,
        inputs=inputs)
