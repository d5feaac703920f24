import gzip
import json
import lzma
import tracemalloc

import pytest

from electra_tf.errors import InputError
from electra_tf.text import corpus as corpus_module
from electra_tf.text.corpus import read_corpus
from tests.oracles.shared import shared_path


@pytest.fixture
def write(tmp_path):
    def write_file(name, content):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path
    return write_file


def lines_of(corpus):
    return [document.lines for document in corpus]


def test_a_blank_line_ends_a_document_and_so_does_the_end_of_a_file(write, tmp_path):
    write("a.txt", "\n \nfirst\nsecond \n\n\t\n\r\nthird")
    write("b.txt", "fourth\n\u200b\n")
    corpus = read_corpus(tmp_path, format="text")
    assert lines_of(corpus) == [["first", "second "], ["third"], ["fourth", "\u200b"]]
    assert [document.where for document in corpus] == [
        f"{tmp_path}/a.txt:3", f"{tmp_path}/a.txt:8", f"{tmp_path}/b.txt:1"]


def test_one_document_per_file_has_blank_lines_taken_out(write, tmp_path):
    write("a.txt", "first\n\nsecond\n")
    write("b.txt", "\n\n")
    write("c.txt", "third")
    assert lines_of(read_corpus(tmp_path, format="document_per_file")) == [["first", "second"], ["third"]]


def test_json_lines_give_a_document_for_each_row_with_text(write):
    rows = [{"text": "one\n\ntwo\r\nthree", "id": 1}, {"text": ""}, {"text": "nel\u0085\u2028here"}, {"text": " \n "}]
    path = write("a.jsonl", "\n".join(map(json.dumps, rows[:2])) + "\n\n" + "\n".join(map(json.dumps, rows[2:])))
    corpus = read_corpus(path)
    assert lines_of(corpus) == [["one", "two", "three"], ["nel\u0085\u2028here"]]
    assert [document.where for document in corpus] == [f"{path}:1", f"{path}:4"]


def test_the_field_of_json_lines_is_chosen_by_name(write):
    path = write("a.jsonl", json.dumps({"text": "no", "body": "yes"}))
    assert lines_of(read_corpus(path, field="body")) == [["yes"]]


@pytest.mark.parametrize(("content", "message"), [
    ('{"text": "a"}\n{"text": ', "a.jsonl, line 2: not JSON"),
    ('{"text": "a"}\n\n{"b": "c", "id": 3}', "a.jsonl, line 3: no text in the field 'text', but the fields b, id"),
    ('{"text": 7}', "a.jsonl, line 1: no text in the field 'text'"),
    ('["text"]', "a.jsonl, line 1: no text in the field 'text', but a list")])
def test_a_bad_row_of_json_lines_is_refused_with_its_line(write, content, message):
    with pytest.raises(InputError, match=message):
        lines_of(read_corpus(write("a.jsonl", content)))


WIKI = """<doc id="1" url="u" title="A &amp; &quot;B&quot;">
A & "B"

First paragraph.
Second paragraph.

</doc>
<doc id="2" url="u" title="Redirect">
Redirect


</doc>
<doc id="3" url="u" title="Old style">
Old style

A < b.
</doc>
"""


def test_wikiextractor_documents_keep_their_title_and_empty_ones_are_passed_over(write):
    path = write("wiki_00", WIKI)
    corpus = read_corpus(path)
    assert lines_of(corpus) == [['A & "B"', "First paragraph.", "Second paragraph."], ["Old style", "A < b."]]
    assert [document.where for document in corpus] == [f"{path}:2", f"{path}:14"]
    assert corpus.counts.documents == 2


@pytest.mark.parametrize(("content", "message"), [
    (WIKI.removesuffix("</doc>\n"), "wiki_00, line 13: <doc> is never closed"),
    (WIKI.replace("</doc>", "", 1), "wiki_00, line 1: <doc> is never closed"),
    (WIKI + "stray\n", "wiki_00, line 18: text outside of <doc ...> and </doc>")])
def test_broken_wikiextractor_output_is_refused_with_its_line(write, content, message):
    with pytest.raises(InputError, match=message):
        lines_of(read_corpus(write("wiki_00", content), format="wikiextractor"))


@pytest.mark.parametrize(("name", "content", "expected"), [
    ("a.txt", "{brace\n\nb", [["{brace"], ["b"]]), ("a", '\n<doc id="1" title="t">\nt\nx\n</doc>', [["t", "x"]]),
    ("wiki_00", '{"text": "from json"}', [["from json"]]), ("a.txt", "[1]\n", [["[1]"]]),
    ("a.txt", "<document>\n", [["<document>"]])])
