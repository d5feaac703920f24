"""Small files laid out as the official download of GLUE, and a model that answers by the text alone."""

import zlib

import numpy as np

from electra_tf.tasks.glue import GLUE

ROWS = 12
NUMBERS, ENTAILMENT = ("0", "1"), ("entailment", "not_entailment")
LABELS = {"cola": NUMBERS, "sst2": NUMBERS, "mrpc": NUMBERS, "stsb": ("0.0", "3.8", "5.0", "2.2"), "qqp": NUMBERS,
          "mnli": ("entailment", "neutral", "contradiction"), "qnli": ENTAILMENT, "rte": ENTAILMENT, "wnli": NUMBERS}


def write_glue(folder, key, *, count=ROWS):
    """Writes all files of a task, with texts of their own in each; returns `folder`."""
    glue = GLUE[key]
    for file in filter(None, ("train", glue.validation, glue.test)):
        labels = [LABELS[key][row % len(LABELS[key])] for row in range(count)]
        if key == "cola":  # no line of names
            lines = [f"x\t{label}\t\t{texts_of(file, row, 1)[0]}" for row, label in enumerate(labels)]
        else:
            columns = glue.task.text_columns
            lines = ["\t".join(("index", "#1 ID", "#2 ID", *columns, glue.task.label_column)),
                     *("\t".join((str(row), f"{file}{row}", "0", *texts_of(file, row, len(columns)), label))
                       for row, label in enumerate(labels))]
        write_lines(folder / glue.folder / f"{file}.tsv", lines)
    for file in glue.submissions.values():
        write_unlabelled(folder / glue.folder / f"{file}.tsv", glue.unlabelled_columns, count=count)
    return folder


def write_unlabelled(path, columns, *, count=ROWS):
    """A file for the leaderboard: the number of each row and its texts."""
    write_lines(path, ["\t".join(("index", *columns)),
                       *("\t".join((str(row), *texts_of(path.stem, row, len(columns)))) for row in range(count))])


def write_lines(path, lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def texts_of(file, row, count):
    return [f"{word} film {row} of {file}" for word in ("good", "bad")[:count]]


class AnswersByText:
    """Takes the place of a tuned classifier: the same answer to the same text, wherever it stands."""

    def __init__(self, labels):
        self.labels, self.seen = labels, []

    def predict(self, texts, verbose):
        rows = list(zip(*texts, strict=True)) if isinstance(texts, tuple) else [(text,) for text in texts]
        self.seen.append(rows)
        return np.eye(len(self.labels))[[zlib.crc32(" ".join(row).encode()) % len(self.labels) for row in rows]]

    def answers(self, rows):
        return [self.labels[place] for place in self.predict(tuple(zip(*rows, strict=True)), 0).argmax(axis=1)]
