"""The check before step 1: whatever is wrong with a folder of records is told in one sentence."""

import json
import shutil
import subprocess
import sys

import pytest

from electra_tf.errors import InputError
from electra_tf.records.builder import build_pretraining_data
from electra_tf.records.manifest import check_records, read_manifest, read_vocabulary
from electra_tf.text.vocabulary import TextSettings, Vocabulary
from tests.records.conftest import random_documents


@pytest.fixture
def copy(records, tmp_path):
    """A copy of the finished records in which anything may be spoiled."""
    folder, _ = records
    return shutil.copytree(folder, tmp_path / "records")


def spoil(path, change):
    path.write_bytes(change(path.read_bytes()))


def test_good_records_pass(records, vocabulary):
    folder, manifest = records
    assert check_records(folder, sequence_length=24, vocabulary=vocabulary) == manifest == read_manifest(folder)
    assert manifest.splits["train"].shard_rows == [shard.rows for shard in manifest.splits["train"].shards]


def test_records_of_rows_with_one_document_are_those_of_before(records, copy):
    """Rows of several documents have a format of their own, so that a program without their numbers refuses them."""
    values = json.loads((copy / "manifest.json").read_text())
    assert (values["format"], values.pop("cls_id")) == ("electra_tf pretraining records 1", None)
    (copy / "manifest.json").write_text(json.dumps(values))
    assert read_manifest(copy) == records[1]


def test_records_of_rows_with_several_documents_say_so(vocabulary, write_corpus, tmp_path):
    build_pretraining_data(write_corpus(random_documents(30, seed=2)), vocabulary=vocabulary, sequence_length=24,
                           output=tmp_path / "records", packing="documents")
    manifest = check_records(tmp_path / "records")
    assert (manifest.format, manifest.cls_id) == ("electra_tf pretraining records 2", vocabulary.cls_id)


def test_the_vocabulary_travels_with_the_records(records, vocabulary):
    assert read_vocabulary(records[0]).hash == vocabulary.hash


def test_another_row_length_is_refused(records):
    with pytest.raises(InputError, match=r"holds rows of 24 tokens, but sequence_length is 128; change one of them"):
        check_records(records[0], sequence_length=128)


def test_another_vocabulary_is_refused(records, vocabulary):
    cased = Vocabulary(vocabulary.pieces, TextSettings(lowercase=False))
    assert cased.size == vocabulary.size
    with pytest.raises(InputError, match=rf"was built with another vocabulary \({vocabulary.size} pieces, hash "
                                         rf"{vocabulary.hash[:12]}\) than the one in use .*; use .*records/vocabulary"):
        check_records(records[0], vocabulary=cased)


@pytest.mark.parametrize("split", ["train", "validation"])
@pytest.mark.parametrize(("change", "sentence"), [
    (lambda data: data[:-1], "was truncated or changed; copy the whole folder again"),
    (lambda data: data + b"\0", "was truncated or changed; copy the whole folder again"),
    (lambda data: data[:40] + bytes([data[40] ^ 1]) + data[41:], r"has changed since it was built \(SHA-256 differs\)"),
])
def test_a_changed_shard_is_named(copy, split, change, sentence):
    name = read_manifest(copy).splits[split].shards[-1].name
    spoil(copy / name, change)
    with pytest.raises(InputError, match=f"{name} .*{sentence}"):
        check_records(copy)
    other = {"train": "validation", "validation": "train"}[split]
    check_records(copy, splits=(other,))


def test_a_missing_shard_is_named(copy):
    (copy / read_manifest(copy).splits["train"].shards[1].name).unlink()
    with pytest.raises(InputError, match="train-00001-of-.*tfrecord is missing; copy the whole folder again"):
        check_records(copy)


def test_what_is_no_folder_of_records_is_refused(tmp_path):
    with pytest.raises(InputError, match="nowhere is not a folder; give the output of build_pretraining_data"):
        read_manifest(tmp_path / "nowhere")
    with pytest.raises(InputError, match="has no manifest.json, so it is not a finished build of records"):
        read_manifest(tmp_path)


@pytest.mark.parametrize(("change", "sentence"), [
    (lambda values: values | {"format": "electra_tf pretraining records 0"},
     "format 'electra_tf pretraining records 0' instead of 'electra_tf pretraining records 1'; build"),
    (lambda values: {name: value for name, value in values.items() if name != "pad_id"}, "is damaged .*pad_id"),
    (lambda values: values | {"more": 1}, "is damaged .*more"),
    (lambda values: values | {"splits": {"train": {}}}, "is damaged .*shards"),
])
def test_a_manifest_that_cannot_be_understood_is_refused(copy, change, sentence):
    values = json.loads((copy / "manifest.json").read_text())
    (copy / "manifest.json").write_text(json.dumps(change(values)))
    with pytest.raises(InputError, match=sentence):
        read_manifest(copy)


def test_a_torn_manifest_is_refused_with_its_place(copy):
    spoil(copy / "manifest.json", lambda data: data[:300])
    with pytest.raises(InputError, match=r"manifest.json, line \d+, column \d+: not JSON"):
        read_manifest(copy)


def test_records_are_checked_without_tensorflow(records):
    code = ("import sys; from electra_tf.records.manifest import check_records; check_records(sys.argv[1]); "
            "sys.exit('tensorflow' in sys.modules)")
    subprocess.run([sys.executable, "-c", code, str(records[0])], check=True, timeout=600)
