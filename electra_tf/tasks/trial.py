"""One trial of a fine-tuning run: one seed, from new weights of the head to the scores of the best ones."""

import dataclasses
import json
import pathlib
import shutil

import keras

from electra_tf.config import replace
from electra_tf.files import write_json_atomically
from electra_tf.progress import Progress
from electra_tf.tasks.finetuning_loop import Course, tune
from electra_tf.tasks.report.run_report import LOG_FILE
from electra_tf.tasks.run_models import TUNED_MODEL
from electra_tf.tasks.statistics.prediction_files import PREDICTIONS_FILE
from electra_tf.text.text_files import whole_characters
from electra_tf.training.run_folder import RESULT_FILE

PICTURE_FILE = "scores.png"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Trial(Course):
    """What one seed reached, and how it went (see `Course`).

    Attributes:
        seed: of the new head, the data order and dropout.
        validation, test: dict of the best weights' scores on either set; test is None without a test set.
    """

    seed: int
    validation: dict
    test: dict | None


@dataclasses.dataclass(frozen=True)
class Setting:
    """What decides a trial besides its seed.

    Attributes:
        task: FineTuningTask.
        config: FineTuningConfig; a trial replaces its seed.
        sets: rows by "train", "validation" and perhaps "test".
        label_rows: rows that tell which labels there are: the training set, in cross-validation with the fold that is
            left out, so that a rare label that stands in that fold alone is missed and not unknown.
        source: path of the model folder to start from.
        load_weights: whether its weights are taken, or its architecture and vocabulary alone.
        metric: name of the score that chooses the best weights.
    """

    task: object
    config: object
    sets: dict
    label_rows: object
    source: pathlib.Path
    load_weights: bool
    metric: str

    def new_model(self, seed):
        """A compiled model with new weights of the head."""
        keras.utils.set_random_seed(seed)
        model = self.task.new_model(self.source, train=self.label_rows, config=self.config,
                                    load_weights=self.load_weights)
        model.compile(settings=replace(self.config, seed=seed))
        return model

    def examples(self, model):
        """Examples by the name of their set."""
        return {name: self.task.examples(model, rows) for name, rows in self.sets.items()}

    @property
    def reported_split(self):
        return "test" if "test" in self.sets else "validation"


def run_trial(setting, folder, *, seed, examples, name):
    """Runs one trial, or reads what it reached when it has run to its end before.

    Args:
        setting: Setting.
        folder: of the trial; a trial that was cut short is done again from its start.
        seed: of the trial.
        examples: Examples by the name of their set.
        name: what the progress bar calls it.

    Returns:
        Trial.

    >>> run_trial(setting, run / "trials" / "3", seed=3, examples=examples, name="Fine-tuning").validation["accuracy"]
    """
    result = folder / RESULT_FILE
    if result.is_file():
        return Trial(**json.loads(result.read_text(encoding="utf-8")))
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    task, config = setting.task, replace(setting.config, seed=seed)
    model = setting.new_model(seed)
    with Progress(config.train_steps(len(examples["train"])), unit="steps", description=name) as progress:
        tuning = tune(model, config, train=examples["train"], metric=setting.metric, progress=progress,
                      score=lambda: task.scores(model, examples["validation"]), log=_LogFile(folder / LOG_FILE),
                      guess_loss=task.constant_guess_loss(examples["train"]),
                      majority_level=task.majority_level(examples["validation"], setting.metric))
    task.settle(model, examples["validation"])
    test = task.scores(model, examples["test"]) if "test" in examples else None
    scores = tuning.scores if test is None else test
    predictions = list(task.predictions(model, setting.sets[setting.reported_split]))
    write_predictions(folder / PREDICTIONS_FILE, predictions)
    task.write_official_predictions(folder, predictions)
    task.draw(scores, model, path=folder / PICTURE_FILE,
              title=f"{setting.reported_split}, {setting.metric} {scores.numbers()[setting.metric]:.3f}")
    model.save_to_preset(folder / TUNED_MODEL)
    trial = Trial(seed=seed, validation=tuning.scores.numbers(), test=test and test.numbers(), **tuning.course())
    write_json_atomically(result, dataclasses.asdict(trial))
    return trial


def write_predictions(path, records):
    """Writes what a task's `predictions` yields, one JSON object in a line."""
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(whole_characters(json.dumps(record, ensure_ascii=False)) + "\n" for record in records)


class _LogFile:
    """Appends records to a file, one JSON object in a line."""

    def __init__(self, path):
        self._path = path

    def __call__(self, record):
        with open(self._path, "a", encoding="utf-8") as file:
            file.write(json.dumps(record, allow_nan=False) + "\n")
