"""The shipped texts are whole, split as documented, and the very files of the source."""

import collections
import csv
import gzip
import json
import re

import pytest

from electra_tf import sample_data
from electra_tf.errors import InputError
from electra_tf.files import sha256_of
from tests.oracles.shared import shared_path

README = sample_data.movie_reviews("train").parents[1] / "README.md"
SPLITS = [("movie_reviews", "train"), ("movie_reviews", "test"),
          ("sentence_polarity", "train"), ("sentence_polarity", "dev"), ("sentence_polarity", "test")]


def path_of(name, split):
    return getattr(sample_data, name)(split)


def rows_of(name, split):
    path = path_of(name, split)
    text = (gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()).decode("utf-8")
    if name == "movie_reviews":
        return [json.loads(line) for line in text.removesuffix("\n").split("\n")]
    return list(csv.DictReader(text.removesuffix("\n").split("\n"), delimiter="\t", quoting=csv.QUOTE_NONE))


def hashes_in(readme):
    table = re.findall(r"^\| (\S+) \|.*`([0-9a-f]{64})` \|$", readme.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(table)


@pytest.mark.parametrize(("name", "split"), SPLITS)
def test_a_file_is_the_one_its_readme_describes(name, split):
    path = path_of(name, split)
    row = re.search(rf"\| {name}/{re.escape(path.name)} \| (\d+) \| (\d+) \|", README.read_text(encoding="utf-8"))
    assert (len(rows_of(name, split)), path.stat().st_size) == (int(row[1]), int(row[2]))
    assert sha256_of(path) == hashes_in(README)[f"{name}/{path.name}"]


@pytest.mark.parametrize(("name", "split"), SPLITS)
def test_labels_are_balanced_and_texts_are_there(name, split):
    rows = rows_of(name, split)
    counts = collections.Counter(row["label"] for row in rows)
    assert counts == {"pos": len(rows) // 2, "neg": len(rows) // 2}
    assert all(row["text" if name == "movie_reviews" else "sentence"].strip() for row in rows)


def test_the_folds_of_the_reviews_are_kept():
    folds = {split: {int(row["id"][6:9]) for row in rows_of("movie_reviews", split)} for split in ("train", "test")}
    assert folds == {"train": set(range(900)), "test": set(range(900, 1000))}


def test_files_and_splits_are_those_of_the_source():
    source = hashes_in(shared_path("data/finetune/sentiment_and_chunking/README.md"))
    shipped = {f"{name}/{path_of(name, split).name}": sha256_of(path_of(name, split)) for name, split in SPLITS}
    assert shipped == {name: source[name] for name in shipped}
    wanted = {name for name in source if name.split("/")[0] in ("movie_reviews", "sentence_polarity")}
    assert {name for name in wanted if not name.endswith(".txt")} == set(shipped)


def test_the_licence_names_authors_and_terms():
    licence = (README.parent / "LICENCE.txt").read_text(encoding="utf-8")
    for words in ("Bo Pang and Lillian Lee", "CC BY 4.0", "http://creativecommons.org/licenses/by/4.0/", "Changes:",
                  "Sentiment Polarity Dataset Version 2.0", "Sentence Polarity Dataset v1.0",
                  "subjectivity dataset v1.0"):
        assert words in licence


def test_an_unknown_split_is_refused():
    with pytest.raises(InputError, match="movie_reviews has no split 'dev'; it has train, test"):
        sample_data.movie_reviews("dev")
