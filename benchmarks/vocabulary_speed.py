"""Seconds to learn a vocabulary from much text: this package's learner and the library `tokenizers` alone, in turns.

    python benchmarks/vocabulary_speed.py CORPUS... [--megabytes=100] [--size=30522] [--runs=3] [--results=FOLDER]

CORPUS: text files, such as ../shared/data/pretrain/wiki_en/train-*.txt.xz; as many of them as it takes to reach the
megabytes are unpacked into a temporary folder first. `tokenizers` cleans and splits as BERT does and uses all cores;
"processor seconds" are those of all cores together.
Writes vocabulary-*.json into the folder of results.
"""

import argparse
import pathlib
import shlex
import statistics
import sys
import tempfile

import tokenizers

from benchmarks.alternation import describe_machine, other_load, processor_time
from benchmarks.builder_speed import RESULTS, unpack
from electra_tf.files import write_json_atomically
from electra_tf.text.pieces import SPECIAL_PIECES, UNK
from electra_tf.text.text_files import find_files
from electra_tf.text.vocabulary import Vocabulary


def learn_by_tokenizers(folder, size):
    """The pieces that the library learns by itself."""
    engine = tokenizers.Tokenizer(tokenizers.models.WordPiece(unk_token=UNK))
    engine.normalizer = tokenizers.normalizers.BertNormalizer()
    engine.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    trainer = tokenizers.trainers.WordPieceTrainer(vocab_size=size, show_progress=False, min_frequency=2,
                                                   special_tokens=list(SPECIAL_PIECES))
    engine.train([str(path) for path in sorted(folder.rglob("*.txt"))], trainer)
    return engine.get_vocab()


def learn_here(folder, size):
    return Vocabulary.learn(folder, size=size).pieces


LEARNERS = {"ours": learn_here, "tokenizers alone": learn_by_tokenizers}


def unpack_some(paths, folder, megabytes):
    """Unpacks files until there is text enough; gives its size in bytes."""
    size = 0
    for number, path in enumerate(paths):
        if size < megabytes * 1e6:
            inner = folder / f"{number:03}"  # files of two corpora may have the same name
            inner.mkdir()
            size += unpack([path], inner)[1]
    return size


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", nargs="+")
    parser.add_argument("--megabytes", type=float, default=100)
    parser.add_argument("--size", type=int, default=30522)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--results", type=pathlib.Path, default=RESULTS)
    options = parser.parse_args()
    seconds, processor_seconds, loads, pieces = ({name: [] for name in LEARNERS} for _ in range(4))
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        raw_bytes = unpack_some(find_files(options.corpus), folder, options.megabytes)
        for _ in range(options.runs):
            for name, learn in LEARNERS.items():
                before = processor_time(session=None)
                pieces[name] = len(learn(folder, options.size))
                after = processor_time(session=None)
                seconds[name].append(round(after.clock - before.clock, 2))
                processor_seconds[name].append(round(after.own - before.own, 2))
                loads[name].append(other_load(before, after))
                print(name, seconds[name][-1], processor_seconds[name][-1], f"{pieces[name]} pieces", file=sys.stderr,
                      flush=True)
    for name, times in seconds.items():
        row = {"learner": name, "text": f"{raw_bytes / 1e6:.0f} MB", "pieces": pieces[name], "seconds": times,
               "processor seconds": processor_seconds[name],
               "MB/s": round(raw_bytes / 1e6 / statistics.median(times), 2), "other load": f"{max(loads[name]):.0%}"}
        path = options.results / f"vocabulary-{'-'.join(name.lower().split())}.json"
        write_json_atomically(path, {"table": "learning a vocabulary", "row": row, "machine": describe_machine(),
                                     "command": "python " + shlex.join(sys.argv)})
        print(path.name, row)


if __name__ == "__main__":
    main()
