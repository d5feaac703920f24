"""Which task a fine-tuning run is for, and where its files hold what: plain settings, known without TensorFlow."""

import dataclasses

from electra_tf.config import setting
from electra_tf.settings import require, require_whole_numbers
from electra_tf.tasks.question_answering.options import QuestionAnswering
from electra_tf.tasks.tagging.options import TokenClassification

TFDS_PREFIX = "tfds:"  # of a labelled set that tensorflow-datasets knows: tfds:NAME@SPLIT
_TEXTS = ("column of the texts, or two for pairs: sentence1,sentence2; numbers (0, -1) for a file without a line of "
          "names")
TRUNCATE, MEAN, MAX, FIRST = LONG_TEXT = ("truncate", "mean", "max", "first")
_LONG_TEXT = ("what becomes of texts longer than --sequence_length: truncate cuts them; else windows of them are "
              "trained on, and the mean or the max of all windows answers, or the first one")
_STRIDE = "pieces from the start of one window of a long text to that of the next; left out, the task's usual overlap"


@dataclasses.dataclass(frozen=True)
class TextClassification:
    """One label for a text or a pair of texts.

    >>> TextClassification(text_columns=("sentence",), label_column="label").name   # 'text_classification'
    """

    text_columns: tuple[str, ...] = setting((), _TEXTS)
    label_column: str = setting("", "column of the labels")
    long_text: str = setting(TRUNCATE, _LONG_TEXT)
    stride: int | None = setting(None, _STRIDE)
    name = "text_classification"

    def __post_init__(self):
        _check_columns(self)
        check_long_text(self.long_text, self.stride)


@dataclasses.dataclass(frozen=True)
class Regression:
    """A number for a text or a pair of texts.

    >>> Regression(text_columns=("sentence1", "sentence2"), label_column="score").name   # 'regression'
    """

    text_columns: tuple[str, ...] = setting((), _TEXTS)
    label_column: str = setting("", "column of the labels")
    long_text: str = setting(TRUNCATE, _LONG_TEXT)
    stride: int | None = setting(None, _STRIDE)
    name = "regression"

    def __post_init__(self):
        _check_columns(self)
        check_long_text(self.long_text, self.stride)


@dataclasses.dataclass(frozen=True)
class MultiLabel:
    """Any number of labels, none too, for a text or a pair of texts.

    >>> MultiLabel(text_columns=("text",), label_column="topics", label_separator=",").name   # 'multi_label'
    """

    text_columns: tuple[str, ...] = setting((), _TEXTS)
    label_column: str = setting("", "column of the labels")
    label_separator: str = setting("|", "what stands between two labels of one text")
    long_text: str = setting(TRUNCATE, _LONG_TEXT)
    stride: int | None = setting(None, _STRIDE)
    name = "multi_label"

    def __post_init__(self):
        _check_columns(self)
        check_long_text(self.long_text, self.stride)
        require(self.label_separator != "", "label_separator='' must be one character or more.")


@dataclasses.dataclass(frozen=True)
class MultipleChoice:
    """The best of several endings of a text.

    >>> MultipleChoice(text_columns=("context",), choice_columns=("ending0", "ending1"), label_column="label").name
    """

    text_columns: tuple[str, ...] = setting((), _TEXTS)
    choice_columns: tuple[str, ...] = setting((), "columns of the choices; the label is the name of the right one's "
                                                  "column or its place from 0 (of columns given by number, its place)")
    label_column: str = setting("", "column of the labels")
    long_text: str = setting(TRUNCATE, _LONG_TEXT)
    stride: int | None = setting(None, _STRIDE)
    name = "multiple_choice"

    def __post_init__(self):
        _check_columns(self)
        check_long_text(self.long_text, self.stride)
        require(len(self.text_columns) == 1, f"text_columns has {len(self.text_columns)} names; multiple choice takes "
                                             f"one, the text that all choices go with.")
        require(len(self.choice_columns) >= 2,
                f"choice_columns has {len(self.choice_columns)} names; give two or more.")


@dataclasses.dataclass(frozen=True)
class Trials:
    """How many times a run is done, and what comes of it together.

    >>> Trials(num_trials=5, max_restarts=1).ensemble   # False
    """

    num_trials: int = setting(1, "how many seeds to run, from --seed on")
    max_restarts: int = setting(0, "how often each collapsed trial is done again with another seed")
    folds: int = setting(0, "cross-validation: deal the training set into so many parts, each of which is the "
                            "validation set of one trial")
    ensemble: bool = setting(False, "also keep all trials together as one model, the mean of their logits, in "
                                    "`ensemble`")

    def __post_init__(self):
        require_whole_numbers(self, ("num_trials",))
        require_whole_numbers(self, ("max_restarts", "folds"), least=0)
        require(self.folds != 1, "folds=1 must be 0, or 2 and more.")
        require(not self.folds or self.num_trials == 1,
                f"num_trials={self.num_trials}: with --folds each fold is one trial; leave it out.")
        require(not self.ensemble or max(self.num_trials, self.folds) > 1, "ensemble=True needs two trials or more.")

    @property
    def count(self):
        return self.folds or self.num_trials


def check_long_text(long_text, stride):
    """InputError for what is no way to read long texts, or no stride."""
    require(long_text in LONG_TEXT, f"long_text={long_text!r} must be one of {', '.join(LONG_TEXT)}.")
    require(stride is None or isinstance(stride, int) and stride >= 1,
            f"stride={stride!r} must be a whole number from 1 up.")
    require(stride is None or long_text != TRUNCATE,
            f"stride={stride} says nothing to long_text={TRUNCATE!r}; choose {MEAN}, {MAX} or {FIRST} with it.")


def _check_columns(task):
    require(1 <= len(task.text_columns) <= 2, f"text_columns has {len(task.text_columns)} names; give one, or two for "
                                              f"pairs.")
    require(task.label_column != "", "label_column must be given: the column of the labels.")


TASKS = {task.name: task for task in (TextClassification, Regression, MultiLabel, MultipleChoice, TokenClassification,
                                      QuestionAnswering)}
