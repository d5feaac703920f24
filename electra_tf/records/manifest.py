"""What a folder of records holds, and the check that it still holds just that. Needs no TensorFlow."""

import dataclasses
import pathlib

from electra_tf.config import read_json
from electra_tf.errors import InputError
from electra_tf.files import sha256_of, write_json_atomically
from electra_tf.text.vocabulary import Vocabulary

MANIFEST_NAME = "manifest.json"
VOCABULARY_NAME = "vocabulary"
FORMAT = "electra_tf pretraining records 1"
# Rows of several documents that must not see each other: a program that does not know of them refuses this format.
DOCUMENTS_FORMAT = "electra_tf pretraining records 2"


@dataclasses.dataclass(frozen=True)
class Shard:
    """One file of records."""

    name: str
    rows: int
    bytes: int
    sha256: str


@dataclasses.dataclass(frozen=True)
class Split:
    """The records that are trained on, or those held out, and how the text became them."""

    documents: int
    rows: int
    source_tokens: int  # tokens of the text
    kept_tokens: int  # of these, tokens that stand in a row
    dropped_tokens: int
    unknown_rate: float  # [UNK] among the tokens kept, 0..1
    padding_share: float  # [PAD] among the rows' positions, 0..1
    shards: tuple

    @property
    def shard_rows(self):
        """Rows of each shard, in order."""
        return [shard.rows for shard in self.shards]


@dataclasses.dataclass(frozen=True)
class Manifest:
    """Everything known about a folder of records; `manifest.json` is written last, so it marks a finished build."""

    format: str
    sequence_length: int
    packing: str
    seed: int
    validation_fraction: float
    compression: str  # "none" or "gzip"
    vocabulary_hash: str
    vocabulary_size: int
    pad_id: int  # the token of padding, from which the padding mask is derived
    text_settings: dict
    corpus: dict  # files, format, characters, undecodable_bytes
    versions: dict
    splits: dict  # "train", "validation" -> Split
    cls_id: int | None = None  # the token that begins each document, where a row may hold several

    def write(self, folder):
        """Writes `manifest.json` into a folder.

        >>> manifest.write("records")
        """
        write_json_atomically(pathlib.Path(folder) / MANIFEST_NAME, dataclasses.asdict(self))


def read_manifest(folder):
    """The manifest of a records folder.

    Args:
        folder: output of `build_pretraining_data`.

    Returns:
        Manifest.

    Raises:
        InputError: no such folder, no finished build in it, or a manifest that this version does not know.

    >>> read_manifest("records").splits["train"].rows   # 60233
    """
    path = pathlib.Path(folder) / MANIFEST_NAME
    if not path.parent.is_dir():
        raise InputError(f"{folder} is not a folder; give the output of build_pretraining_data.")
    if not path.is_file():
        raise InputError(f"{folder} has no {MANIFEST_NAME}, so it is not a finished build of records; "
                         f"give the output of build_pretraining_data.")
    values = read_json(path)
    if values.get("format") not in (FORMAT, DOCUMENTS_FORMAT):
        raise InputError(f"{path}: format {values.get('format')!r} instead of {FORMAT!r}; build the records again.")
    try:
        splits = {name: Split(**{**split, "shards": tuple(Shard(**shard) for shard in split["shards"])})
                  for name, split in values["splits"].items()}
        return Manifest(**{**values, "splits": splits})
    except (TypeError, KeyError, AttributeError) as error:
        raise InputError(f"{path} is damaged ({error}); build the records again.") from None


def read_vocabulary(folder):
    """The vocabulary that records were built with, from the copy inside their folder, or inside that of a run on them.

    Args:
        folder: output of `build_pretraining_data`, or a run folder.

    Returns:
        Vocabulary.

    Raises:
        InputError: the copy is missing or damaged.

    >>> read_vocabulary("records").size   # 8192
    """
    return Vocabulary.load(pathlib.Path(folder) / VOCABULARY_NAME)


def check_records(folder, *, sequence_length=None, vocabulary=None, splits=("train", "validation")):
    """Makes sure, before any training, that a folder holds the records it was built with and the caller expects.

    Args:
        folder: output of `build_pretraining_data`.
        sequence_length: the row length that the caller needs, or None for any.
        vocabulary: the Vocabulary that the caller uses, or None for any.
        splits: which files are read and compared with their checksums.

    Returns:
        Manifest.

    Raises:
        InputError: a file is missing, truncated or changed, or the rows or the vocabulary are not the caller's.

    >>> check_records("records", sequence_length=128).splits["train"].rows   # 60233
    """
    manifest = read_manifest(folder)
    if sequence_length is not None and sequence_length != manifest.sequence_length:
        raise InputError(f"{folder} holds rows of {manifest.sequence_length} tokens, but sequence_length is "
                         f"{sequence_length}; change one of them, or build the records again.")
    if vocabulary is not None and vocabulary.hash != manifest.vocabulary_hash:
        raise InputError(f"{folder} was built with another vocabulary ({manifest.vocabulary_size} pieces, hash "
                         f"{manifest.vocabulary_hash[:12]}) than the one in use ({vocabulary.size} pieces, hash "
                         f"{vocabulary.hash[:12]}); use {pathlib.Path(folder) / VOCABULARY_NAME}.")
    for split in splits:
        for shard in manifest.splits[split].shards:
            _check_shard(pathlib.Path(folder) / shard.name, shard)
    return manifest


def _check_shard(path, shard):
    if not path.is_file():
        raise InputError(f"{path} is missing; copy the whole folder again or build the records again.")
    size = path.stat().st_size
    if size != shard.bytes:
        raise InputError(f"{path} has {size} bytes instead of {shard.bytes}: it was truncated or changed; "
                         f"copy the whole folder again or build the records again.")
    if sha256_of(path) != shard.sha256:
        raise InputError(f"{path} has changed since it was built (SHA-256 differs); "
                         f"copy the whole folder again or build the records again.")
