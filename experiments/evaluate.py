"""Job: a tuned model and labelled texts -> its scores. `--help` shows the flags."""

import dataclasses

import electra_tf
from electra_tf.tasks.options import TASKS
from experiments import job
from experiments.task_flags import task_from, with_task_options

# What the options of tasks say of a file; the rest is said of a model, whose folder knows it.
FILE_OPTIONS = ("text_columns", "label_column", "label_separator", "choice_columns", "token_column", "tag_column",
                "scheme", "drop_last_character", "wrong_answers", "answer_scorer")


@dataclasses.dataclass(frozen=True)
class JobFlags:
    """Scores a tuned model on labelled data. The task is the one that the model was tuned for.

    The data are a file as --train of finetune.py takes it. The output holds result.json, predictions.jsonl and, of most
    tasks, scores.png.
    """

    model: str = job.required("model folder, or folder of a fine-tuning run, whose tuned model is meant")
    data: str = job.required("labelled set to score the model on")
    output: str = job.required("folder to make")


Flags = with_task_options(JobFlags, TASKS, only=FILE_OPTIONS)


def main(flags):
    task = task_from(flags, TASKS, name=electra_tf.task_name_of(flags.model))
    numbers = electra_tf.evaluate(flags.model, flags.data, task=task, output=flags.output)
    print(f"{task.name}: " + ", ".join(f"{name} {value:.4f}" for name, value in numbers.items()))
    print(f"every answer is in {flags.output}/predictions.jsonl")


if __name__ == "__main__":
    job.run_job(main, Flags)
