"""A vocabulary of whole words, corpora made of them, and one finished folder of records."""

import itertools
import random

import numpy as np
import pytest
import tensorflow as tf

from electra_tf.records.builder import build_pretraining_data
from electra_tf.text.vocabulary import SPECIAL_PIECES, Vocabulary

# 343 words of three syllables; each is one piece, so the words of a text are its tokens, whatever tokenises it.
WORDS = ["".join(syllables) for syllables in itertools.product(["ba", "co", "du", "fe", "gi", "lo", "nu"], repeat=3)]


@pytest.fixture(scope="session")
def vocabulary():
    letters = sorted(set("".join(WORDS)))
    return Vocabulary((*SPECIAL_PIECES, *letters, *(f"##{letter}" for letter in letters), *WORDS))


@pytest.fixture
def write_corpus(tmp_path):
    """Function (documents of lines of words, name) -> path of a text file with blank lines between documents."""
    def write(documents, name="corpus.txt"):
        path = tmp_path / name
        path.write_text("\n\n".join("\n".join(lines) for lines in documents) + "\n")
        return path
    return write


def random_documents(count, *, seed, lines=9, words=17):
    """Documents of 1 to `lines` lines of 1 to `words` words."""
    choices = random.Random(seed)
    return [[" ".join(choices.choices(WORDS, k=choices.randint(1, words))) for _ in range(choices.randint(1, lines))]
            for _ in range(count)]


def read_rows(folder, manifest, split="train"):
    """All rows of a split by TensorFlow's own reader: {feature: int64 [rows, length]}, in the files' order."""
    parse = {name: tf.io.FixedLenFeature([manifest.sequence_length], tf.int64) for name in ("token_ids", "segment_ids")}
    kind = {"none": "", "gzip": "GZIP"}[manifest.compression]
    files = [str(folder / shard.name) for shard in manifest.splits[split].shards]
    pieces = [tf.io.parse_example(records, parse) for records in tf.data.TFRecordDataset(files, kind).batch(500)]
    none = np.empty([0, manifest.sequence_length], np.int64)
    return {name: np.concatenate([none, *(piece[name].numpy() for piece in pieces)]) for name in parse}


@pytest.fixture(scope="session")
def records(tmp_path_factory, vocabulary):
    """(folder, manifest) of four shards of rows of 24 tokens; nothing may be changed in it."""
    folder = tmp_path_factory.mktemp("records")
    corpus = folder / "corpus.txt"
    corpus.write_text("\n\n".join("\n".join(lines) for lines in random_documents(90, seed=1)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("electra_tf.records.shards.SHARD_DECODED_BYTES", 10_000)
        manifest = build_pretraining_data(corpus, vocabulary=vocabulary, sequence_length=24,
                                          output=folder / "records", seed=5, validation_fraction=0.05)
    return folder / "records", manifest
