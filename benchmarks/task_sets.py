"""The labelled sets of the results table: capped training sets, rows that choose the weights, rows that are scored.

Where a set's test rows have labels they are scored and its development rows choose; where not, its development rows are
scored and the last training rows choose. The names say which rows are scored, and what of the texts is left out.
"""

import dataclasses
import gzip
import json
import lzma
import random
from collections.abc import Callable

from electra_tf.tasks.labelled_files import read_labelled_texts
from electra_tf.tasks.options import QuestionAnswering, Regression, TextClassification, TokenClassification

MOST_TRAINED, MOST_CHOOSING, MOST_SCORED = 4000, 1000, 2000
_PAIR = ("sentence1", "sentence2")


@dataclasses.dataclass(frozen=True)
class TaskSet:
    """One row of the table.

    Attributes:
        what: task and score in words.
        language: "en" or "zh".
        task: options of tasks/options.py.
        metric: score that chooses and is reported.
        sequence_length: pieces of the longest input.
        write: function of (folder of the data, folder to write to) that writes the sets and returns their paths by
            "train", "validation" and "test".
    """

    what: str
    language: str
    task: object
    metric: str
    write: Callable
    sequence_length: int = 128


def _texts(train, scored, columns, label, *, choosing=None):
    """A function that caps labelled texts and writes them as .jsonl; what is held out is taken out of the training."""
    def write(data, folder):
        def rows(name):
            found = read_labelled_texts(data / name, text_columns=columns, label_column=label)
            return [dict(zip((*names, "label"), row, strict=True))
                    for row in zip(*found.columns, found.labels, strict=True)]
        names = ("text",) if len(columns) == 1 else _PAIR
        sets = {"test": rows(scored), **({"validation": rows(choosing)} if choosing else {})}
        held_out = {tuple(row[name] for name in names) for held in sets.values() for row in held}
        training = [row for row in rows(train) if tuple(row[name] for name in names) not in held_out]
        training = random.Random(0).sample(training, len(training))
        if not choosing:
            count = min(MOST_CHOOSING, len(training) // 5)
            sets["validation"], training = training[-count:], training[:-count]
        sets = {"train": training[:MOST_TRAINED], "validation": _some(sets["validation"], MOST_CHOOSING),
                "test": _some(sets["test"], MOST_SCORED)}
        return {part: _write(folder / f"{part}.jsonl", "".join(json.dumps(row) + "\n" for row in chosen))
                for part, chosen in sets.items()}
    return write


def _sentences(train, choosing, scored, *, suffix="txt"):
    """A function that caps files in which a blank line ends a sentence."""
    def write(data, folder):
        caps = {"train": (train, MOST_TRAINED), "validation": (choosing, MOST_CHOOSING), "test": (scored, MOST_SCORED)}
        return {part: _write(folder / f"{part}.{suffix}", "".join(
            f"{sentence}\n\n" for sentence in _some(_blocks(_read(data / name)), most)))
            for part, (name, most) in caps.items()}
    return write


def _questions(train, scored):
    """A function that deals the paragraphs of a SQuAD file into those to train and those to choose, and caps all."""
    def write(data, folder):
        documents = json.loads(_read(data / train))["data"]
        paragraphs = [paragraph for document in documents for paragraph in document["paragraphs"]]
        paragraphs = random.Random(0).sample(paragraphs, len(paragraphs))
        choosing, training = _until(paragraphs, MOST_CHOOSING // 2)
        test = [paragraph for document in json.loads(_read(data / scored))["data"]
                for paragraph in document["paragraphs"]]
        sets = {"train": _until(training, MOST_TRAINED)[0], "validation": choosing,
                "test": _until(random.Random(0).sample(test, len(test)), MOST_SCORED)[0]}
        return {part: _write(folder / f"{part}.json", json.dumps({"data": [{"title": "", "paragraphs": chosen}]}))
                for part, chosen in sets.items()}
    return write


def _until(paragraphs, most):
    """(the first paragraphs that hold at most so many questions together, the others)."""
    count = 0
    for place, paragraph in enumerate(paragraphs):
        count += len(paragraph["qas"])
        if count > most:
            return paragraphs[:place], paragraphs[place:]
    return paragraphs, []


def _some(rows, most):
    return rows if len(rows) <= most else random.Random(0).sample(rows, most)


def _blocks(text):
    return [block for block in text.replace("\r\n", "\n").split("\n\n")
            if block.strip() and not block.startswith("-DOCSTART-")]


def _read(path):
    opened = {".gz": gzip.open, ".xz": lzma.open}.get(path.suffix, open)
    with opened(path, "rt", encoding="utf-8", newline="\n") as file:
        return file.read()


def _write(path, text):
    path.write_text(text, encoding="utf-8")
    return str(path)


def _glue(name, columns, label, *, train="train.tsv.gz", scored="dev.tsv", choosing=None):
    return _texts(f"glue/{name}/{train}", f"glue/{name}/{scored}", columns, label,
                  choosing=choosing and f"glue/{name}/{choosing}")


def _classified(columns=_PAIR):
    return TextClassification(("text",) if columns != _PAIR else _PAIR, "label")


_ONE, _TWO = _classified(("text",)), _classified()
_CONLL = "tagging/conll2003/eng"
_EWT = "tagging/ud_english_ewt/en_ewt-ud"
_ZH = "classification_zh/chnsenticorp"
TASK_SETS = {
    "cola": TaskSet("CoLA dev, Matthews", "en", _ONE, "matthews", _glue("CoLA", ("3",), "1"), 64),
    "sst2": TaskSet("SST-2 dev, accuracy", "en", _ONE, "accuracy", _glue("SST-2", ("sentence",), "label"), 64),
    "mrpc": TaskSet("MRPC test, accuracy", "en", _TWO, "accuracy", _glue(
        "MRPC", ("#1 String", "#2 String"), "Quality", scored="test_labelled.tsv.gz", choosing="dev.tsv")),
    "stsb": TaskSet("STS-B dev, Spearman", "en", Regression(_PAIR, "label"), "spearman", _glue(
        "STS-B", _PAIR, "score")),
    "rte": TaskSet("RTE dev, accuracy", "en", _TWO, "accuracy", _glue("RTE", _PAIR, "label")),
    "qnli": TaskSet("QNLI dev (train constructed), accuracy", "en", _TWO, "accuracy", _glue(
        "QNLI", ("question", "sentence"), "label", train="train_constructed.tsv.gz", scored="dev.tsv.gz")),
    "mnli": TaskSet("MNLI dev, matched (train: one annotator), accuracy", "en", _TWO, "accuracy", _glue(
        "MNLI", _PAIR, "gold_label", train="dev_mismatched_annotator1.tsv.gz", scored="dev_matched.tsv.gz")),
    "qqp": TaskSet("QQP (split of its dev), accuracy", "en", _TWO, "accuracy", _glue(
        "QQP", ("question1", "question2"), "is_duplicate", train="train_from_dev.tsv.gz",
        scored="dev_from_dev.tsv.gz")),
    "conll2003": TaskSet("CoNLL-2003 testb names, F1", "en", TokenClassification(token_column=0, tag_column=3),
                         "f1", _sentences(f"{_CONLL}.train.gz", f"{_CONLL}.testa.gz", f"{_CONLL}.testb.gz")),
    "ewt": TaskSet("UD English EWT test parts of speech, accuracy", "en", TokenClassification(scheme="plain"),
                   "accuracy", _sentences(f"{_EWT}-train.conllu.gz", f"{_EWT}-dev.conllu.gz", f"{_EWT}-test.conllu.gz",
                              suffix="conllu")),
    "squad": TaskSet("SQuAD 1.1 dev, F1", "en", QuestionAnswering(), "f1", _questions(
        "qa/squad1.1/train_subset.json.gz", "qa/squad1.1/dev-v1.1.json.gz"), 256),
    "xquad": TaskSet("XQuAD en (trained on SQuAD 1.1), F1", "en", QuestionAnswering(), "f1", _questions(
        "qa/squad1.1/train_subset.json.gz", "qa/xquad/xquad.en.json.gz"), 256),
    "imdb": TaskSet("IMDB test, first 128 pieces, accuracy", "en", _ONE, "accuracy", _texts(
        "imdb/train.jsonl.xz", "imdb/test.jsonl.xz", ("text",), "label")),
    "ag_news": TaskSet("AG News test, without titles, accuracy", "en", _ONE, "accuracy", _texts(
        "ag_news/train_subset.csv.gz", "ag_news/test.csv.gz", ("2",), "0")),
    "chnsenticorp": TaskSet("ChnSentiCorp test, accuracy", "zh", _ONE, "accuracy", _texts(
        f"{_ZH}/train.tsv.gz", f"{_ZH}/test.tsv", ("text",), "label", choosing=f"{_ZH}/dev.tsv")),
    "msra": TaskSet("MSRA test names, F1", "zh", TokenClassification(token_column=0, tag_column=1), "f1", _sentences(
        "tagging/msra_ner_zh/train_subset.bio.gz", "tagging/msra_ner_zh/dev_subset.bio.gz",
        "tagging/msra_ner_zh/test.bio.gz")),
    "cmrc": TaskSet("CMRC 2018 dev (trained on its trial), F1", "zh", QuestionAnswering(answer_scorer="cmrc"), "f1",
                    _questions("qa/cmrc2018/cmrc2018_trial.json.gz", "qa/cmrc2018/cmrc2018_dev.json.gz"), 256),
}
