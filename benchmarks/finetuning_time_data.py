"""What finetuning_time.py trains and predicts on, and the settings of both sides; the standard library alone."""

import csv
import gzip
import itertools
import json
import lzma
import pathlib

LABELS = ("neg", "pos")  # SST-2's 0 and 1
SETTINGS = {"batch_size": 32, "learning_rate": 3e-4, "weight_decay": 0.01, "warmup_proportion": 0.1, "clip_norm": 1.0,
            "dropout": 0.1, "training_length": 128, "predicted_length": 512, "predicted_batch_size": 32}
_DATA_FILE = "data.json"


def write_data(data, folder, *, rows, predicted_rows):
    """The texts and labels that all workers read; 0 rows are all."""
    with gzip.open(data / "glue" / "SST-2" / "train.tsv.gz", "rt", encoding="utf-8", newline="\n") as file:
        training = [(row["sentence"], int(row["label"])) for row in itertools.islice(
            csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE), rows or None)]
    with lzma.open(data / "imdb" / "test.jsonl.xz", "rt", encoding="utf-8", newline="\n") as file:
        reviews = [json.loads(line) for line in itertools.islice(file, predicted_rows or None)]
    (folder / _DATA_FILE).write_text(json.dumps({
        "texts": [text for text, _ in training], "labels": [label for _, label in training],
        "reviews": [review["text"] for review in reviews],
        "review_labels": [LABELS.index(review["label"]) for review in reviews]}), encoding="utf-8")


def read_data(folder):
    """Dict of texts, labels, reviews and review_labels."""
    return json.loads((pathlib.Path(folder) / _DATA_FILE).read_text(encoding="utf-8"))