def test_auto_recognises_each_file_by_its_first_line(write, name, content, expected):
    assert lines_of(read_corpus(write(name, content))) == expected


def test_auto_takes_the_name_of_json_lines_at_its_word(write):
    for name, pack in (("a.jsonl", bytes), ("a.jsonl.gz", gzip.compress), ("a.ndjson.xz", lzma.compress)):
        with pytest.raises(InputError, match="line 1: not JSON"):
            lines_of(read_corpus(write(name, pack(b"no json"))))


def test_packed_and_plain_files_of_several_formats_make_one_corpus(write, tmp_path):
    write("1.txt.gz", gzip.compress(b"one"))
    write("2.jsonl.xz", lzma.compress(b'{"text": "two"}'))
    write("3.txt", "drei\r\n\r\nvier".encode("utf-16"))
    assert lines_of(read_corpus(f"{tmp_path}/*")) == [["one"], ["two"], ["drei"], ["vier"]]


def test_counts_are_complete_after_reading_and_start_again(write, tmp_path):
    first, second = write("a.txt", b"caf\xe9\n\nb c\nd\n"), write("b.txt.gz", gzip.compress(b"x\xffy\xfe."))
    corpus = read_corpus([first, second], format="text")
    for _ in range(2):
        assert len(lines_of(corpus)) == 3
        counts = corpus.counts
        assert (counts.documents, counts.lines, counts.characters) == (3, 4, 3 + 3 + 1 + 3)
        assert counts.bytes_read == corpus.size_bytes == first.stat().st_size + second.stat().st_size
        assert counts.undecodable_bytes == 3


def test_strict_stops_with_file_and_line(write):
    with pytest.raises(InputError, match="a.txt, line 2: byte 0xe9 is not UTF-8"):
        lines_of(read_corpus(write("a.txt", b"ok\ncaf\xe9"), errors="strict"))


@pytest.mark.parametrize("content", ["", "\n \n\t\n", "\ufeff"])
def test_an_empty_corpus_is_refused(write, content):
    corpus = read_corpus([write("a.txt", content), write("b.txt", "\n")])
    with pytest.raises(InputError, match="a.txt and 1 more: no text found, the corpus is empty"):
        lines_of(corpus)


def test_unknown_settings_and_paths_are_refused_before_reading(write):
    path = write("a.txt", "x")
    with pytest.raises(InputError, match="format='xml' is not known; choose one of auto, text"):
        read_corpus(path, format="xml")
    with pytest.raises(InputError, match="errors='ignore' is not known; choose one of report, strict"):
        read_corpus(path, errors="ignore")
    with pytest.raises(InputError, match="matches no file"):
        read_corpus("nowhere/*.txt")


def test_a_very_long_document_comes_in_parts_and_counts_once(write, monkeypatch):
    monkeypatch.setattr(corpus_module, "LONGEST_PART_CHARACTERS", 25)
    path = write("a.txt", "".join(f"line {number:03}\n" for number in range(10)) + "\nnext\n")
    corpus = read_corpus(path)
    documents = list(corpus)
    assert [len(document.lines) for document in documents] == [4, 4, 2, 1]
    assert [document.where for document in documents] == [f"{path}:{line}" for line in (1, 5, 9, 12)]
    assert corpus.counts.documents == 2


def test_memory_does_not_grow_with_a_document_without_lines(write):
    packed = write("a.txt.gz", gzip.compress(b"word " * 12_000_000, compresslevel=1))  # 60 MB in one line
    tracemalloc.start()
    try:
        corpus = read_corpus(packed)
        characters = sum(len(line) for document in corpus for line in document.lines)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert characters == 60_000_000
    assert peak < 25_000_000


@pytest.mark.parametrize(("relative", "documents", "lines"), [
    ("readers/wikiextractor/AA/wiki_00", 19, 507), ("readers/wikiextractor/AA/wiki_01", 162 - 113, None),
    ("readers/wikiextractor/AB/wiki_00", 282 - 197, None), ("readers/wikiextractor", 19 + 49 + 85, None),
    ("readers/wiki_json.jsonl", 18, None), ("novels_de/valid.txt.xz", 51, 1959 - 51),
    ("wiki_en/valid.txt.xz", 251, 5235 - 251), ("zh/wiki_zh-valid.txt.xz", 133, 2682 - 133)])
def test_real_corpora_have_the_documents_and_lines_that_their_readme_counts(relative, documents, lines):
    corpus = read_corpus(shared_path(f"data/pretrain/{relative}"))
    read = lines_of(corpus)
    assert len(read) == corpus.counts.documents == documents
    assert lines is None or sum(map(len, read)) == lines
    for line in (line for part in read for line in part):
        assert line.strip() and "\n" not in line and not line.startswith(("<doc", "</doc"))
