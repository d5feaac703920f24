"""Each task's options are flags of the fine-tuning job; one of another task is refused."""

import pytest

from electra_tf.errors import InputError
from electra_tf.tasks.options import TASKS, MultiLabel, MultipleChoice, TextClassification
from experiments import finetune, job
from experiments.task_flags import task_from

FILES = ["finetune.py", "--train=a.tsv", "--validation=b.tsv", "--model=m", "--output=o"]


def task_of(*flags):
    return task_from(job.read_flags(finetune.Flags, [*FILES, *flags]), TASKS)


def test_the_flags_make_the_options_of_the_task():
    assert task_of("--text_columns=a,b", "--label_column=c") == TextClassification(("a", "b"), "c")
    assert task_of("--task=multi_label", "--text_columns=a", "--label_column=c") == MultiLabel(("a",), "c", "|")
    assert task_of("--task=multi_label", "--text_columns=a", "--label_column=c", "--label_separator=;") == MultiLabel(
        ("a",), "c", ";")
    assert task_of("--task=multiple_choice", "--text_columns=a", "--choice_columns=x,y", "--label_column=c") == (
        MultipleChoice(("a",), ("x", "y"), "c"))


@pytest.mark.parametrize("flags, message", [
    (["--task=tagging"], "--task 'tagging' does not exist"),
    (["--text_columns=a", "--label_column=b", "--label_separator=,"],
     "--label_separator says nothing to --task=text_classification; its options are --text_columns, --label_column"),
    (["--label_column=b"], "text_columns has 0 names; give one, or two for pairs"),
    (["--text_columns=a"], "label_column must be given"),
    (["--task=multiple_choice", "--text_columns=a", "--choice_columns=x", "--label_column=c"],
     "choice_columns has 1 names; give two or more"),
    (["--task=multi_label", "--text_columns=a", "--label_column=c", "--label_separator="],
     "label_separator='' must be one character or more"),
])
def test_what_does_not_fit_is_refused(flags, message):
    with pytest.raises(InputError, match=message):
        task_of(*flags)


def test_help_says_which_tasks_an_option_belongs_to(capsys):
    with pytest.raises(SystemExit) as ended:
        job.run_job(finetune.main, finetune.Flags, ["finetune.py", "--help"])
    assert ended.value.code == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "what stands between two labels of one text (multi_label)" in shown
    assert "(text_classification, regression, multi_label, multiple_choice)" in shown
