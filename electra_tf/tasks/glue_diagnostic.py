"""GLUE's diagnostic set (AX), which nothing is trained on: a model that was tuned on MNLI answers it."""

from electra_tf.errors import InputError
from electra_tf.files import new_folder, some_names
from electra_tf.tasks.evaluate import evaluate, task_name_of
from electra_tf.tasks.glue import DIAGNOSTIC
from electra_tf.tasks.glue_submission import write_submission
from electra_tf.tasks.run_models import model_folder_of
from electra_tf.tasks.task_models import load_task_model

_LABELS = ("contradiction", "entailment", "neutral")


def evaluate_diagnostic(model, data, *, output):
    """Answers the diagnostic set as the leaderboard takes it, and scores the answers where the labels are there.

    Args:
        model: model folder, or folder of a fine-tuning run, tuned on MNLI.
        data: GlueData of `diagnostic_data`.
        output: folder to make. It gets submission/AX.tsv where the unlabelled file is there, and what `evaluate` writes
            where the labelled one is.

    Returns:
        Dict of name -> score, "matthews" among them, which GLUE reports; None without labels.

    Raises:
        InputError: a model whose labels are not MNLI's, files that cannot be read, or an output that holds other work.

    >>> evaluate_diagnostic("runs/mnli", diagnostic_data("glue_data"), output="runs/ax")["matthews"]   # 0.28
    """
    if task_name_of(model) != data.task.name:
        raise InputError(f"{model} was tuned for {task_name_of(model)}; {DIAGNOSTIC} needs a model tuned on MNLI.")
    loaded = load_task_model(model_folder_of(model))
    if sorted(loaded.labels) != list(_LABELS):
        raise InputError(f"{model} tells {some_names(loaded.labels)} apart; {DIAGNOSTIC} needs a model tuned on MNLI, "
                         f"whose labels are {', '.join(_LABELS)}.")
    numbers = None
    with new_folder(output) as made:
        if data.validation:
            numbers = evaluate(model, data.validation, task=data.task, output=made, metric=data.metric, name=DIAGNOSTIC)
        write_submission(made, loaded, data)
    return numbers
