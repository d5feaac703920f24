"""MB/s from raw English text to finished records, by packing, and what encoding one row costs.

    python benchmarks/builder_speed.py CORPUS... [--workers=2] [--runs=3] [--results=FOLDER]

CORPUS: text files, such as ../shared/data/pretrain/wiki_en/train-*.txt.xz, 30 MB or more when unpacked. They are
unpacked into a temporary folder first; one row also builds from the files as given. A vocabulary of 8,192 pieces is
learned from the first file. "processor ms/MB" is the work of all processes together: on a machine that others use, too,
it says more than the clock. Writes builder-*.json into the folder of results.
"""

import argparse
import collections
import json
import os
import pathlib
import platform
import shlex
import shutil
import sys
import tempfile
import time

import numpy as np
import tensorflow as tf

from benchmarks.alternation import other_load, processor_time
from electra_tf.records.builder import build_pretraining_data
from electra_tf.records.features import FEATURES, encode_examples
from electra_tf.text.corpus import read_corpus
from electra_tf.text.text_files import find_files
from electra_tf.text.vocabulary import Vocabulary

RESULTS = pathlib.Path(__file__).resolve().parent / "results"


def unpack(paths, folder):
    """Plain copies of the corpus files; gives their folder and their size in bytes."""
    size = 0
    for path in paths:
        target = folder / f"{path.stem}.txt"
        with open(target, "w", encoding="utf-8") as file:
            for document in read_corpus(path):
                file.write("\n".join(document.lines) + "\n\n")
        size += target.stat().st_size
    return folder, size


def build_rates(corpus, *, raw_bytes, vocabulary, runs, scratch, **settings):
    """Builds once to warm up the file cache, then `runs` times.

    Returns:
        (columns of the table, a number for each of the runs; the last Manifest).
    """
    megabytes, measured = raw_bytes / 1e6, collections.defaultdict(list)
    for run in range(runs + 1):
        output = scratch / "records"
        before = processor_time(session=None)
        manifest = build_pretraining_data(corpus, vocabulary=vocabulary, sequence_length=128, output=output, **settings)
        after = processor_time(session=None)
        shutil.rmtree(output)
        if run:
            measured["MB/s"].append(round(megabytes / (after.clock - before.clock), 2))
            measured["processor ms/MB"].append(round((after.own - before.own) / megabytes * 1000, 1))
            measured["% of the machine in other hands"].append(round(100 * other_load(before, after)))
    return measured, manifest


def microseconds_per_row(encode, rows):
    """The best of seven times, in microseconds for each row."""
    times = []
    for _ in range(7):
        began = time.perf_counter()
        encode(rows)
        times.append(time.perf_counter() - began)
    return min(times) / len(rows["token_ids"]) * 1e6


def protocol_buffers(rows):
    """What `encode_examples` does, by protocol buffer objects."""
    encoded = []
    for values in zip(*(rows[name].tolist() for name in FEATURES), strict=True):
        features = {name: tf.train.Feature(int64_list=tf.train.Int64List(value=row))
                    for name, row in zip(FEATURES, values, strict=True)}
        encoded.append(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())
    return encoded


def write_result(name, row, *, folder, table="building records"):
    """One file of results, as benchmarks/README.md asks."""
    machine = (f"{len(os.sched_getaffinity(0))} cores, {platform.processor() or platform.machine()}, "
               f"Python {platform.python_version()}")
    folder.mkdir(exist_ok=True)
    path = folder / f"builder-{name}.json"
    path.write_text(json.dumps({"table": table, "row": row, "machine": machine,
                                "command": "python " + shlex.join(sys.argv)}, indent=2) + "\n")
    print(path.name, row)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", nargs="+")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--results", type=pathlib.Path, default=RESULTS)
    options = parser.parse_args()
    paths = find_files(options.corpus)
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        (scratch / "text").mkdir()
        plain, raw_bytes = unpack(paths, scratch / "text")
        vocabulary = Vocabulary.learn(paths[0], size=8192)
        common = {"raw_bytes": raw_bytes, "vocabulary": vocabulary, "runs": options.runs, "scratch": scratch}
        for name, corpus, packing, workers in (
                ("full-sequence", plain, "full_sequence", options.workers),
                ("full-sequence-one-worker", plain, "full_sequence", 1),
                ("carry-over", plain, "carry_over", options.workers),
                ("full-sequence-from-files-as-given", paths, "full_sequence", options.workers)):
            measured, manifest = build_rates(corpus, packing=packing, workers=workers, **common)
            write_result(name, {
                "packing": packing, "workers": workers, "text": f"{raw_bytes / 1e6:.0f} MB {paths[0].parent.name}",
                "files": "plain" if corpus == plain else paths[0].suffix, **measured,
                "padding": f"{manifest.splits['train'].padding_share:.1%}"}, folder=options.results)
    numbers = np.random.default_rng(0)
    rows = {"token_ids": np.minimum(numbers.zipf(1.3, size=[2000, 128]), 8191),
            "segment_ids": numbers.integers(0, 2, size=[2000, 128])}
    write_result("encoding", {"rows of 128": "encode_examples",
                              "us/row": microseconds_per_row(encode_examples, rows),
                              "us/row by protocol buffers": microseconds_per_row(protocol_buffers, rows)},
                 table="encoding records", folder=options.results)


if __name__ == "__main__":
    main()
