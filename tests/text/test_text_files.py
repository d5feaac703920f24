import bz2
import gzip
import lzma

import pytest

from electra_tf.errors import InputError
from electra_tf.text import text_files
from electra_tf.text.text_files import LineReader, find_files


def lines_of(path, **settings):
    return [line.text for line in LineReader(path, **settings)]


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.fixture
def tree(tmp_path):
    for name in ("b.txt", "a.txt", "sub/c.txt", "sub/.hidden", ".git/d.txt", "sub/deep/e.txt.gz"):
        write(tmp_path / name, "x")
    return tmp_path


def names(files, folder):
    return [str(file.relative_to(folder)) for file in files]


def test_a_folder_means_every_file_below_it_sorted_without_hidden_ones(tree):
    assert names(find_files(tree), tree) == ["a.txt", "b.txt", "sub/c.txt", "sub/deep/e.txt.gz"]


def test_globs_are_sorted_and_reach_folders(tree):
    assert names(find_files(f"{tree}/*.txt"), tree) == ["a.txt", "b.txt"]
    assert names(find_files(f"{tree}/**/*.txt"), tree) == ["a.txt", "b.txt", "sub/c.txt"]
    assert names(find_files(f"{tree}/s*"), tree) == ["sub/c.txt", "sub/deep/e.txt.gz"]


def test_several_paths_keep_their_order_and_each_file_comes_once(tree):
    assert names(find_files(f"{tree}/sub/c.txt, {tree}/*.txt,{tree}/a.txt"), tree) == ["sub/c.txt", "a.txt", "b.txt"]
    assert names(find_files([tree / "b.txt", f"{tree}/sub"]), tree) == ["b.txt", "sub/c.txt", "sub/deep/e.txt.gz"]


def test_a_comma_in_the_name_of_an_existing_file_is_part_of_it(tree):
    write(tree / "one,two.txt", "x")
    assert names(find_files(f"{tree}/one,two.txt"), tree) == ["one,two.txt"]


@pytest.mark.parametrize("path", ["nowhere.txt", "*.md", "empty", "a.txt,nowhere.txt"])
def test_a_path_that_matches_nothing_is_refused(tree, monkeypatch, path):
    (tree / "empty").mkdir()
    monkeypatch.chdir(tree)
    with pytest.raises(InputError, match="matches no file; give a file, a folder, or a glob"):
        find_files(path)
    with pytest.raises(InputError, match="the list of input files is empty"):
        find_files([])


@pytest.mark.parametrize(("content", "expected"), [
    (b"a\nb\n", ["a", "b"]), (b"a\nb", ["a", "b"]), (b"a\r\nb\r\n", ["a", "b"]), (b"a\rb\r", ["a", "b"]),
    (b"a\r\rb", ["a", "", "b"]), (b"a\n\r\nb\r", ["a", "", "b"]), (b"", []), (b"\n", [""]), (b"\r\n\n", ["", ""]),
    ("a\x0bb\x0cc\x1cd\x85e\u2028f\n".encode(), ["a\x0bb\x0cc\x1cd\x85e\u2028f"]),
    (b"\xef\xbb\xbfa\n", ["a"]), ("é\r\n語".encode("utf-16"), ["é", "語"]),
    (b"\xfe\xff" + "é\n\U0001f600".encode("utf-16-be"), ["é", "\U0001f600"])])
@pytest.mark.parametrize("block_bytes", [3, 4, 5, 1 << 20])  # a mark comes in one block
def test_line_ends_and_byte_order_marks(tmp_path, monkeypatch, content, expected, block_bytes):
    path = write(tmp_path / "a.txt", content)
    monkeypatch.setattr(text_files, "_BLOCK_BYTES", block_bytes)
    assert lines_of(path) == expected
    assert [line.number for line in LineReader(path)] == list(range(1, len(expected) + 1))


@pytest.mark.parametrize(("suffix", "pack"), [(".gz", gzip.compress), (".xz", lzma.compress), (".GZ", gzip.compress)])
def test_packed_files_are_unpacked_by_name_also_in_several_members(tmp_path, suffix, pack):
    path = write(tmp_path / f"a.txt{suffix}", pack(b"one\ntw") + pack(b"o\n"))
    reader = LineReader(path)
    assert [line.text for line in reader] == ["one", "two"]
    assert reader.bytes_read == path.stat().st_size


