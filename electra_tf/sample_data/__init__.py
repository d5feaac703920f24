"""Paths of the texts that come with the package: reviews to pretrain on, sentences to fine-tune on (see README.md)."""

import pathlib

from electra_tf.errors import InputError

_FOLDER = pathlib.Path(__file__).resolve().parent
_FILES = {
    "movie_reviews": {"train": "train.jsonl.gz", "test": "test.jsonl.gz"},
    "sentence_polarity": {"train": "train.tsv.gz", "dev": "dev.tsv", "test": "test.tsv"},
}


def movie_reviews(split):
    """Path of the movie reviews, JSON lines with `id`, `label` (pos or neg) and `text`.

    Args:
        split: "train" (1,800 reviews) or "test" (200).

    Returns:
        pathlib.Path.

    Raises:
        InputError: no such split.

    >>> movie_reviews("train").name   # 'train.jsonl.gz'
    """
    return _path("movie_reviews", split)


def sentence_polarity(split):
    """Path of the sentences about films, TSV with the columns `sentence` and `label` (pos or neg).

    Args:
        split: "train" (8,530 sentences), "dev" (1,066) or "test" (1,066).

    Returns:
        pathlib.Path.

    Raises:
        InputError: no such split.

    >>> sentence_polarity("dev").name   # 'dev.tsv'
    """
    return _path("sentence_polarity", split)


def _path(name, split):
    if split not in _FILES[name]:
        raise InputError(f"{name} has no split {split!r}; it has {', '.join(_FILES[name])}.")
    return _FOLDER / name / _FILES[name][split]
