"""The tasks of GLUE by name: where the official files hold what, which score counts, what the leaderboard wants."""

import dataclasses
import pathlib

from electra_tf.config import unknown_name_error
from electra_tf.errors import InputError
from electra_tf.tasks.options import TFDS_PREFIX, Regression, TextClassification

_PAIR = ("sentence1", "sentence2")
_PACKINGS = ("", ".gz", ".xz")
DIAGNOSTIC = "glue/ax"
# As the official download script lays it out, as the leaderboard calls it, and beside MNLI's files as the original.
_DIAGNOSTIC_FOLDERS, _DIAGNOSTIC_NAMES = ("diagnostic", "AX", "MNLI", ""), ("diagnostic", "AX")
# What tensorflow-datasets calls otherwise than the official files.
_TFDS_SPLITS = {"dev": "validation", "dev_matched": "validation_matched", "dev_mismatched": "validation_mismatched"}
_TFDS_PREMISE_COLUMNS, _TFDS_DIAGNOSTIC = ("premise", "hypothesis"), {"AX": f"{TFDS_PREFIX}{DIAGNOSTIC}@test"}
# The official files tell these labels by number. The order matters: F1 is that of the second label.
_TFDS_LABEL, _TFDS_NUMBER = "label", "label:number"


@dataclasses.dataclass(frozen=True)
class GlueTask:
    """One task as the official download has it.

    Attributes:
        folder: its folder there.
        task: which columns of its labelled files hold what.
        metric: the score that GLUE reports.
        unlabelled_columns: columns of the texts in its test files.
        tfds_columns: columns in tensorflow-datasets, the label last.
        submissions: name of the leaderboard's file -> name of the test file.
        validation, test: names of the labelled files beside train: the one that chooses the weights, and one more.
    """

    folder: str
    task: TextClassification | Regression
    metric: str
    unlabelled_columns: tuple[str, ...]
    tfds_columns: tuple[str, ...]
    submissions: dict
    validation: str = "dev"
    test: str | None = None


def _one(folder, columns, label, metric, *, kind=TextClassification, unlabelled=None, tfds=None,
         tfds_label=_TFDS_LABEL):
    return GlueTask(folder, kind(columns, label), metric, unlabelled or columns, (*(tfds or columns), tfds_label),
                    {folder: "test"})


GLUE = {
    # Its labelled files have no line of names.
    "cola": _one("CoLA", ("3",), "1", "matthews", unlabelled=("sentence",), tfds=("sentence",),
                 tfds_label=_TFDS_NUMBER),
    "sst2": _one("SST-2", ("sentence",), "label", "accuracy", tfds_label=_TFDS_NUMBER),
    "mrpc": _one("MRPC", ("#1 String", "#2 String"), "Quality", "accuracy", tfds=_PAIR, tfds_label=_TFDS_NUMBER),
    "stsb": _one("STS-B", _PAIR, "score", "spearman", kind=Regression),
    "qqp": _one("QQP", ("question1", "question2"), "is_duplicate", "accuracy", tfds_label=_TFDS_NUMBER),
    "mnli": GlueTask("MNLI", TextClassification(_PAIR, "gold_label"), "accuracy", _PAIR,
                     (*_TFDS_PREMISE_COLUMNS, _TFDS_LABEL),
                     {"MNLI-m": "test_matched", "MNLI-mm": "test_mismatched"},
                     validation="dev_matched", test="dev_mismatched"),
    "qnli": _one("QNLI", ("question", "sentence"), "label", "accuracy"),
    "rte": _one("RTE", _PAIR, "label", "accuracy"),
    "wnli": _one("WNLI", _PAIR, "label", "accuracy", tfds_label=_TFDS_NUMBER),
}


@dataclasses.dataclass(frozen=True)
class GlueData:
    """What a fine-tuning run takes for one task of GLUE.

    Attributes:
        task, metric: as of GlueTask.
        train, validation, test: labelled sets; `test` is MNLI's mismatched half, else None, and with folds the official
            validation set in the place of `validation`. The diagnostic set has no `train`, and `validation` only where
            its labels are there.
        unlabelled: name of the leaderboard's file -> file or set of tensorflow-datasets with the texts that it is for,
            as far as they are there.
        unlabelled_columns: columns of those texts.
    """

    task: TextClassification | Regression
    metric: str
    train: str | None
    validation: str | None
    test: str | None
    unlabelled: dict
    unlabelled_columns: tuple[str, ...]


