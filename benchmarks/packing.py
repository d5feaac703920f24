"""What `--packing=documents` saves on short texts: padding, and with --speed tokens/s of whole training steps.

    python benchmarks/packing.py DATA [--speed] [--rounds=7] [--steps=4] [--preset=small] [--batch_size=16]

DATA: ../shared/data. Each corpus is built twice in rows of 128 tokens with tiny_en's vocabulary, each document in a row
of its own (carry_over) and several in one (documents). --speed then trains on both in turn, in one process, after one
round that warms up; a token is one of the text, [CLS] or [SEP], never padding. Writes results/packing-*.json.
"""

import argparse
import json
import os
import pathlib
import platform
import shlex
import statistics
import sys
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf

from benchmarks.alternation import describe_machine
from electra_tf.config import preset, replace
from electra_tf.files import write_json_atomically
from electra_tf.records.builder import build_pretraining_data
from electra_tf.records.dataset import pretraining_dataset
from electra_tf.tasks.labelled_files import read_labelled_texts
from electra_tf.text.vocabulary import Vocabulary
from electra_tf.training.distribution import strategy_for
from electra_tf.training.pretrain import new_pretrainer
from electra_tf.training.training_loop import compiled_training

ROOT = pathlib.Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
VOCABULARY = ROOT / "electra_tf" / "pretrained" / "tiny_en" / "vocabulary"
PACKINGS = ("carry_over", "documents")
LENGTH = 128
# Name -> (what, file under DATA, column of the text, column of the label).
CORPORA = {"sst2": ("phrases of film reviews (SST-2)", "finetune/glue/SST-2/train.tsv.gz", "sentence", "label"),
           "polarity": ("sentences of film reviews", "finetune/sentiment_and_chunking/sentence_polarity/train.tsv.gz",
                        "sentence", "label"),
           "ag_news": ("leads of news", "finetune/ag_news/train_subset.csv.gz", "2", "0"),
           "imdb": ("whole film reviews (IMDB)", "finetune/imdb/train.jsonl.xz", "text", "label")}


def build(name, data, folder):
    """{packing: Manifest} of a corpus; the records are in folder / packing."""
    _, file, text, label = CORPORA[name]
    texts = read_labelled_texts(data / file, text_columns=(text,), label_column=label).columns[0]
    corpus = folder / "corpus.jsonl"
    corpus.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf-8")
    return {packing: build_pretraining_data(
        corpus, vocabulary=Vocabulary.load(VOCABULARY), sequence_length=LENGTH, output=folder / packing,
        packing=packing, corpus_format="jsonl") for packing in PACKINGS}


def tokens_per_second(folder, settings):
    """{packing: list of rates}, one in each round; both packings in turn."""
    vocabulary, strategy = Vocabulary.load(VOCABULARY), strategy_for("one_device")
    config = preset(settings.preset)
    config = replace(config, batch_size=settings.batch_size, precision=settings.precision, sequence_length=LENGTH,
                     model=replace(config.model, vocabulary_size=vocabulary.size))
    training, rates = {}, {packing: [] for packing in PACKINGS}
    for packing in PACKINGS:
        training[packing] = (compiled_training(new_pretrainer(config, vocabulary, strategy), strategy),
                             iter(pretraining_dataset(folder / packing, batch_size=settings.batch_size)))
    for number in range(settings.rounds + 1):
        for packing, (train, batches) in training.items():
            taken = [next(batches) for _ in range(settings.steps)]
            ready = iter(tf.data.Dataset.from_tensor_slices(
                {key: tf.stack([batch[key] for batch in taken]) for key in taken[0]}))
            began = time.perf_counter()
            train(ready, tf.constant(settings.steps))
            seconds = time.perf_counter() - began
            if number:
                rates[packing].append(sum(float(tf.reduce_sum(batch["padding_mask"])) for batch in taken) / seconds)
    return rates


def measure(name, settings):
    """Builds, measures and writes the row of one corpus."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        alone, shared = (manifest.splits["train"] for manifest in build(name, settings.data, folder).values())
        row = {"corpus": CORPORA[name][0], "documents": f"{alone.documents:,}",
               "tokens of a document": round(alone.source_tokens / alone.documents, 1),
               **{f"padding, {packing}": f"{split.padding_share:.1%}"
                  for packing, split in zip(PACKINGS, (alone, shared), strict=True)},
               "rows saved": f"{1 - shared.rows / alone.rows:.0%}"}
        result = {"table": "packing", "row": row, "machine": describe_machine(),
                  "command": "python " + shlex.join(sys.argv),
            "padding": {"carry_over": alone.padding_share, "documents": shared.padding_share},
            "rows_of_records": {"carry_over": alone.rows, "documents": shared.rows}}
        if settings.speed:
            rates = tokens_per_second(folder, settings)
            row |= {f"tokens/s, {packing}": rates[packing] for packing in PACKINGS}
            row["faster"] = f"{statistics.median(rates['documents']) / statistics.median(rates['carry_over']):.2f}x"
            result |= {"rounds": rates, "versions": {"python": platform.python_version(), "tensorflow": tf.__version__},
                       "settings": {field: getattr(settings, field) for field in (
                           "preset", "batch_size", "precision", "steps")}}
    write_json_atomically(RESULTS / f"packing-{name}.json", result)
    print(row, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("--speed", action="store_true")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--preset", default="small")
    parser.add_argument("--batch_size", type=int, default=16)
    parser.add_argument("--precision", default="float32")
    settings = parser.parse_args()
    for name in CORPORA:
        measure(name, settings)


if __name__ == "__main__":
    main()
