"""A tuned model scored on labelled data: numbers, every answer, and a picture."""

import contextlib
import dataclasses
import pathlib

from electra_tf.errors import InputError
from electra_tf.files import new_folder
from electra_tf.model.model_folder import fingerprint, load_model_folder
from electra_tf.tasks.finetune import task_of
from electra_tf.tasks.multi_label_classification import ElectraMultiLabelClassifier
from electra_tf.tasks.multiple_choice import ElectraMultipleChoice
from electra_tf.tasks.options import (
    MultiLabel,
    MultipleChoice,
    QuestionAnswering,
    Regression,
    TextClassification,
    TokenClassification,
)
from electra_tf.tasks.per_class import per_class
from electra_tf.tasks.question_answering.question_answerer import ElectraQuestionAnswerer
from electra_tf.tasks.report.evaluation_report import evaluation_report
from electra_tf.tasks.report.page import REPORT_FILE, write_report
from electra_tf.tasks.result_file import DATA_SPLIT, result_values
from electra_tf.tasks.run_models import model_folder_of
from electra_tf.tasks.tagging.token_classification import ElectraTokenClassifier
from electra_tf.tasks.task_models import load_task_model, tuned_kind
from electra_tf.tasks.text_classification import ElectraTextClassifier
from electra_tf.tasks.text_regression import ElectraTextRegressor
from electra_tf.tasks.trial import PICTURE_FILE, PREDICTIONS_FILE, write_predictions
from electra_tf.tasks.tuned_run import kept_trial, result_of_run
from electra_tf.training.run_folder import write_result

JOB = "evaluate"
_TASK_NAMES = {model.KIND: task.name for model, task in (
    (ElectraTextClassifier, TextClassification), (ElectraTextRegressor, Regression),
    (ElectraMultiLabelClassifier, MultiLabel), (ElectraMultipleChoice, MultipleChoice),
    (ElectraTokenClassifier, TokenClassification), (ElectraQuestionAnswerer, QuestionAnswering))}


def task_name_of(model):
    """The name of the task that a model was tuned for.

    Args:
        model: model folder, or folder of a fine-tuning run.

    Returns:
        A name of `options.TASKS`.

    Raises:
        InputError: there is no such folder, or it holds a model of no task.

    >>> task_name_of("runs/polarity")   # 'text_classification'
    """
    kind = tuned_kind(load_model_folder(model_folder_of(model)))
    if kind not in _TASK_NAMES:
        raise InputError(f"{model} holds a model of kind {kind!r}, which was not tuned for a task; fine-tune it first.")
    return _TASK_NAMES[kind]


def evaluate(model, data, *, task, output=None, metric=None, name=None):
    """Scores a tuned model on labelled data.

    The folder gets result.json, predictions.jsonl (each example with its label and answer), report.html and, of most
    tasks, scores.png. The names in result.json are those of a fine-tuning run; what only the run can tell, such as the
    seed, is null where `model` is no run.

    Args:
        model: model folder, or folder of a fine-tuning run, whose tuned model is meant.
        data: labelled set as the task reads it.
        task: where the data holds what: TextClassification or another of tasks/options.py. What it says of the model
            itself, such as `long_text`, is not read: the folder knows.
        output: folder to make; None writes nothing.
        metric: the score that result.json puts first, one of the task's `metrics`; None takes that of the run, or the
            task's first.
        name: what result.json calls the task; None takes the task's own name.

    Returns:
        Dict of name -> score.

    Raises:
        InputError: model, data or task that do not belong together, a metric that the task does not have, a label that
            the model does not know, or an output that holds other work.

    >>> evaluate("runs/polarity", "test.tsv", task=TextClassification(("sentence",), "label"), output="scores")
    {'accuracy': 0.78, ...}
    """
    if (tuned_for := task_name_of(model)) != task.name:
        raise InputError(f"{model} was tuned for {tuned_for}; it cannot be scored as {task.name}.")
    tuned, folder, run = task_of(task), model_folder_of(model), result_of_run(model)
    metric = metric or run.get("metric") or tuned.metrics[0]
    if metric not in tuned.metrics:
        raise InputError(f"metric={metric!r} is not known; choose one of {', '.join(tuned.metrics)}.")
    rows = tuned.read(data)
    loaded = load_task_model(folder)
    tuned.require_metric(metric, loaded)
    examples = tuned.examples(loaded, rows)
    # The folder is asked for before the work, so that one that cannot be made costs no time.
    with contextlib.nullcontext() if output is None else new_folder(output) as made:
        scores = tuned.scores(loaded, examples)
        if made is not None:
            predictions = list(tuned.predictions(loaded, rows))
            result = _result(scores, run, metric=metric, name=name or task.name, examples=len(rows),
                             classes=per_class(task.name, predictions, loaded),
                             settings={"model": str(model), "data": str(data), **dataclasses.asdict(task)},
                             inputs={"model": fingerprint(folder), "data": rows.hash()})
            _write(made, tuned, loaded, scores, predictions, result)
    return scores.numbers()


def _result(scores, run, *, metric, name, examples, classes, settings, inputs):
    """What result.json holds: one trial, of which the run (or {}) tells how its model came about."""
    trial, numbers = kept_trial(run), scores.numbers()
    entry = {"seed": trial.get("seed"), "score": numbers[metric], "metrics": numbers,
             **({} if classes is None else {"per_class": classes}),
             "best_step": trial.get("best_step"), "collapsed": trial.get("collapsed")}
    return result_values(
        job=JOB, task=name, metric=metric, split=DATA_SPLIT, trials=[entry], score=numbers[metric], metrics=numbers,
        examples=examples, settings={**run.get("settings", {}), **settings, "metric": metric},
        settings_hash=run.get("settings_hash"), inputs=inputs)


def _write(folder, tuned, model, scores, predictions, result):
    """Everything that the output holds."""
    write_predictions(folder / PREDICTIONS_FILE, predictions)
    tuned.write_official_predictions(folder, predictions)
    tuned.draw(scores, model, path=folder / PICTURE_FILE,
               title=f"{pathlib.Path(result['settings']['data']).name}, {result['metric']} {result['score']:.3f}")
    write_result(folder, result)
    # The members of an ensemble have embeddings of their own, so no gradient goes to one table.
    coloured = () if hasattr(model, "members") else tuned.coloured_texts(model, predictions)
    write_report(folder / REPORT_FILE, evaluation_report(result, predictions, coloured_texts=coloured))
