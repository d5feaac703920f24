"""Records spilled into buckets while the corpus is read, then joined to shards once their size is known.

Each train record goes to a random bucket, so each bucket, and each shard of whole buckets, is a random sample of the
corpus; a TFRecord file may be made by joining others.
"""

import contextlib
import gzip
import math
import shutil

from electra_tf.files import sha256_of
from electra_tf.records.chunks import BUCKETS
from electra_tf.records.manifest import Shard

# A trainer holds two decoded shards in memory: token and segment ids as int32.
SHARD_DECODED_BYTES = 50_000_000
_DECODED_BYTES_PER_TOKEN = 8
_SUFFIXES = {"none": "", "gzip": ".gz"}


class Spill(contextlib.AbstractContextManager):
    """Open temporary files, one for each bucket that has a record.

    Args:
        folder: where the temporary files are made.
        name: start of their names.

    >>> with Spill(folder, "train") as spill:
    ...     spill.append(17, b"...", rows=3)
    """

    def __init__(self, folder, name):
        self._folder, self._name = folder, name
        self._files = {}
        self.rows = [0] * BUCKETS

    def append(self, bucket, records, *, rows):
        """Adds framed records to the end of a bucket."""
        if bucket not in self._files:
            self._files[bucket] = open(self.path(bucket), "wb")
        self._files[bucket].write(records)
        self.rows[bucket] += rows

    def path(self, bucket):
        """The temporary file of a bucket."""
        return self._folder / f".{self._name}-{bucket:03}"

    def __exit__(self, *error):
        for file in self._files.values():
            file.close()


def shard_count(rows, sequence_length):
    """Shards of about 50 MB when decoded: a power of two, so that each gets equally many buckets.

    >>> shard_count(1_000_000, 128)   # 16
    """
    wanted = rows * sequence_length * _DECODED_BYTES_PER_TOKEN / SHARD_DECODED_BYTES
    return min(BUCKETS, 2 ** max(0, round(math.log2(max(1, wanted)))))


def plan_shards(spill, *, split, sequence_length, compression):
    """Which buckets make up each shard.

    Returns:
        List of (file name, bucket paths, rows).
    """
    count = shard_count(sum(spill.rows), sequence_length)
    width = BUCKETS // count
    plan = []
    for number in range(count):
        buckets = [bucket for bucket in range(number * width, (number + 1) * width) if spill.rows[bucket]]
        if buckets:
            plan.append(([spill.path(bucket) for bucket in buckets], sum(spill.rows[bucket] for bucket in buckets)))
    return [(f"{split}-{number:05}-of-{len(plan):05}.tfrecord{_SUFFIXES[compression]}", paths, rows)
            for number, (paths, rows) in enumerate(plan)]


def write_shard(plan, *, folder, compression):
    """Joins buckets to one shard and removes them.

    Args:
        plan: one entry of `plan_shards`.
        folder: where the shard is written.
        compression: "none" or "gzip".

    Returns:
        Shard.

    >>> write_shard(("train-00000-of-00001.tfrecord", [path], 12), folder=folder, compression="none").rows   # 12
    """
    name, bucket_paths, rows = plan
    path = folder / name
    with open(path, "wb") as file, contextlib.ExitStack() as stack:
        target = file
        if compression == "gzip":  # no name and no time inside, so equal records are equal bytes
            target = stack.enter_context(gzip.GzipFile("", "wb", compresslevel=6, fileobj=file, mtime=0))
        for bucket_path in bucket_paths:
            with open(bucket_path, "rb") as bucket:
                shutil.copyfileobj(bucket, target, 1 << 20)
            bucket_path.unlink()
    return Shard(name, rows, path.stat().st_size, sha256_of(path))
