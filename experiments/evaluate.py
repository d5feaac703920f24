"""Job: a tuned model and labelled texts -> its scores. `--help` shows the flags."""

import dataclasses

import electra_tf
from electra_tf import config
from electra_tf.tasks.glue import DIAGNOSTIC, diagnostic_data
from electra_tf.tasks.options import TASKS
from electra_tf.tasks.tuned_run import options_of_run
from experiments import job
from experiments.task_flags import task_from, with_task_options

# What the options of tasks say of a file; the rest is said of a model, whose folder knows it.
FILE_OPTIONS = ("text_columns", "label_column", "label_separator", "choice_columns", "token_column", "tag_column",
                "scheme", "drop_last_character", "wrong_answers", "answer_scorer")
_NOT_GIVEN = (None, ())


@dataclasses.dataclass(frozen=True, kw_only=True)
class JobFlags:
    """Scores a tuned model on labelled data. The task is the one that the model was tuned for.

    The data are a file as --train of finetune.py takes it. Of a fine-tuning run the columns and other options below are
    those of the run, unless they are given. The output holds result.json, predictions.jsonl, report.html and, of most
    tasks, scores.png. With --task=glue/ax a model tuned on MNLI answers GLUE's diagnostic set: the output gets
    submission/AX.tsv, and the scores where the labels (diagnostic-full.tsv) are there.
    """

    model: str = job.required("folder of a fine-tuning run, whose tuned model is meant, or a model folder")
    data: str | None = config.setting(None, "labelled set to score the model on")
    output: str | None = config.setting(None, "folder to make; left out, the scores are printed and nothing is written")
    task: str | None = config.setting(None, f"{DIAGNOSTIC}, in place of --data")
    data_dir: str | None = config.setting(None, f"for {DIAGNOSTIC}: folder of the official files; left out, "
                                                f"tensorflow-datasets is asked")


Flags = with_task_options(JobFlags, TASKS, only=FILE_OPTIONS)


def main(flags):
    if flags.task:
        _score_diagnostic(flags)
        return
    if not flags.data or flags.data_dir:
        raise electra_tf.InputError(f"--data must be given; --data_dir is for --task={DIAGNOSTIC}.")
    task = _task(flags)
    numbers = electra_tf.evaluate(flags.model, flags.data, task=task, output=flags.output)
    _tell(task.name, numbers, flags.output)


def _task(flags):
    """The options of the model's task: as the flags give them, else as the run was given them, else the task's own."""
    name = electra_tf.task_name_of(flags.model)
    of_run = options_of_run(flags.model, TASKS[name], flags.data)
    missing = {option: value for option, value in of_run.items()
               if option in FILE_OPTIONS and getattr(flags, option) in _NOT_GIVEN}
    task = task_from(dataclasses.replace(flags, **missing), TASKS, name=name)
    return dataclasses.replace(task, **{option: value for option, value in of_run.items()
                                        if option not in FILE_OPTIONS})


def _score_diagnostic(flags):
    given = [f"--{name}" for name in ("data", *FILE_OPTIONS) if getattr(flags, name) not in _NOT_GIVEN]
    if flags.task != DIAGNOSTIC or given:
        raise electra_tf.InputError(f"--task={flags.task}: expected {DIAGNOSTIC} without "
                                    f"{', '.join(given) or '--data'}; any other task is known from "
                                    f"the model, and --data is its file.")
    if not flags.output:
        raise electra_tf.InputError(f"--task={DIAGNOSTIC} needs --output, the folder for the leaderboard's file.")
    data = diagnostic_data(flags.data_dir)
    numbers = electra_tf.evaluate_diagnostic(flags.model, data, output=flags.output)
    if numbers:
        _tell(DIAGNOSTIC, numbers, flags.output)
    if data.unlabelled:
        print(f"for the leaderboard: {flags.output}/submission/AX.tsv")


def _tell(task, numbers, output):
    print(f"{task}: " + ", ".join(f"{name} {value:.4f}" for name, value in numbers.items()))
    if output:
        print(f"every answer is in {output}/predictions.jsonl, the report is {output}/report.html")


if __name__ == "__main__":
    job.run_job(main, Flags)