@pytest.mark.parametrize(("name", "content", "message"), [
    ("a.txt.gz", b"plain text", "a.txt.gz is named .gz but is not packed that way"),
    ("a.txt.xz", gzip.compress(b"x", mtime=0), "a.txt.xz is named .xz but is not packed that way"),
    ("a.txt.gz", b"", "is named .gz but is not"),
    ("a.txt", gzip.compress(b"x", mtime=0), "a.txt is packed, but its name does not say so; let it end in .gz"),
    ("a.txt", lzma.compress(b"x"), "let it end in .xz"),
    ("a.txt", b"PK\x03\x04rest", "a.txt is a zip file"),
    ("a.txt", bz2.compress(b"x"), "a.txt is a bzip2 file"),
    ("a.txt.gz", gzip.compress(b"text " * 9999, mtime=0)[:-20], "a.txt.gz is damaged or cut short"),
    ("a.txt.xz", lzma.compress(b"text " * 9999)[:-30], "a.txt.xz is damaged or cut short"),
    ("a.txt.gz", gzip.compress(b"text", mtime=0)[:-8] + b"\x00" * 8, "a.txt.gz is damaged or cut short"),
    ("a.txt", b"a\x00b\x00", "looks like a binary file, or UTF-16 without a byte-order mark"),
    ("sub", None, "sub cannot be read: Is a directory")])
def test_a_file_that_is_not_what_its_name_says_is_refused(tmp_path, name, content, message):
    if content is None:
        (tmp_path / name).mkdir()
    else:
        write(tmp_path / name, content)
    with pytest.raises(InputError, match=message):
        lines_of(tmp_path / name)


def test_text_that_begins_like_a_packed_file_is_text(tmp_path):
    assert lines_of(write(tmp_path / "a.txt", "BZh is no word")) == ["BZh is no word"]


def test_undecodable_bytes_are_left_out_and_counted(tmp_path):
    path = write(tmp_path / "a.txt", b"caf\xe9 x\nfine\n\xed\xa0\x80\xff\n\xef\xbf\xbd\nend\xc3")
    reader = LineReader(path)
    assert [line.text for line in reader] == ["caf x", "fine", "", "\ufffd", "end"]
    assert reader.undecodable_bytes == 1 + 4 + 1


def test_half_characters_of_utf16_are_counted(tmp_path):
    path = write(tmp_path / "a.txt", b"\xff\xfe" + "a\ud800b\n".encode("utf-16-le", "surrogatepass") + b"\x41")
    reader = LineReader(path)
    assert [line.text for line in reader] == ["ab", ""]
    assert reader.undecodable_bytes == 4


def test_strict_stops_at_the_first_undecodable_byte_with_its_line(tmp_path):
    path = write(tmp_path / "a.txt", b"one\r\ntwo\nthr\xffee\n\xfe")
    with pytest.raises(InputError, match="a.txt, line 3: byte 0xff is not UTF-8"):
        lines_of(path, errors="strict")


def test_a_very_long_line_comes_in_pieces_cut_at_spaces_with_one_number(tmp_path, monkeypatch):
    monkeypatch.setattr(text_files, "_BLOCK_BYTES", 16)
    text = "first\n" + "word " * 40 + "\n" + "é" * 99 + "\nlast"
    lines = list(LineReader(write(tmp_path / "a.txt", text), longest_line_bytes=50))
    assert "".join(line.text for line in lines if line.number == 2) == "word " * 40
    assert "".join(line.text for line in lines if line.number == 3) == "é" * 99
    assert (lines[0], lines[-1]) == ((1, "first"), (4, "last"))
    assert all(len(line.text.encode()) <= 50 + 16 for line in lines)
    assert all(line.text.endswith("word ") for line in lines if line.number == 2)
    assert len(lines) > 8


def test_lines_stay_whole_where_that_is_asked_for(tmp_path):
    path = write(tmp_path / "a.txt", b"x" * 3_000_000 + b"\nend")
    assert [len(line) for line in lines_of(path, longest_line_bytes=None)] == [3_000_000, 3]
    numbers = [line.number for line in LineReader(path)]
    assert numbers[-1] == 2 and numbers.count(1) > 1
