"""From a corpus to a folder of pretraining records: read, cut into chunks, pack in worker processes, write shards."""

import collections
import concurrent.futures
import contextlib
import functools
import platform

import numpy as np

import electra_tf
from electra_tf.config import to_dict
from electra_tf.errors import InputError
from electra_tf.files import new_folder
from electra_tf.progress import Progress
from electra_tf.records import manifest as manifests
from electra_tf.records.chunks import SPLITS, PackingSettings, cut_into_chunks, make_packer
from electra_tf.records.packing import DOCUMENTS, PACKINGS
from electra_tf.records.shards import Spill, plan_shards, write_shard
from electra_tf.records.workers import worker_pool
from electra_tf.text.corpus import read_corpus

COMPRESSIONS = ("none", "gzip")
SHORTEST_SEQUENCE = 8
_BYTES_PER_MB = 1_000_000


def build_pretraining_data(corpus_paths, *, vocabulary, sequence_length, output, packing="carry_over", workers=1,
                           seed=0, validation_fraction=0.005, compression="none", corpus_format="auto", field="text",
                           errors="report"):
    """Turns text into sharded TFRecord files of token rows for pretraining.

    Memory does not grow with the corpus, and the records do not depend on the number of workers. The folder appears
    under its name when it is complete; a killed build is simply started again.

    Args:
        corpus_paths: files, folders or globs, as `read_corpus` takes them.
        vocabulary: Vocabulary; a copy is put into the output folder.
        sequence_length: tokens in a row, [CLS] and [SEP] included.
        output: folder to make; it must not exist or be empty.
        packing: carry_over (ELECTRA's rows, nothing dropped), documents (the same, short ones joined: several
            documents share a row and do not see each other), full_sequence (no padding, rows cross documents) or
            original (the released builder's rule, which drops what overflows).
        workers: processes that tokenise and pack.
        seed: decides held-out documents, segment lengths and the order of the rows.
        validation_fraction: share of the documents held out for evaluation, 0..0.5; with 20 documents or more at
            least one is held out unless it is 0, with fewer none.
        compression: "none" or "gzip".
        corpus_format, field, errors: as `format`, `field` and `errors` of `read_corpus`.

    Returns:
        Manifest, as stored in the output folder.

    Raises:
        InputError: a setting or the output folder cannot be used, or the corpus cannot be read.

    >>> build_pretraining_data("wiki/*.txt", vocabulary=Vocabulary.load("vocabulary"), sequence_length=128,
    ...                        output="records", workers=2).splits["train"].rows   # 60233
    """
    _check_settings(sequence_length, packing, workers, seed, validation_fraction, compression)
    corpus = read_corpus(corpus_paths, format=corpus_format, field=field, errors=errors)
    settings = PackingSettings(sequence_length, packing, seed)
    with new_folder(output) as folder:
        chunks = cut_into_chunks(corpus, seed=seed, validation_fraction=validation_fraction)
        try:
            with contextlib.ExitStack() as stack:
                spills = {split: stack.enter_context(Spill(folder, split)) for split in SPLITS}
                pack = stack.enter_context(worker_pool(workers, make_packer, vocabulary, settings))
                counts = _spill_records(pack(chunks), spills, total_bytes=corpus.size_bytes)
            shards = _write_shards(spills, folder, sequence_length=sequence_length, compression=compression,
                                   threads=workers)
        except OSError as error:
            raise InputError(f"{output} cannot be written: {error.strerror or error}; give a folder with more room, or "
                             f"make some.") from error
        if not counts["train"]["rows"]:
            raise InputError(f"{corpus_paths}: the text has no tokens to train on; give a corpus with words in it.")
        (folder / manifests.VOCABULARY_NAME).mkdir()
        vocabulary.write_into(folder / manifests.VOCABULARY_NAME)
        manifest = manifests.Manifest(
            format=manifests.DOCUMENTS_FORMAT if packing == DOCUMENTS else manifests.FORMAT,
            cls_id=vocabulary.cls_id if packing == DOCUMENTS else None,
            sequence_length=sequence_length, packing=packing, seed=seed,
            validation_fraction=validation_fraction, compression=compression, vocabulary_hash=vocabulary.hash,
            vocabulary_size=vocabulary.size, pad_id=vocabulary.pad_id, text_settings=to_dict(vocabulary.settings),
            corpus=_corpus_summary(corpus), versions=_versions(),
            splits={split: _split_summary(counts[split], shards[split], sequence_length) for split in SPLITS})
        manifest.write(folder)
    return manifest


def _check_settings(sequence_length, packing, workers, seed, validation_fraction, compression):
    if sequence_length < SHORTEST_SEQUENCE:
        raise InputError(f"sequence_length={sequence_length} must be {SHORTEST_SEQUENCE} or more; 128 is usual.")
    if packing not in PACKINGS:
        raise InputError(f"packing={packing!r} must be one of {', '.join(PACKINGS)}.")
    if workers < 1:
        raise InputError(f"workers={workers} must be 1 or more; give the number of processor cores.")
    if not 0 <= seed < 2**31:
        raise InputError(f"seed={seed} must lie in [0, 2147483647].")
    if not 0 <= validation_fraction <= 0.5:
        raise InputError(f"validation_fraction={validation_fraction} must lie in [0, 0.5]; 0.005 holds out 0.5 %.")
    if compression not in COMPRESSIONS:
        raise InputError(f"compression={compression!r} must be none or gzip.")


def _spill_records(packed_chunks, spills, *, total_bytes):
    """Writes packed chunks to the temporary files of their split; gives what was counted, by split."""
    counts = {split: collections.Counter() for split in SPLITS}
    with Progress(total_bytes / _BYTES_PER_MB, unit="MB", description="Building records") as progress:
        for packed in packed_chunks:
            for split in SPLITS:
                for bucket, records, rows in packed.records[split]:
                    spills[split].append(bucket, records, rows=rows)
                counts[split].update(packed.counts[split])
            documents = sum(counts[split]["documents"] for split in SPLITS)
            progress.update(packed.source_bytes / _BYTES_PER_MB, note=f"{documents:,} documents")
    return counts


def _write_shards(spills, folder, *, sequence_length, compression, threads):
    """Joins the temporary files of each split to its shards; copying, packing and hashing leave other threads free."""
    write = functools.partial(write_shard, folder=folder, compression=compression)
    with concurrent.futures.ThreadPoolExecutor(threads) as executor:
        return {split: list(executor.map(write, plan_shards(
            spill, split=split, sequence_length=sequence_length, compression=compression)))
            for split, spill in spills.items()}


def _corpus_summary(corpus):
    return {"files": [str(path) for path in corpus.files], "format": corpus.format,
            "characters": corpus.counts.characters, "undecodable_bytes": corpus.counts.undecodable_bytes}


def _versions():
    return {"electra_tf": electra_tf.__version__, "python": platform.python_version(), "numpy": np.__version__}


def _split_summary(counts, shards, sequence_length):
    return manifests.Split(
        documents=counts["documents"], rows=counts["rows"], source_tokens=counts["source_tokens"],
        kept_tokens=counts["kept_tokens"], dropped_tokens=counts["source_tokens"] - counts["kept_tokens"],
        unknown_rate=counts["unknown_tokens"] / max(1, counts["kept_tokens"]),
        padding_share=counts["padding_tokens"] / max(1, counts["rows"] * sequence_length), shards=tuple(shards))
