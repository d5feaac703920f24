"""The whole way from text files to a folder of records."""

import collections
import hashlib
import json
import signal
import subprocess
import sys

import numpy as np
import pytest

from electra_tf.errors import InputError
from electra_tf.records import builder, chunks, shards
from electra_tf.records.builder import build_pretraining_data
from electra_tf.records.manifest import check_records
from electra_tf.text.vocabulary import Vocabulary
from tests.records.conftest import WORDS, random_documents, read_rows


@pytest.fixture
def build(vocabulary, tmp_path):
    """Function (corpus path, settings) -> manifest; the folder is tmp_path / output."""
    def run(corpus, *, output="records", **settings):
        settings = {"sequence_length": 24, "validation_fraction": 0.05, **settings}
        return build_pretraining_data(corpus, vocabulary=vocabulary, output=tmp_path / output, **settings)
    return run


def digests(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir() if path.is_file()}


def text_tokens(rows, vocabulary):
    """The tokens of rows without [CLS], [SEP] and padding, in order."""
    special = [vocabulary.pad_id, vocabulary.cls_id, vocabulary.sep_id]
    return rows["token_ids"][~np.isin(rows["token_ids"], special)]


def word_counts(documents, vocabulary):
    """What a corpus of whole words holds, without any tokenizer: token id -> how often."""
    return collections.Counter(vocabulary.id_of(word) for lines in documents for line in lines for word in line.split())


VERSES = [[" ".join(WORDS[(31 * verse + 7 * number + place * place) % 343] for place in range(18 + 7 * (number % 4)))
           for number in range(25 + 5 * (verse % 3))] for verse in range(30)]
LINE_STYLES = {"three verses a line": [[" ".join(verses[start:start + 3]) for start in range(0, len(verses), 3)]
                                       for verses in VERSES],
               "a chapter a line": [[" ".join(verses)] for verses in VERSES]}


@pytest.mark.parametrize("style", LINE_STYLES)
@pytest.mark.parametrize("packing", ["carry_over", "documents", "full_sequence"])
def test_no_token_is_dropped(build, write_corpus, tmp_path, vocabulary, style, packing):
    documents = LINE_STYLES[style]
    manifest = build(write_corpus(documents), sequence_length=128, packing=packing)
    found = collections.Counter()
    for split in ("train", "validation"):
        found.update(text_tokens(read_rows(tmp_path / "records", manifest, split), vocabulary).tolist())
    assert found == word_counts(documents, vocabulary)


@pytest.mark.parametrize(("style", "least"), [("three verses a line", 0.15), ("a chapter a line", 0.8)])
def test_original_packing_drops_what_it_always_did(build, write_corpus, tmp_path, vocabulary, style, least):
    documents = LINE_STYLES[style]
    manifest = build(write_corpus(documents), sequence_length=128, packing="original", validation_fraction=0)
    kept = len(text_tokens(read_rows(tmp_path / "records", manifest), vocabulary))
    source = word_counts(documents, vocabulary).total()
    assert 1 - kept / source > least
    assert manifest.splits["train"].dropped_tokens == source - kept


def test_carry_over_rows_keep_the_order_of_the_text(build, write_corpus, tmp_path, vocabulary, monkeypatch):
    monkeypatch.setattr(chunks, "BUCKETS", 1)  # one bucket keeps the rows in the order of the corpus
    documents = random_documents(12, seed=3)
    manifest = build(write_corpus(documents))
    words = [vocabulary.id_of(word) for lines in documents for line in lines for word in line.split()]
    np.testing.assert_array_equal(text_tokens(read_rows(tmp_path / "records", manifest), vocabulary), words)


@pytest.mark.parametrize("split", ["train", "validation"])
def test_documents_that_share_a_row_are_the_rows_that_each_had_alone(build, write_corpus, tmp_path, vocabulary, split):
    corpus = write_corpus(random_documents(300, seed=6, lines=2, words=5))
    pieces, padding = {}, {}
    for packing in ("carry_over", "documents"):
        manifest = build(corpus, packing=packing, output=packing, sequence_length=32, validation_fraction=0.2)
        rows = read_rows(tmp_path / packing, manifest, split)
        pieces[packing] = sorted(
            tuple(piece) for tokens, segments in zip(rows["token_ids"].tolist(), rows["segment_ids"].tolist())
            for piece in cut_before(vocabulary.cls_id, [pair for pair in zip(tokens, segments)
                                                        if pair[0] != vocabulary.pad_id]))
        padding[packing] = manifest.splits[split].padding_share
        assert padding[packing] == pytest.approx(np.mean(rows["token_ids"] == vocabulary.pad_id))
    assert pieces["documents"] == pieces["carry_over"]
    assert padding["documents"] < 0.15 < 0.6 < padding["carry_over"]


