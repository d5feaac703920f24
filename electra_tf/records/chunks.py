"""The corpus cut into chunks of about a megabyte, and the work on one chunk: tokenise, pack, encode.

What a chunk becomes depends on its text, its number and the seed alone, so the records are the same for any number of
workers.
"""

import collections
import dataclasses
import functools
import hashlib
import itertools
import random

import numpy as np

from electra_tf.records.features import encode_examples
from electra_tf.records.packing import (
    DOCUMENTS,
    join_rows,
    lay_out,
    pack_carry_over,
    pack_full_sequence,
    pack_original,
)
from electra_tf.records.tfrecord import frame_records
from electra_tf.text.bulk_tokenizer import BulkTokenizer

CHUNK_CHARACTERS = 1_000_000
# A corpus of fewer documents is trained on whole. The last of these documents is always held out, so that any larger
# corpus has a validation split, whatever the fraction.
FEWEST_DOCUMENTS_TO_SPLIT = 20
# Train rows are spread at random over this many buckets; shards are runs of whole buckets (shards.py).
BUCKETS = 256
SPLITS = ("train", "validation")


@dataclasses.dataclass
class Chunk:
    """About a megabyte of text; filled piece by piece."""

    number: int
    # By split: documents as lists of lines (a very long document comes in pieces), and how many documents begin here.
    documents: dict = dataclasses.field(default_factory=lambda: {split: [] for split in SPLITS})
    document_counts: dict = dataclasses.field(default_factory=lambda: dict.fromkeys(SPLITS, 0))
    characters: int = 0
    source_bytes: int = 0  # how far the corpus has been read, in bytes of its files


@dataclasses.dataclass(frozen=True)
class PackedChunk:
    """The records of a chunk, ready to be appended to files, and what was counted on the way."""

    records: dict  # split -> list of (bucket, records joined, number of records)
    counts: dict  # split -> Counter of documents, rows, source_tokens, kept_tokens, unknown_tokens, padding_tokens
    source_bytes: int


@dataclasses.dataclass(frozen=True)
class PackingSettings:
    """What decides the records of a chunk beside its text and the vocabulary."""

    sequence_length: int
    packing: str
    seed: int


def cut_into_chunks(corpus, *, seed, validation_fraction):
    """Cuts a stream of documents into chunks at document boundaries, very long documents between two lines.

    Args:
        corpus: Corpus; a document that it hands on in parts stays in one split.
        seed: decides which documents are held out.
        validation_fraction: share of the documents that are held out, 0..1.

    Yields:
        Chunk, numbered from 0.

    >>> [chunk.number for chunk in cut_into_chunks(read_corpus("wiki"), seed=0, validation_fraction=0.005)]   # [0, 1]
    """
    chunk, documents_before = Chunk(0), 0
    for document in corpus:
        split = "validation" if _is_held_out(corpus.counts.documents - 1, seed, validation_fraction) else "train"
        for lines, characters in _pieces(document.lines):
            if chunk.characters and chunk.characters + characters > CHUNK_CHARACTERS:
                yield chunk
                chunk = Chunk(chunk.number + 1)
            chunk.documents[split].append(lines)
            chunk.document_counts[split] += corpus.counts.documents - documents_before
            chunk.characters += characters
            chunk.source_bytes = corpus.counts.bytes_read
            documents_before = corpus.counts.documents
    if chunk.characters:
        yield chunk


def _pieces(lines):
    """Runs of lines of at most a chunk's size each (one line alone may be longer), with their characters."""
    piece, characters = [], 0
    for line in lines:
        if piece and characters + len(line) > CHUNK_CHARACTERS:
            yield piece, characters
            piece, characters = [], 0
        piece.append(line)
        characters += len(line)
    yield piece, characters


