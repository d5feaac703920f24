"""Records as a `tf.data` pipeline of whole batches that can begin at any example."""

import concurrent.futures
import pathlib

import numpy as np
import tensorflow as tf

from electra_tf.errors import InputError
from electra_tf.records.features import FEATURES
from electra_tf.records.manifest import check_records
from electra_tf.records.order import spans_from

_ROWS_AT_ONCE = 4096
_PREFETCHED_BATCHES = 4
_COMPRESSION_NAMES = {"none": "", "gzip": "GZIP"}


def pretraining_dataset(folder, *, batch_size, seed=0, start=0, split="train", sequence_length=None, vocabulary=None):
    """Batches of rows for pretraining, endless and in random order for the train split.

    The order is computed from (seed, example number), so `start=n` yields what an uninterrupted run yields after n
    examples, whatever the batch size was. Each epoch holds every row once; batches run on over the end of an epoch.
    The validation split comes once, in order; its last batch is filled with rows whose padding_mask is 0.

    Args:
        folder: output of `build_pretraining_data`; its files are checked first.
        batch_size: rows in a batch, over all replicas.
        seed: decides the order of the train split.
        start: examples consumed before; the train split only.
        split: "train" or "validation".
        sequence_length: row length that the caller needs; None takes the records'.
        vocabulary: Vocabulary that the caller uses; None takes the records'.

    Returns:
        tf.data.Dataset of {"token_ids", "segment_ids", "padding_mask": int32 [batch, length], padding_mask 0 or 1;
        "example_index": int64 [batch], the number of the example in the run}; where rows hold several documents
        (packing "documents") also "document_ids": int32 [batch, length], the number of each token's document in its
        row from 1, 0 for padding.

    Raises:
        InputError: the records are damaged, of another length or vocabulary, or the split is empty.

    >>> next(iter(pretraining_dataset("records", batch_size=32)))["token_ids"].shape   # [32, 128]
    """
    _check_arguments(batch_size, start, split)
    manifest = check_records(folder, sequence_length=sequence_length, vocabulary=vocabulary, splits=(split,))
    if not manifest.splits[split].rows:
        raise InputError(f"{folder} has no rows in the {split} split; a corpus of 20 documents or more gives "
                         f"validation rows unless validation_fraction is 0.")
    length = manifest.sequence_length

    def batches():
        examples = (_train_examples(folder, manifest, seed, start) if split == "train"
                    else _examples_in_order(folder, manifest, split))
        return _batches(examples, batch_size=batch_size, first_index=start, manifest=manifest)

    names = (*FEATURES, "padding_mask", *(["document_ids"] if manifest.cls_id is not None else []))
    dataset = tf.data.Dataset.from_generator(batches, output_signature={
        **dict.fromkeys(names, tf.TensorSpec([batch_size, length], tf.int32)),
        "example_index": tf.TensorSpec([batch_size], tf.int64)})
    if split == "validation":
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(
            -(-manifest.splits[split].rows // batch_size)))
    options = tf.data.Options()
    # Batches are made whole; a strategy splits each one over its replicas and shards nothing.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
    # Nothing here is tuned, and whoever ends an iteration would wait for the tuning thread, as long as it ran.
    options.autotune.enabled = False
    return dataset.with_options(options).prefetch(_PREFETCHED_BATCHES)


def _check_arguments(batch_size, start, split):
    if batch_size < 1:
        raise InputError(f"batch_size={batch_size} must be 1 or more.")
    if split not in ("train", "validation"):
        raise InputError(f"split={split!r} must be train or validation.")
    if start < 0 or (start and split == "validation"):
        raise InputError(f"start={start} must be 0 or more, and 0 for the validation split.")


def _train_examples(folder, manifest, seed, start):
    """Pieces of {feature: int32 [rows, length]} in training order, endless; the next shard is read meanwhile."""
    shards = manifest.splits["train"].shards
    spans = spans_from(start, shard_rows=manifest.splits["train"].shard_rows, seed=seed)
    loaded = {}
    with concurrent.futures.ThreadPoolExecutor(1) as executor:
        def request(span):
            """Keeps a small corpus of one or two shards decoded instead of reading it again each epoch."""
            if span.shard not in loaded:
                loaded[span.shard] = executor.submit(_read_shard, folder, manifest, shards[span.shard])

        span = next(spans)
        request(span)
        for following in spans:
            request(following)
            shard = loaded[span.shard].result()
            for first in range(0, len(span.rows), _ROWS_AT_ONCE):
                rows = span.rows[first:first + _ROWS_AT_ONCE]
                yield {name: values[rows] for name, values in shard.items()}
            for number in set(loaded) - {span.shard, following.shard}:
                del loaded[number]
            span = following


def _examples_in_order(folder, manifest, split):
    for shard in manifest.splits[split].shards:
        yield _read_shard(folder, manifest, shard)


def _read_shard(folder, manifest, shard):
    """All rows of one file as {feature: int32 [rows, length]}."""
    parse = {name: tf.io.FixedLenFeature([manifest.sequence_length], tf.int64) for name in FEATURES}
    columns = {name: np.empty([shard.rows, manifest.sequence_length], np.int32) for name in FEATURES}
    with tf.device("/CPU:0"):
        records = tf.data.TFRecordDataset(str(pathlib.Path(folder) / shard.name),
                                          compression_type=_COMPRESSION_NAMES[manifest.compression])
        first = 0
        for serialised in records.batch(_ROWS_AT_ONCE):
            rows = tf.io.parse_example(serialised, parse)
            last = first + len(serialised)
            for name in FEATURES:
                columns[name][first:last] = rows[name].numpy()
            first = last
    return columns


def _batches(pieces, *, batch_size, first_index, manifest):
    """Cuts pieces of any size into batches; a last short one is filled with padding rows."""
    waiting, waiting_rows, index = [], 0, first_index
    for piece in pieces:
        begin, rows = 0, len(piece["token_ids"])
        while waiting_rows + rows - begin >= batch_size:
            end = begin + batch_size - waiting_rows
            waiting.append(_slice(piece, begin, end))
            yield _batch(waiting, index, manifest)
            waiting, waiting_rows, begin, index = [], 0, end, index + batch_size
        if begin < rows:
            waiting.append(_slice(piece, begin, rows))
            waiting_rows += rows - begin
    if waiting:
        missing = (batch_size - waiting_rows, waiting[0]["token_ids"].shape[1])
        waiting.append({"token_ids": np.full(missing, manifest.pad_id, np.int32),
                        "segment_ids": np.zeros(missing, np.int32)})
        yield _batch(waiting, index, manifest)


def _slice(piece, begin, end):
    return {name: values[begin:end] for name, values in piece.items()}


def _batch(pieces, first_index, manifest):
    batch = {name: np.concatenate([piece[name] for piece in pieces]) for name in FEATURES}
    batch["padding_mask"] = (batch["token_ids"] != manifest.pad_id).astype(np.int32)
    if manifest.cls_id is not None:  # no text holds [CLS], so that each one begins a document
        numbers = np.cumsum(batch["token_ids"] == manifest.cls_id, axis=1, dtype=np.int32)
        batch["document_ids"] = numbers * batch["padding_mask"]
    batch["example_index"] = first_index + np.arange(len(batch["token_ids"]), dtype=np.int64)
    return batch
