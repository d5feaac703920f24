"""How a corpus is cut into chunks, which documents are held out, and what is counted in a chunk."""

import types

import numpy as np
import pytest

from electra_tf.records import chunks
from electra_tf.records.chunks import PackingSettings, cut_into_chunks, pack_chunk
from electra_tf.text.bulk_tokenizer import BulkTokenizer
from electra_tf.text.corpus import Document


class FakeCorpus:
    """A corpus from memory: parts of documents, (lines, whether a new document begins)."""

    def __init__(self, parts):
        self.parts = parts
        self.counts = types.SimpleNamespace(documents=0, bytes_read=0)

    def __iter__(self):
        for lines, is_first in self.parts:
            self.counts.documents += is_first
            self.counts.bytes_read += sum(map(len, lines))
            yield Document(lines, "memory:1")


def cut(parts, *, seed=0, validation_fraction=0.0):
    return list(cut_into_chunks(FakeCorpus(parts), seed=seed, validation_fraction=validation_fraction))


def held_out(count, *, seed=0, validation_fraction=0.1):
    """Numbers of the held-out documents of a corpus of `count`."""
    parts = [([str(number)], True) for number in range(count)]
    found = cut(parts, seed=seed, validation_fraction=validation_fraction)
    everything = [int(lines[0]) for chunk in found for split in chunks.SPLITS for lines in chunk.documents[split]]
    assert sorted(everything) == list(range(count))
    assert sum(chunk.document_counts["train"] + chunk.document_counts["validation"] for chunk in found) == count
    return [int(lines[0]) for chunk in found for lines in chunk.documents["validation"]]


def test_chunks_end_at_document_boundaries(monkeypatch):
    monkeypatch.setattr(chunks, "CHUNK_CHARACTERS", 10)
    found = cut([(["abcd"], True), (["efgh"], True), (["ijk"], True), (["l"], True)])
    assert [chunk.documents["train"] for chunk in found] == [[["abcd"], ["efgh"]], [["ijk"], ["l"]]]
    assert [chunk.number for chunk in found] == [0, 1]
    assert [chunk.document_counts["train"] for chunk in found] == [2, 2]
    assert found[-1].source_bytes == 12


def test_a_long_document_is_cut_between_lines_and_counted_once(monkeypatch):
    monkeypatch.setattr(chunks, "CHUNK_CHARACTERS", 10)
    found = cut([(["ab"], True), (["abcdef", "ghi", "jklmno", "this line is longer than a chunk", "p"], True)])
    assert [chunk.documents["train"] for chunk in found] == [
        [["ab"]], [["abcdef", "ghi"]], [["jklmno"]], [["this line is longer than a chunk"]], [["p"]]]
    assert [chunk.document_counts["train"] for chunk in found] == [1, 1, 0, 0, 0]


def test_the_parts_of_a_document_stay_in_one_split():
    parts = [([f"{number}.{part}"], part == 0) for number in range(300) for part in range(3)]
    found = cut(parts, validation_fraction=0.1)
    numbers = [{lines[0].partition(".")[0] for chunk in found for lines in chunk.documents[split]}
               for split in ("train", "validation")]
    assert numbers[0] | numbers[1] == {str(number) for number in range(300)}
    assert not numbers[0] & numbers[1]
    assert found[0].document_counts == {"train": len(numbers[0]), "validation": len(numbers[1])}


@pytest.mark.parametrize(("count", "expected"), [(1, []), (19, []), (20, [19]), (21, [19])])
def test_a_small_corpus_is_trained_on_whole_and_one_of_20_documents_holds_one_out(count, expected):
    assert held_out(count, validation_fraction=0.001) == expected


def test_the_held_out_share_is_the_fraction_and_depends_on_the_seed():
    some, others = held_out(8000), held_out(8000, seed=1)
    assert len(some) / 8000 == pytest.approx(0.1, abs=0.012)
    assert 0.05 < len(set(some) & set(others)) / len(some) < 0.16, "two seeds hold out independent documents"
    assert held_out(8000, validation_fraction=0) == []
    assert max(np.diff(some)) < 150, "held-out documents lie everywhere in the corpus"


def test_a_chunk_is_counted_as_its_text_is(vocabulary):
    settings = PackingSettings(9, "original", seed=0)
    chunk = chunks.Chunk(0, documents={"train": [["bababa bababa xyzzy", "cococo " * 10]], "validation": [["dududu"]]},
                         document_counts={"train": 1, "validation": 1}, source_bytes=99)
    packed = pack_chunk(chunk, tokenizer=BulkTokenizer(vocabulary), settings=settings)
    # Line 2 reaches the target of 9; the row keeps 2 + 4 or 3 + 3 or 7 of the 13 tokens.
    counts = packed.counts["train"]
    assert {name: counts[name] for name in ("documents", "rows", "source_tokens", "unknown_tokens")} == {
        "documents": 1, "rows": 1, "source_tokens": 13, "unknown_tokens": 1}
    assert counts["kept_tokens"] in (6, 7)
    assert counts["padding_tokens"] == 0
    assert packed.counts["validation"] == {
        "documents": 1, "rows": 1, "source_tokens": 1, "kept_tokens": 1, "unknown_tokens": 0, "padding_tokens": 6}
    assert [rows for _, _, rows in packed.records["train"]] == [1]
    assert [(bucket, rows) for bucket, _, rows in packed.records["validation"]] == [(0, 1)]
    assert packed.source_bytes == 99
