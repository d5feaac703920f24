"""MB/s on one core of every engine that could tokenize, and how many lines each gives other ids than the definition.

    python benchmarks/tokenizer_speed.py ../shared/data/pretrain [--megabytes=8] [--runs=3] [--results=FOLDER]

Reads wiki_en and zh below that folder and learns a vocabulary of 8,192 pieces from each. Time is the processor time of
the process with every library held to one thread, so that other work on the machine disturbs little. Writes
tokenizer-*.json into the folder of results.
"""

import argparse
import json
import os
import pathlib
import platform
import statistics
import sys
import time

os.environ["RAYON_NUM_THREADS"] = "1"  # before `tokenizers` starts its threads

import tensorflow as tf
import tensorflow_text as tf_text
import tokenizers

from electra_tf.text.corpus import read_corpus
from electra_tf.text.graph_tokenizer import GraphTokenizer
from electra_tf.text.tokenizer import Tokenizer
from electra_tf.text.vocabulary import Vocabulary

RESULTS = pathlib.Path(__file__).resolve().parent / "results"
CORPORA = {"English": "wiki_en/train-00.txt.xz", "Chinese": "zh/wiki_zh-train.txt.xz"}
BATCH = 256


def lines_of(path, megabytes):
    lines, size = [], 0
    for document in read_corpus(path):
        lines += document.lines
        size += sum(len(line.encode()) for line in document.lines)
        if size > megabytes * 1e6:
            break
    return lines, size / 1e6


def batches(lines):
    return [lines[first:first + BATCH] for first in range(0, len(lines), BATCH)]


def in_bulk(tokenizer):
    return lambda lines: [tokenizer.ids(line) for line in lines]


def in_bulk_from_nothing(vocabulary):
    return lambda lines: in_bulk(Tokenizer(vocabulary))(lines)


def in_bulk_with_offsets(tokenizer):
    return lambda lines: [tokenizer(line).token_ids for line in lines]


def of_tokenizers(vocabulary, method):
    """The library `tokenizers`, set up as BERT's."""
    ids = {piece: index for index, piece in enumerate(vocabulary.pieces)}
    engine = tokenizers.Tokenizer(tokenizers.models.WordPiece(ids, unk_token="[UNK]", max_input_chars_per_word=200))
    engine.normalizer = tokenizers.normalizers.BertNormalizer()
    engine.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    return lambda lines: [encoding.ids for batch in batches(lines) for encoding in getattr(engine, method)(batch)]


def of_graph(tokenize):
    """Any function of a batch of strings to ragged ids, through tf.data."""
    def run(lines):
        dataset = tf.data.Dataset.from_tensor_slices(lines).batch(BATCH).map(tokenize)
        values = [(ids.flat_values.numpy(), ids.row_splits.numpy()) for ids in dataset]
        return [flat[start:end] for flat, splits in values for start, end in zip(splits, splits[1:])]
    return run


def of_fast_bert(vocabulary):
    engine = tf_text.FastBertTokenizer(list(vocabulary.pieces), token_out_type=tf.int32,
                                       lower_case_nfd_strip_accents=True)
    return of_graph(engine.tokenize)


def rates(run, lines, megabytes, runs):
    """MB for each second of processor time, `runs` times, and the ids of the last."""
    found = []
    for _ in range(runs):
        began = time.process_time()
        ids = run(lines)
        found.append(round(megabytes / (time.process_time() - began), 1))
    return found, ids


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("--megabytes", type=float, default=8)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--results", type=pathlib.Path, default=RESULTS)
    options = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    table = {}
    for language, name in CORPORA.items():
        path = pathlib.Path(options.folder) / name
        lines, megabytes = lines_of(path, options.megabytes)
        vocabulary = Vocabulary.learn(path, size=8192)
        warm = Tokenizer(vocabulary)
        expected = in_bulk(warm)(lines)
        engines = {
            "Tokenizer.ids, every word new": in_bulk_from_nothing(vocabulary),
            "Tokenizer.ids, words known": in_bulk(warm),
            "Tokenizer(text), with offsets": in_bulk_with_offsets(warm),
            "TextPreprocessor, in the graph": of_graph(GraphTokenizer(vocabulary)),
            "tokenizers encode_batch": of_tokenizers(vocabulary, "encode_batch"),
            "tokenizers encode_batch_fast": of_tokenizers(vocabulary, "encode_batch_fast"),
            "FastBertTokenizer, in the graph": of_fast_bert(vocabulary)}
        for engine, run in engines.items():
            run(lines[:2000])
            speed, ids = rates(run, lines, megabytes, options.runs)
            different = sum(list(ours) != list(theirs) for ours, theirs in zip(expected, ids, strict=True))
            table.setdefault(engine, {"engine": engine}).update({
                f"{language}, MB/s": speed, f"{language}, lines with other ids": f"{different:,} of {len(lines):,}"})
            print(language, engine, statistics.median(speed), different)
    for engine, row in table.items():
        name = "-".join(engine.lower().replace("(", " ").replace(")", "").replace(",", "").split())
        options.results.mkdir(exist_ok=True)
        (options.results / f"tokenizer-{name}.json").write_text(json.dumps({
            "table": "tokenizer", "row": row, "command": "python " + " ".join(sys.argv),
            "machine": f"one of {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, "
                       f"TensorFlow {tf.__version__}, tokenizers {tokenizers.__version__}"}, indent=2) + "\n")


if __name__ == "__main__":
    main()