def glue_data(name, data_dir=None, *, train=None, validation=None, test=None, folds=False):
    """The data of a task of GLUE.

    Args:
        name: "glue/cola" and so on: a key of GLUE behind "glue/".
        data_dir: folder of the official download, or of this task in it; None takes tensorflow-datasets.
        train, validation, test: labelled sets in place of the official ones, laid out as those. All are files, or all
            of tensorflow-datasets where that has other columns.
        folds: whether folds of the training set choose the weights. The official validation set is then the test set,
            of MNLI the mismatched half.

    Returns:
        GlueData.

    Raises:
        InputError: no such task, one that is not trained on, a file that is not there, or sets with other columns.

    >>> glue_data("glue/cola", "glue_data").metric   # 'matthews'
    """
    if name == DIAGNOSTIC:
        raise InputError(f"--task={DIAGNOSTIC} has no training set; tune a model with --task=glue/mnli, then run "
                         f"python experiments/evaluate.py --task={DIAGNOSTIC} --model=RUN --data_dir=DIR --output=DIR.")
    key = name.removeprefix("glue/")
    if key not in GLUE:
        raise unknown_name_error("--task", name, [f"glue/{known}" for known in GLUE])
    glue = GLUE[key]
    official = {"train": "train", "validation": None if folds else glue.validation,
                "test": glue.test or (glue.validation if folds else None)}
    given = {"train": train, "validation": validation, "test": test}
    all_are_files = train and (validation or folds) and not str(train).startswith(TFDS_PREFIX)
    if data_dir is None and not all_are_files:
        return _tfds_data(key, official, given)
    folders = [] if data_dir is None else [pathlib.Path(data_dir) / glue.folder, pathlib.Path(data_dir)]
    sets = {part: given[part] or file and _find(folders, file) for part, file in official.items()}
    for part in ("train", "test" if folds else "validation"):
        if folders and not sets[part]:
            raise InputError(f"--data_dir: {folders[0]} has no {official[part]}.tsv (nor .gz or .xz of it); give the "
                             f"folder of the official download, or --{part}.")
    _refuse_mixture(key, sets)
    unlabelled = {form: path for form, file in glue.submissions.items() if (path := _find(folders, file))}
    if key == "mnli" and data_dir is not None:
        unlabelled |= _diagnostic_texts(data_dir)
    return GlueData(glue.task, glue.metric, **sets, unlabelled=unlabelled, unlabelled_columns=glue.unlabelled_columns)


def glue_columns(name, source):
    """Where a labelled set of a task of GLUE holds what.

    Args:
        name: "glue/cola" and so on.
        source: a file laid out as the official ones, or a set of tensorflow-datasets, which has other columns.

    Returns:
        {"text_columns", "label_column"}; {} for a name that is none of GLUE.

    >>> glue_columns("glue/cola", "dev.tsv")   # {'text_columns': ('3',), 'label_column': '1'}
    """
    glue = GLUE.get(name.removeprefix("glue/")) if name.startswith("glue/") else None
    if glue is None:
        return {}
    if str(source).startswith(TFDS_PREFIX):
        *columns, label = glue.tfds_columns
        return {"text_columns": tuple(columns), "label_column": label}
    return {"text_columns": glue.task.text_columns, "label_column": glue.task.label_column}


def _tfds_data(key, official, given):
    """GlueData of tensorflow-datasets, with the sets that are given in place of its own."""
    glue = GLUE[key]
    *columns, label = glue.tfds_columns

    def named(file):
        return file and f"{TFDS_PREFIX}glue/{key}@{_TFDS_SPLITS.get(file, file)}"
    sets = {part: given[part] or named(file) for part, file in official.items()}
    _refuse_mixture(key, sets)
    unlabelled = {form: named(file) for form, file in glue.submissions.items()}
    return GlueData(type(glue.task)(tuple(columns), label), glue.metric, **sets,
                    unlabelled=unlabelled | (_TFDS_DIAGNOSTIC if key == "mnli" else {}),
                    unlabelled_columns=tuple(columns))


def _refuse_mixture(key, sets):
    """InputError for files beside sets of tensorflow-datasets, unless the columns of both are the same."""
    task, given = GLUE[key].task, {part: source for part, source in sets.items() if source}
    prepared = [f"--{part} {source}" for part, source in given.items() if str(source).startswith(TFDS_PREFIX)]
    files = [f"--{part} {source}" for part, source in given.items() if not str(source).startswith(TFDS_PREFIX)]
    if prepared and files and (*task.text_columns, task.label_column) != GLUE[key].tfds_columns:
        raise InputError(f"--task=glue/{key}: {files[0]} is a file, but {prepared[0]} has the columns of "
                         f"tensorflow-datasets; give files for all sets, or --data_dir.")


def diagnostic_data(data_dir=None):
    """The data of GLUE's diagnostic set (AX), which a model tuned on MNLI answers.

    Args:
        data_dir: folder of the official download, or any that holds diagnostic.tsv or AX.tsv (for the leaderboard) or
            diagnostic-full.tsv (with labels); None takes tensorflow-datasets, which has no labels.

    Returns:
        GlueData without `train`.

    Raises:
        InputError: none of these files is there.

    >>> diagnostic_data("glue_data").unlabelled   # {'AX': 'glue_data/diagnostic/diagnostic.tsv'}
    """
    if data_dir is None:
        task = TextClassification(_TFDS_PREMISE_COLUMNS, _TFDS_LABEL)
        return GlueData(task, "matthews", None, None, None, dict(_TFDS_DIAGNOSTIC), _TFDS_PREMISE_COLUMNS)
    labelled, unlabelled = _find(_diagnostic_folders(data_dir), "diagnostic-full"), _diagnostic_texts(data_dir)
    if not labelled and not unlabelled:
        raise InputError(f"--data_dir: {data_dir} has no diagnostic.tsv, AX.tsv or diagnostic-full.tsv (nor .gz or .xz "
                         f"of them), and no folder diagnostic, AX or MNLI that has; give a folder with one of them.")
    return GlueData(TextClassification(("Premise", "Hypothesis"), "Label"), "matthews", None, labelled, None,
                    unlabelled, _PAIR)


def _diagnostic_texts(data_dir):
    """{"AX": path}, or {}."""
    found = [_find(_diagnostic_folders(data_dir), name) for name in _DIAGNOSTIC_NAMES]
    path = next(filter(None, found), None)
    return {"AX": path} if path else {}


def _diagnostic_folders(data_dir):
    return [pathlib.Path(data_dir) / folder for folder in _DIAGNOSTIC_FOLDERS]


def _find(folders, name):
    for folder in folders:
        for packing in _PACKINGS:
            if (folder / f"{name}.tsv{packing}").is_file():
                return str(folder / f"{name}.tsv{packing}")
    return None
