"""From a corpus to a folder of pretraining records: read, cut into chunks, pack in worker processes, write shards."""

import collections
import concurrent.futures
import contextlib
import functools
import multiprocessing
import platform

import numpy as np

import electra_tf
from electra_tf.config import to_dict
from electra_tf.errors import InputError
from electra_tf.files import new_folder
from electra_tf.progress import Progress
from electra_tf.records import manifest as manifests
from electra_tf.records.chunks import SPLITS, PackingSettings, cut_into_chunks, pack_chunk
from electra_tf.records.packing import PACKINGS
from electra_tf.records.shards import Spill, plan_shards, write_shard
from electra_tf.text.corpus import read_corpus
from electra_tf.text.tokenizer import Tokenizer

COMPRESSIONS = ("none", "gzip")
SHORTEST_SEQUENCE = 8
_CHUNKS_IN_FLIGHT_PER_WORKER = 3
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
        packing: carry_over (ELECTRA's rows, nothing dropped), full_sequence (no padding, rows cross documents) or
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
            with _worker_pool(workers, vocabulary, settings) as run:
                counts, shards = _write_records(run, chunks, folder, sequence_length=sequence_length,
                                                compression=compression, total_bytes=corpus.size_bytes)
        except OSError as error:
            raise InputError(f"{output} cannot be written: {error.strerror or error}; give a folder with more room, or "
                             f"make some.") from error
        if not counts["train"]["rows"]:
            raise InputError(f"{corpus_paths}: the text has no tokens to train on; give a corpus with words in it.")
        (folder / manifests.VOCABULARY_NAME).mkdir()
        vocabulary.write_into(folder / manifests.VOCABULARY_NAME)
        manifest = manifests.Manifest(
            format=manifests.FORMAT, sequence_length=sequence_length, packing=packing, seed=seed,
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


def _write_records(run, chunks, folder, *, sequence_length, compression, total_bytes):
    """Packs all chunks and writes the shards of both splits; gives counts and shards by split."""
    counts = {split: collections.Counter() for split in SPLITS}
    with contextlib.ExitStack() as stack:
        spills = {split: stack.enter_context(Spill(folder, split)) for split in SPLITS}
        progress = stack.enter_context(
            Progress(total_bytes / _BYTES_PER_MB, unit="MB", description="Building records"))
        for packed in run(_pack_in_worker, chunks):
            for bucket, records, rows in packed.train:
                spills["train"].append(bucket, records, rows=rows)
            if packed.validation[1]:
                spills["validation"].append(0, packed.validation[0], rows=packed.validation[1])
            for split in SPLITS:
                counts[split].update(packed.counts[split])
            documents = sum(counts[split]["documents"] for split in SPLITS)
            progress.update(packed.source_bytes / _BYTES_PER_MB, note=f"{documents:,} documents")
    write = functools.partial(write_shard, folder=folder, compression=compression)
    plans = [(split, plan) for split in SPLITS for plan in plan_shards(
        spills[split], split=split, sequence_length=sequence_length, compression=compression)]
    shards = {split: [] for split in SPLITS}
    for (split, _), shard in zip(plans, run(write, (plan for _, plan in plans)), strict=True):
        shards[split].append(shard)
    return counts, shards


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


@contextlib.contextmanager
def _worker_pool(workers, vocabulary, settings):
    """A function like `map` over processes, results in order, that reads only a few items ahead."""
    if workers == 1:
        _start_worker(vocabulary, settings)
        yield map
        return
    with concurrent.futures.ProcessPoolExecutor(
            workers, mp_context=multiprocessing.get_context("spawn"), initializer=_start_worker,
            initargs=(vocabulary, settings)) as executor:
        try:
            yield functools.partial(_map_in_order, executor, in_flight=workers * _CHUNKS_IN_FLIGHT_PER_WORKER)
        except concurrent.futures.process.BrokenProcessPool:
            raise InputError("a worker process died, most likely for lack of memory; use fewer workers.") from None
        finally:
            executor.shutdown(cancel_futures=True)


def _map_in_order(executor, function, items, *, in_flight):
    waiting = collections.deque()
    for item in items:
        waiting.append(executor.submit(function, item))
        if len(waiting) >= in_flight:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


_pack = None  # set once in each worker process, which packs with one vocabulary only


def _start_worker(vocabulary, settings):
    global _pack
    _pack = functools.partial(pack_chunk, tokenizer=Tokenizer(vocabulary), settings=settings)


def _pack_in_worker(chunk):
    return _pack(chunk)
