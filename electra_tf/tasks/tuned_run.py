"""What a fine-tuning run has stored of itself, for jobs that go on with its model; known without TensorFlow."""

import dataclasses
import pathlib

from electra_tf.config import read_json
from electra_tf.tasks.glue import glue_columns
from electra_tf.training.run_folder import RESULT_FILE

TUNED_MODEL = "model"  # in the folder of a fine-tuning run


def result_of_run(folder):
    """What the result.json of a fine-tuning run says.

    Args:
        folder: of the run.

    Returns:
        Dict; {} where the folder is none of a finished fine-tuning run, such as a model folder.

    Raises:
        InputError: a result.json that cannot be read.

    >>> result_of_run("runs/polarity")["best_seed"]   # 0
    """
    folder = pathlib.Path(folder)
    is_run = (folder / TUNED_MODEL / "config.json").is_file() and not (folder / "config.json").is_file()
    return read_json(folder / RESULT_FILE) if is_run and (folder / RESULT_FILE).is_file() else {}


def kept_trial(result):
    """The entry of the trial whose model a run has kept.

    Args:
        result: of `result_of_run`.

    Returns:
        Dict; {} where there is no run.

    >>> kept_trial(result_of_run("runs/polarity"))["best_step"]   # 300
    """
    return next((entry for entry in result.get("trials", ()) if entry["seed"] == result.get("best_seed")), {})


def options_of_run(folder, task, data):
    """The options of the task that a fine-tuning run was given: columns, separators and the like.

    Args:
        folder: of the run.
        task: TextClassification or another class of tasks/options.py, the one that the model was tuned for.
        data: what is to be read with them. A run of GLUE may have come from the official files or from
            tensorflow-datasets, whose columns differ; here these are those of `data`.

    Returns:
        Dict of option -> value; {} where the folder is none of a finished fine-tuning run.

    >>> options_of_run("runs/polarity", TextClassification, "dev.tsv")["text_columns"]   # ('sentence',)
    """
    settings = result_of_run(folder).get("settings", {})
    settings = {**settings, **glue_columns(settings.get("task", ""), data)}
    found = {field.name: settings[field.name] for field in dataclasses.fields(task) if field.name in settings}
    return {name: tuple(value) if isinstance(value, list) else value for name, value in found.items()}