def cut_before(token, pairs):
    """Runs of pairs that begin with that token."""
    starts = [place for place, (first, _) in enumerate(pairs) if first == token]
    assert starts[0] == 0
    return [pairs[start:end] for start, end in zip(starts, [*starts[1:], len(pairs)])]


@pytest.mark.parametrize(("compression", "most_workers"), [("none", 3), ("gzip", 2)])
def test_any_number_of_workers_writes_the_same_bytes(build, write_corpus, tmp_path, monkeypatch, compression,
                                                     most_workers):
    monkeypatch.setattr(chunks, "CHUNK_CHARACTERS", 3000)
    monkeypatch.setattr(shards, "SHARD_DECODED_BYTES", 15_000)
    corpus = write_corpus(random_documents(120, seed=4))
    alone = build(corpus, output="records_1", compression=compression)
    assert len(alone.splits["train"].shards) > 2
    for workers in range(2, most_workers + 1):
        build(corpus, output=f"records_{workers}", workers=workers, compression=compression)
        assert digests(tmp_path / f"records_{workers}") == digests(tmp_path / "records_1")


def test_the_splits_share_no_document(build, write_corpus, tmp_path, vocabulary, monkeypatch):
    monkeypatch.setattr(chunks, "CHUNK_CHARACTERS", 5000)
    documents = [[f"{WORDS[number]} " * 40] for number in range(340)]  # each document has a word of its own
    manifest = build(write_corpus(documents), validation_fraction=0.2)
    train, validation = (set(text_tokens(read_rows(tmp_path / "records", manifest, split), vocabulary).tolist())
                         for split in ("train", "validation"))
    assert not train & validation
    assert train | validation == {vocabulary.id_of(word) for word in WORDS[:340]}
    assert len(validation) == manifest.splits["validation"].documents
    assert len(train) == manifest.splits["train"].documents
    assert 0.12 < len(validation) / 340 < 0.28


def test_each_shard_is_a_random_sample_of_the_corpus(build, write_corpus, tmp_path, vocabulary, monkeypatch):
    monkeypatch.setattr(shards, "SHARD_DECODED_BYTES", 24 * 8 * 300)
    monkeypatch.setattr(chunks, "CHUNK_CHARACTERS", 20_000)
    documents = [[f"{WORDS[number]} " * 60] for number in range(340)]
    manifest = build(write_corpus(documents), validation_fraction=0)
    assert len(manifest.splits["train"].shards) == 4
    assert len(read_rows(tmp_path / "records", manifest)["token_ids"]) == manifest.splits["train"].rows
    for shard in manifest.splits["train"].shards:
        only = type(manifest.splits["train"])(**{**vars(manifest.splits["train"]), "shards": (shard,)})
        rows = read_rows(tmp_path / "records", type(manifest)(**{**vars(manifest), "splits": {"train": only}}))
        assert len(rows["token_ids"]) == shard.rows == pytest.approx(manifest.splits["train"].rows / 4, rel=0.15)
        words = rows["token_ids"][:, 1]
        assert words.mean() == pytest.approx(np.mean([vocabulary.id_of(word) for word in WORDS[:340]]), abs=20)


@pytest.mark.parametrize(("rows", "length", "count"), [
    (1, 8, 1), (48_828, 128, 1), (2 * 48_829, 128, 2), (1_000_000, 128, 16), (1_000_000, 512, 64), (10**10, 128, 256)])
def test_shards_hold_about_50_megabytes_when_decoded(rows, length, count):
    assert shards.shard_count(rows, length) == count


