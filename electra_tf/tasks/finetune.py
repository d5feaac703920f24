"""One fine-tuning run: a pretrained encoder and a labelled set in, the best model by validation out."""

import dataclasses
import hashlib
import json
import pathlib
import shutil
import sys

import keras

from electra_tf.config import to_dict
from electra_tf.errors import InputError
from electra_tf.model.model_folder import fingerprint
from electra_tf.progress import Progress
from electra_tf.tasks.classification_scores import METRICS, ClassificationScores
from electra_tf.tasks.confusion_picture import draw_confusion
from electra_tf.tasks.finetuning_loop import Examples, Tuning, score, tune
from electra_tf.tasks.labelled_files import LabelledTexts, read_labelled_texts
from electra_tf.tasks.labels import label_names, label_numbers
from electra_tf.tasks.run_models import TUNED_MODEL, model_folder_of
from electra_tf.tasks.text_classification import ElectraTextClassifier
from electra_tf.training.run_folder import RESULT_FILE, create_run_folder, write_result

JOB = "finetune"
TASKS = ("text_classification",)
_LOG_FILE, _PICTURE_FILE = "log.jsonl", "confusion.png"


@dataclasses.dataclass(frozen=True)
class FineTuningResult:
    """What a run reached.

    Attributes:
        folder: the run; its `model` is the model folder with the best weights.
        metric: name of the score that chose them.
        validation: ClassificationScores of the best weights.
        test: the same on the test set, or None.
        best_step: updates behind the best weights.
        is_dead: whether every evaluation found a constant guess.
    """

    folder: pathlib.Path
    metric: str
    validation: ClassificationScores
    test: ClassificationScores | None
    best_step: int
    is_dead: bool


def finetune(config, *, train, validation, text_columns, label_column, model, output, test=None,
             task="text_classification", metric="accuracy", random_weights=False):
    """Tunes a pretrained encoder and keeps the weights that score best on the validation set.

    The same arguments give the same weights on the same kind of machine. A run is short, so it is not resumed: what a
    killed run left in `output` is done again from the start by the same call, and a finished run is refused.

    Args:
        config: FineTuningConfig.
        train, validation, test: labelled sets as `read_labelled_texts` takes them; `test` (or None) is scored once,
            with the best weights.
        text_columns: one name, or two for pairs.
        label_column: name of the column with the labels.
        model: model folder, folder of a pretraining or fine-tuning run, or a shipped name.
        output: folder of the run.
        task: "text_classification".
        metric: "accuracy", "macro_f1" or "matthews".
        random_weights: take only architecture and vocabulary from `model`: the baseline without pretraining.

    Returns:
        FineTuningResult.

    Raises:
        InputError: data, model, settings or output that cannot be used, or a loss that is not finite.

    >>> finetune(FineTuningConfig(), train="train.tsv", validation="dev.tsv", text_columns=["sentence"],
    ...          label_column="label", model="tiny_en", output="runs/polarity").validation.accuracy   # 0.78
    """
    _require_known("task", task, TASKS)
    _require_known("metric", metric, METRICS)
    sets = {name: read_labelled_texts(source, text_columns=text_columns, label_column=label_column)
            for name, source in (("train", train), ("validation", validation), ("test", test)) if source}
    labels = label_names(sets["train"].labels)
    numbers = {name: label_numbers(rows.labels, labels, source=rows.source) for name, rows in sets.items()}
    source = model_folder_of(model)
    keras.utils.set_random_seed(config.seed)
    classifier = ElectraTextClassifier.from_preset(
        source, labels=labels, sequence_length=config.sequence_length, pairs=len(text_columns) == 2,
        dropout=config.dropout, load_weights=not random_weights,
        dtype="mixed_bfloat16" if config.precision == "bfloat16" else "float32")
    classifier.compile(settings=config)

    inputs = {"model": fingerprint(source), **{name: _hash(rows) for name, rows in sets.items()}}
    settings = {"task": task, "train": str(train), "validation": str(validation), "test": test and str(test),
                "text_columns": list(text_columns), "label_column": label_column, "model": str(model), "metric": metric,
                "random_weights": random_weights, **to_dict(config)}
    folder = _fresh_run_folder(output, settings=settings, inputs=inputs)
    examples = {name: Examples(classifier.encode(rows.texts), numbers[name]) for name, rows in sets.items()}
    train_steps = config.train_steps(len(examples["train"]))
    with Progress(train_steps, unit="steps", description="Fine-tuning") as progress:
        tuning = tune(classifier, config, train=examples["train"], validation=examples["validation"], metric=metric,
                      progress=progress, log=_LogFile(folder / _LOG_FILE))
    test_scores = score(classifier, examples["test"]) if test else None
    classifier.save_to_preset(folder / TUNED_MODEL)
    draw_confusion(tuning.scores.confusion, labels, path=folder / _PICTURE_FILE,
                   title=f"validation, {metric} {getattr(tuning.scores, metric):.3f}")
    write_result(folder, _result(tuning, settings, inputs, labels=labels, sets=sets, test_scores=test_scores))
    return FineTuningResult(folder, metric, tuning.scores, test_scores, tuning.best_step, tuning.is_dead)