def _is_held_out(document_number, seed, validation_fraction):
    """Whether a document is kept from training, decided by a hash of its number."""
    if validation_fraction == 0 or document_number < FEWEST_DOCUMENTS_TO_SPLIT - 1:
        return False
    if document_number == FEWEST_DOCUMENTS_TO_SPLIT - 1:
        return True
    digest = hashlib.blake2b(f"{seed}/{document_number}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") < validation_fraction * 2**64


def make_packer(vocabulary, settings):
    """The work of one process: `pack_chunk` with its tokenizer, which gets faster with every word it has seen.

    >>> make_packer(vocabulary, PackingSettings(128, "carry_over", seed=0))(chunk).counts["train"]["rows"]   # 2188
    """
    return functools.partial(pack_chunk, tokenizer=BulkTokenizer(vocabulary), settings=settings)


def pack_chunk(chunk, *, tokenizer, settings):
    """Tokenises, packs and encodes one chunk.

    Args:
        chunk: Chunk.
        tokenizer: BulkTokenizer with the records' vocabulary.
        settings: PackingSettings.

    Returns:
        PackedChunk.

    >>> settings = PackingSettings(128, "carry_over", seed=0)
    >>> pack_chunk(chunk, tokenizer=BulkTokenizer(vocabulary), settings=settings).counts["train"]["rows"]   # 2188
    """
    records, counts = {}, {}
    for split in SPLITS:
        choices = random.Random(f"{settings.seed}/{chunk.number}/{split}")
        documents = chunk.documents[split]
        tokens = tokenizer([line for lines in documents for line in lines])
        lengths = iter(tokens.lengths.tolist())
        lengths = [list(itertools.islice(lengths, len(lines))) for lines in documents]
        token_ids, segment_ids = _rows(tokens.token_ids, lengths, tokenizer.vocabulary, settings, choices)
        frames = frame_records(encode_examples({"token_ids": token_ids, "segment_ids": segment_ids}))
        # Held-out rows keep the order of the corpus, those of the train split are spread at random.
        buckets = choices.choices(range(BUCKETS), k=len(frames)) if split == "train" else [0] * len(frames)
        records[split] = _by_bucket(frames, buckets)
        counts[split] = _count(token_ids, tokenizer.vocabulary)
        counts[split].update(documents=chunk.document_counts[split], source_tokens=len(tokens.token_ids))
    return PackedChunk(records, counts, chunk.source_bytes)


def _by_bucket(frames, buckets):
    grouped = collections.defaultdict(list)
    for frame, bucket in zip(frames, buckets, strict=True):
        grouped[bucket].append(frame)
    return [(bucket, b"".join(group), len(group)) for bucket, group in sorted(grouped.items())]


def _rows(stream, documents, vocabulary, settings, choices):
    """Rows of the tokens in `stream`, out of documents as lists of the lengths of their lines."""
    length = settings.sequence_length
    if settings.packing == "full_sequence":
        stream, rows = pack_full_sequence(stream, documents, sequence_length=length, sep_id=vocabulary.sep_id)
    else:
        rule = pack_original if settings.packing == "original" else pack_carry_over
        rows = rule(documents, sequence_length=length, random=choices)
    laid_out = lay_out(stream, rows, sequence_length=length, cls_id=vocabulary.cls_id, sep_id=vocabulary.sep_id,
                       pad_id=vocabulary.pad_id)
    return join_rows(*laid_out, pad_id=vocabulary.pad_id) if settings.packing == DOCUMENTS else laid_out


def _count(token_ids, vocabulary):
    """What stands in the rows."""
    in_rows = {name: int(np.count_nonzero(token_ids == getattr(vocabulary, f"{name}_id")))
               for name in ("pad", "cls", "sep", "unk")}
    return collections.Counter(
        rows=len(token_ids),
        kept_tokens=token_ids.size - in_rows["pad"] - in_rows["cls"] - in_rows["sep"],
        unknown_tokens=in_rows["unk"],
        padding_tokens=in_rows["pad"])