def test_the_manifest_tells_what_the_files_hold(build, write_corpus, tmp_path, vocabulary):
    documents = random_documents(50, seed=8)
    documents[3][0] += " xyzzy 語"  # two words that the vocabulary lacks
    corpus = write_corpus(documents)
    corpus.write_bytes(corpus.read_bytes() + b"\xff\xfe\n")
    manifest = build(corpus, seed=3)
    assert (tmp_path / "records" / "manifest.json").is_file()
    stored = json.loads((tmp_path / "records" / "manifest.json").read_text())
    assert stored["corpus"]["undecodable_bytes"] == 2
    assert stored["corpus"]["files"] == [str(corpus)]
    assert stored["vocabulary_hash"] == vocabulary.hash
    assert stored["vocabulary_size"] == vocabulary.size
    assert Vocabulary.load(tmp_path / "records" / "vocabulary").hash == vocabulary.hash
    assert check_records(tmp_path / "records", sequence_length=24, vocabulary=vocabulary) == manifest
    both = dict.fromkeys(["documents", "source_tokens", "kept_tokens"], 0)
    for name, split in stored["splits"].items():
        rows = read_rows(tmp_path / "records", manifest, name)
        assert split["rows"] == sum(shard["rows"] for shard in split["shards"]) == len(rows["token_ids"])
        assert split["padding_share"] == pytest.approx(np.mean(rows["token_ids"] == vocabulary.pad_id))
        assert split["unknown_rate"] == pytest.approx(np.mean(text_tokens(rows, vocabulary) == vocabulary.unk_id))
        assert split["kept_tokens"] == len(text_tokens(rows, vocabulary))
        both = {name: both[name] + split[name] for name in both}
        for shard in split["shards"]:
            data = (tmp_path / "records" / shard["name"]).read_bytes()
            assert (shard["bytes"], shard["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
    words = sum(len(line.split()) for lines in documents for line in lines)
    assert both == {"documents": 50, "source_tokens": words, "kept_tokens": words}
    assert stored["splits"]["train"]["unknown_rate"] > 0


def test_compressed_records_are_the_same_rows_in_fewer_bytes(build, write_corpus, tmp_path):
    corpus = write_corpus(random_documents(40, seed=9))
    plain, packed = build(corpus), build(corpus, output="packed", compression="gzip")
    assert packed.splits["train"].shards[0].name.endswith(".tfrecord.gz")
    assert packed.splits["train"].shards[0].bytes < 0.7 * plain.splits["train"].shards[0].bytes
    for split in ("train", "validation"):
        ours, theirs = read_rows(tmp_path / "packed", packed, split), read_rows(tmp_path / "records", plain, split)
        for name in ("token_ids", "segment_ids"):
            np.testing.assert_array_equal(ours[name], theirs[name])


@pytest.mark.parametrize("change", [{"seed": 1}, {"packing": "full_sequence"}, {"packing": "original"},
                                    {"sequence_length": 25}, {"validation_fraction": 0.3}, {"compression": "gzip"}])
def test_each_setting_changes_the_records(build, write_corpus, tmp_path, change):
    corpus = write_corpus(random_documents(40, seed=10))
    build(corpus)
    build(corpus, output="changed", **change)
    before, after = (set(digests(tmp_path / name).values()) for name in ("records", "changed"))
    assert not before & after


def test_corpus_settings_reach_the_reader(build, tmp_path, vocabulary):
    path = tmp_path / "rows.txt"
    path.write_text("".join(json.dumps({"body": f"{WORDS[number]} {WORDS[number]}", "text": "cococo"}) + "\n"
                            for number in range(8)))
    manifest = build(path, corpus_format="jsonl", field="body")
    assert manifest.splits["train"].documents == 8
    assert set(text_tokens(read_rows(tmp_path / "records", manifest), vocabulary).tolist()) == {
        vocabulary.id_of(word) for word in WORDS[:8]}
    path.write_bytes(b"bababa \xff\n")
    with pytest.raises(InputError, match=r"rows.txt, line 1: byte 0xff is not UTF-8"):
        build(path, output="strict", errors="strict")
    assert not (tmp_path / "strict").exists()


def test_padding_takes_the_id_that_the_vocabulary_gives_it(tmp_path, write_corpus, vocabulary):
    turned = Vocabulary(tuple(reversed(vocabulary.pieces)))
    assert turned.pad_id == turned.size - 1
    manifest = build_pretraining_data(write_corpus([["bababa cococo"]]), vocabulary=turned, sequence_length=8,
                                      output=tmp_path / "records")
    rows = read_rows(tmp_path / "records", manifest)
    words = [turned.id_of("bababa"), turned.id_of("cococo")]
    assert rows["token_ids"].tolist() == [[turned.cls_id, *words, turned.sep_id, *[turned.pad_id] * 4]]
    assert manifest.pad_id == turned.pad_id


KILLED_BUILD = """
import os, signal, sys
from electra_tf.records import builder, chunks
from electra_tf.text.vocabulary import Vocabulary
calls = []
def dying(function):
    def call(*arguments, **settings):
        calls.append(function)
        if len(calls) == int(sys.argv[4]):
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **settings)
    return call
chunks.CHUNK_CHARACTERS = 2000
builder.Spill.append = dying(builder.Spill.append)
builder.write_shard = dying(builder.write_shard)
builder.manifests.Manifest.write = dying(builder.manifests.Manifest.write)
builder.build_pretraining_data(sys.argv[1], vocabulary=Vocabulary.load(sys.argv[2]), sequence_length=24,
                               output=sys.argv[3], validation_fraction=0.05)
"""


@pytest.mark.parametrize("place", ["first record", "in the middle", "before the manifest"])
def test_a_killed_build_leaves_nothing_finished_and_can_be_started_again(build, write_corpus, tmp_path, vocabulary,
                                                                        monkeypatch, place):
    monkeypatch.setattr(chunks, "CHUNK_CHARACTERS", 2000)
    vocabulary.save(tmp_path / "vocabulary")
    corpus = write_corpus(random_documents(60, seed=11))
    appends = []
    append = builder.Spill.append
    with monkeypatch.context() as patch:
        patch.setattr(builder.Spill, "append", lambda *args, **rows: (appends.append(1), append(*args, **rows)))
        build(corpus, output="uninterrupted")
    calls = {"first record": 1, "in the middle": len(appends) // 2, "before the manifest": len(appends) + 3}[place]
    command = [sys.executable, "-c", KILLED_BUILD, str(corpus), str(tmp_path / "vocabulary"), str(tmp_path / "records"),
               str(calls)]
    killed = subprocess.run(command, capture_output=True, timeout=600)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert not (tmp_path / "records").exists()
    left = [path.name for path in tmp_path.iterdir() if "partial" in path.name]
    assert left == [".records.partial"]
    assert not (tmp_path / left[0] / "manifest.json").exists()
    build(corpus)
    assert digests(tmp_path / "records") == digests(tmp_path / "uninterrupted")
    assert not (tmp_path / left[0]).exists()


def test_a_failed_build_removes_what_it_wrote(build, write_corpus, tmp_path, monkeypatch):
    def full(self, bucket, records, *, rows):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(builder.Spill, "append", full)
    corpus = write_corpus(random_documents(3, seed=12))
    with pytest.raises(InputError, match="records cannot be written: No space left on device"):
        build(corpus)
    assert [path.name for path in tmp_path.iterdir()] == ["corpus.txt"]


def test_other_work_is_never_overwritten(build, write_corpus, tmp_path):
    (tmp_path / "records").mkdir()
    (tmp_path / "records" / "thesis.tex").write_text("x")
    with pytest.raises(InputError, match=r"records holds other work \(thesis.tex\), which is never overwritten"):
        build(write_corpus(random_documents(3, seed=12)))
    assert [path.name for path in (tmp_path / "records").iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize(("settings", "sentence"), [
    ({"sequence_length": 7}, "sequence_length=7 must be 8 or more; 128 is usual"),
    ({"packing": "tight"}, "packing='tight' must be one of carry_over, documents, full_sequence, original"),
    ({"workers": 0}, "workers=0 must be 1 or more; give the number of processor cores"),
    ({"seed": -1}, r"seed=-1 must lie in \[0, 2147483647\]"),
    ({"validation_fraction": 0.6}, r"validation_fraction=0.6 must lie in \[0, 0.5\]"),
    ({"compression": "zip"}, "compression='zip' must be none or gzip"),
])
def test_wrong_settings_are_refused_before_any_work(build, tmp_path, settings, sentence):
    with pytest.raises(InputError, match=sentence):
        build(tmp_path / "there is no corpus", **settings)
    assert list(tmp_path.iterdir()) == []


def test_text_without_a_token_is_refused(build, write_corpus, tmp_path):
    with pytest.raises(InputError, match="the text has no tokens to train on; give a corpus with words in it"):
        build(write_corpus([["\u200b\u200b"]]))
    assert not (tmp_path / "records").exists()


PEAK_MEMORY = """
import resource, sys
from electra_tf.records.builder import build_pretraining_data
from electra_tf.text.vocabulary import Vocabulary
build_pretraining_data(sys.argv[1], vocabulary=Vocabulary.load(sys.argv[2]), sequence_length=128, output=sys.argv[3])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_corpus_nor_with_a_document(tmp_path, vocabulary):
    vocabulary.save(tmp_path / "vocabulary")
    lines = "\n".join(random_documents(1, seed=1, lines=4000, words=60)[0] * 2)
    megabytes = {}
    for copies in (40, 200):
        corpus = tmp_path / f"{copies}.txt"
        with open(corpus, "w") as file:  # one document without an end
            for _ in range(copies):
                file.write(lines + "\n")
        done = subprocess.run([sys.executable, "-c", PEAK_MEMORY, str(corpus), str(tmp_path / "vocabulary"),
                               str(tmp_path / f"records_{copies}")], capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stderr
        megabytes[copies] = (int(done.stdout), corpus.stat().st_size / 1e6)
    (small, small_size), (large, large_size) = megabytes[40], megabytes[200]
    assert small_size > 8, "the reader hands a document on in parts of 4 MB"
    assert large_size > small_size + 30
    assert large - small < 15, f"peak memory in MB and size of the text in MB: {megabytes}"
