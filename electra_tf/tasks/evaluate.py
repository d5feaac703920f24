"""A tuned model scored on labelled data: numbers, every answer, and a picture."""

import dataclasses
import pathlib

from electra_tf.errors import InputError
from electra_tf.files import new_folder
from electra_tf.model.model_folder import fingerprint, load_model_folder
from electra_tf.tasks.ensemble import ElectraEnsemble
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
from electra_tf.tasks.question_answering.question_answerer import ElectraQuestionAnswerer
from electra_tf.tasks.run_models import model_folder_of
from electra_tf.tasks.tagging.token_classification import ElectraTokenClassifier
from electra_tf.tasks.task_models import load_task_model
from electra_tf.tasks.text_classification import ElectraTextClassifier
from electra_tf.tasks.text_regression import ElectraTextRegressor
from electra_tf.tasks.trial import PICTURE_FILE, PREDICTIONS_FILE, write_predictions
from electra_tf.training.run_folder import versions, write_result

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
    saved = load_model_folder(model_folder_of(model))
    kind = saved.extra["of"] if saved.kind == ElectraEnsemble.KIND else saved.kind
    if kind not in _TASK_NAMES:
        raise InputError(f"{model} holds a model of kind {kind!r}, which was not tuned for a task; fine-tune it first.")
    return _TASK_NAMES[kind]


def evaluate(model, data, *, task, output, metric=None, name=None):
    """Scores a tuned model on labelled data.

    The folder gets result.json, predictions.jsonl (each example with its label and answer) and, of most tasks,
    scores.png.

    Args:
        model: model folder, or folder of a fine-tuning run, whose tuned model is meant.
        data: labelled set as the task reads it.
        task: where the data holds what: TextClassification or another of tasks/options.py. What it says of the model
            itself, such as `long_text`, is not read: the folder knows.
        output: folder to make.
        metric: the score that result.json puts first; None takes the task's first.
        name: what result.json calls the task; None takes the task's own name.

    Returns:
        Dict of name -> score.

    Raises:
        InputError: model, data or task that do not belong together, a label that the model does not know, or an output
            that holds other work.

    >>> evaluate("runs/polarity", "test.tsv", task=TextClassification(("sentence",), "label"), output="scores")
    {'accuracy': 0.78, ...}
    """
    if (tuned_for := task_name_of(model)) != task.name:
        raise InputError(f"{model} was tuned for {tuned_for}; it cannot be scored as {task.name}.")
    tuned, folder = task_of(task), model_folder_of(model)
    metric = metric or tuned.metrics[0]
    rows = tuned.read(data)
    loaded = load_task_model(folder)
    examples = tuned.examples(loaded, rows)
    with new_folder(output) as made:
        scores = tuned.scores(loaded, examples)
        numbers = scores.numbers()
        predictions = list(tuned.predictions(loaded, rows))
        write_predictions(made / PREDICTIONS_FILE, predictions)
        tuned.write_official_predictions(made, predictions)
        tuned.draw(scores, loaded, path=made / PICTURE_FILE,
                   title=f"{pathlib.Path(data).name}, {metric} {numbers[metric]:.3f}")
        write_result(made, {
            "job": JOB, "task": name or task.name, "metric": metric, "score": numbers[metric], "metrics": numbers,
            "examples": len(rows), "settings": {"model": str(model), "data": str(data), **dataclasses.asdict(task)},
            "inputs": {"model": fingerprint(folder), "data": rows.hash()}, "versions": versions()})
    return numbers
