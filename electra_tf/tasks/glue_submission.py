"""Predictions in the form of the GLUE leaderboard: one TSV file for each test set, all of them in a zip."""

import pathlib
import zipfile

import numpy as np

from electra_tf.errors import InputError
from electra_tf.files import require_new_file, write_text_atomically
from electra_tf.tasks.labelled_files import read_labelled_texts
from electra_tf.tasks.options import TFDS_PREFIX

SUBMISSION = "submission"  # in the folder of a fine-tuning run
FILES = ("CoLA", "SST-2", "MRPC", "STS-B", "MNLI-m", "MNLI-mm", "QNLI", "QQP", "RTE", "WNLI", "AX")


def write_submission(folder, model, data):
    """Writes a TSV file for each test set of a task that is there.

    Args:
        folder: the run; the files go to its `submission`.
        model: the tuned TextTask.
        data: GlueData; a set of tensorflow-datasets is written in the order of the official file.

    Returns:
        List of the paths that were written.

    >>> write_submission("runs/cola", classifier, glue_data("glue/cola", "glue_data"))   # [.../submission/CoLA.tsv]
    """
    paths = []
    for form, source in data.unlabelled.items():
        numbers, texts = _numbered_texts(source, data.unlabelled_columns)
        path = pathlib.Path(folder) / SUBMISSION / f"{form}.tsv"
        path.parent.mkdir(exist_ok=True)
        lines = [f"{number}\t{answer}\n" for number, answer in zip(numbers, _answers(model, texts), strict=True)]
        write_text_atomically(path, "".join(["index\tprediction\n", *lines]))
        paths.append(path)
    return paths


def _numbered_texts(source, columns):
    """The leaderboard's number of each row, and the texts in its order."""
    if not source.startswith(TFDS_PREFIX):
        rows = read_labelled_texts(source, text_columns=columns)
        return range(len(rows)), rows.texts
    # tensorflow-datasets shuffles the rows of a set when it prepares it; idx is the place in the official file.
    rows = read_labelled_texts(source, text_columns=columns, label_column="idx")
    rows = rows.at(sorted(range(len(rows)), key=lambda row: int(rows.labels[row])))
    return rows.labels, rows.texts


def _answers(model, texts):
    answers = model.predict(texts, verbose=0)
    if hasattr(model, "score_range"):  # a regressor, or an ensemble of some
        return [f"{score:.3f}" for score in np.clip(answers, *model.score_range)]
    return [model.labels[place] for place in answers.argmax(axis=1)]


def zip_submissions(runs, output):
    """Packs the files of several runs as the leaderboard takes them.

    Args:
        runs: folders of fine-tuning runs on tasks of GLUE.
        output: zip file to write.

    Returns:
        Names of the files that the leaderboard wants and no run has.

    Raises:
        InputError: a run without a submission, a file in two runs, or an output that exists.

    >>> zip_submissions(["runs/cola", "runs/rte"], "submission.zip")   # ['SST-2.tsv', 'MRPC.tsv', ...]
    """
    require_new_file(output)
    found = {}
    for run in runs:
        paths = sorted((pathlib.Path(run) / SUBMISSION).glob("*.tsv"))
        if not paths:
            raise InputError(f"{run} holds no {SUBMISSION}/*.tsv; fine-tune with --task=glue/NAME, and where "
                             f"--data_dir is given, one that has the test files.")
        for path in paths:
            if path.name in found:
                raise InputError(f"{path.name} is in {found[path.name].parent.parent} and in {run}; give one of them.")
            found[path.name] = path
    with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, path in found.items():
            archive.write(path, name)
    return [f"{form}.tsv" for form in FILES if f"{form}.tsv" not in found]