def _require_known(setting, value, known):
    if value not in known:
        raise InputError(f"{setting}={value!r} is not known; choose one of {', '.join(known)}.")


def _hash(rows: LabelledTexts):
    """What tells one labelled set from another, wherever it lies."""
    return hashlib.sha256(json.dumps([rows.columns, rows.labels]).encode("ascii")).hexdigest()


def _fresh_run_folder(output, *, settings, inputs):
    """The folder of a new run, or of a killed one with equal settings, cleared of what that one left."""
    # What data and model are is told by their hashes; where they lie may change.
    folder = create_run_folder(output, job=JOB, settings=settings, inputs=inputs, resume=True,
                               free=("train", "validation", "test", "model"))
    if (folder / RESULT_FILE).is_file():
        raise InputError(f"{folder} holds a finished run with these settings; its model is {folder / TUNED_MODEL}. "
                         f"Give a new folder to run it again.")
    if (folder / _LOG_FILE).exists():
        print(f"{folder} holds a run that was not finished; it starts again.", file=sys.stderr)
    for name in (_LOG_FILE, _PICTURE_FILE):
        (folder / name).unlink(missing_ok=True)
    shutil.rmtree(folder / TUNED_MODEL, ignore_errors=True)
    return folder


class _LogFile:
    """Appends records to a file, one JSON object in a line."""

    def __init__(self, path):
        self._path = path

    def __call__(self, record):
        with open(self._path, "a", encoding="utf-8") as file:
            file.write(json.dumps(record, allow_nan=False) + "\n")


def _result(tuning: Tuning, settings, inputs, *, labels, sets, test_scores):
    """What result.json holds: each number with split, metric, seed and the hashes of what it was made from."""
    def scores_of(name, scores):
        return {"source": sets[name].source, "examples": len(sets[name]), **scores.numbers(),
                "confusion": scores.confusion.tolist()}
    return {
        "job": JOB, "task": settings["task"], "metric": settings["metric"],
        "value": getattr(tuning.scores, settings["metric"]), "split": "validation", "seed": settings["seed"],
        "best_step": tuning.best_step, "best_epoch": tuning.best_epoch, "train_steps": tuning.train_steps,
        "steps_done": tuning.steps_done, "is_dead": tuning.is_dead, "labels": list(labels),
        "train_examples": len(sets["train"]), "validation": scores_of("validation", tuning.scores),
        "test": test_scores and scores_of("test", test_scores),
        "examples_per_second": tuning.examples_per_second, "seconds": tuning.seconds, "model": settings["model"],
        "random_weights": settings["random_weights"], "inputs": inputs}
