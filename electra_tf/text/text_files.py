"""Files of text as users have them: found by path, folder or glob, unpacked by name, decoded, split into lines.

Memory stays at a few MB whatever the size of a file or of a line.
"""

import codecs
import glob
import gzip
import lzma
import os
import pathlib
import re
import typing
import zlib

from electra_tf.errors import InputError

_BLOCK_BYTES = 1 << 20
LONGEST_LINE_BYTES = 1 << 20  # a longer line is handed on in pieces, cut at a space if there is one

_OPENERS = {".gz": gzip.open, ".xz": lzma.open}
_MAGIC = {".gz": b"\x1f\x8b", ".xz": b"\xfd7zXZ\x00"}
_FOREIGN_MAGIC = {"zip": rb"PK\x03\x04", "bzip2": rb"BZh[1-9]1AY&", "zstandard": rb"\x28\xb5\x2f\xfd",
                  "7z": rb"7z\xbc\xaf\x27\x1c", "PDF": rb"%PDF-"}
_UTF16_OF_MARK = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_HALF_CHARACTER = re.compile("[\ud800-\udfff]")


class Line(typing.NamedTuple):
    """One line without its end; a very long line comes as several with the same number."""

    number: int
    text: str


def whole_characters(text):
    """The text with U+FFFD for each half of a surrogate pair, which JSON can name and no file in UTF-8 can hold.

    >>> whole_characters("nice \\ud83d!")   # 'nice \\ufffd!'
    """
    return _HALF_CHARACTER.sub("\ufffd", text)


def find_files(paths):
    """The files that a user means, in a fixed order.

    Args:
        paths: a path or a sequence of paths; each a file, a folder (every file below it whose name does not begin with
            a dot, sorted), a glob (sorted, `**` goes into folders), or several of these separated by commas.

    Returns:
        Tuple of pathlib.Path in the order given, each file once.

    Raises:
        InputError: a path that matches no file.

    >>> find_files("corpus/*.txt.gz,more")   # (PosixPath('corpus/a.txt.gz'), PosixPath('more/b.txt'))
    """
    found = {}
    for entry in [paths] if isinstance(paths, (str, os.PathLike)) else paths:
        entry = os.fspath(entry)
        for path in [entry] if os.path.exists(entry) else filter(None, map(str.strip, entry.split(","))):
            matches = [path] if os.path.exists(path) else sorted(glob.glob(path, recursive=True))
            files = [file for match in matches for file in _files_below(match)]
            if not files:
                raise InputError(f"{path} matches no file; give a file, a folder, or a glob in quotes.")
            found.update((os.path.realpath(file), pathlib.Path(file)) for file in files
                         if os.path.realpath(file) not in found)
    if not found:
        raise InputError("the list of input files is empty; give a file, a folder, or a glob in quotes.")
    return tuple(found.values())


def _files_below(path):
    if not os.path.isdir(path):
        return [path]
    files = []
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        files.extend(os.path.join(folder, name) for name in names if not name.startswith("."))
    return sorted(files)


class LineReader:
    """The lines of one file, which may be packed (.gz, .xz) and in UTF-8 or, with a byte-order mark, UTF-16.

    LF, CRLF and a lone CR end a line; no other character does (not U+0085, U+2028, or a form feed). Bytes that are not
    UTF-8 are left out and counted.

    Args:
        path: the file.
        errors: "report" counts undecodable bytes; "strict" raises at the first.
        longest_line_bytes: a longer line comes in pieces; None for lines that must stay whole.

    >>> [line.text for line in LineReader("notes.txt.gz")]   # ['first line', 'second line']
    """

    def __init__(self, path, *, errors="report", longest_line_bytes=LONGEST_LINE_BYTES):
        self.path = pathlib.Path(path)
        self._strict = errors == "strict"
        self._longest_line_bytes = longest_line_bytes
        self.undecodable_bytes = 0  # so far
        self.bytes_read = 0  # so far, of the file as it lies on the disk

    def __iter__(self):
        """Yields Line.

        Raises:
            InputError: the file cannot be read, is not what its name says, is damaged, or (strict) is not UTF-8.
        """
        number = 1
        for data, is_line_end in self._whole_lines():
            for text in self._decoded_lines(data, number):
                yield Line(number, text)
                number += 1
            if not is_line_end:  # a piece of a line: what follows still belongs to its number
                number -= 1

    def _blocks(self):
        """The unpacked bytes of the file."""
        suffix = self.path.suffix.lower()
        try:
            with open(self.path, "rb") as raw:
                _check_magic(self.path, raw.read(8))
                raw.seek(0)
                with _OPENERS[suffix](raw) if suffix in _OPENERS else raw as unpacked:
                    while block := unpacked.read(_BLOCK_BYTES):
                        self.bytes_read = raw.tell()
                        yield block
        except (EOFError, gzip.BadGzipFile, lzma.LZMAError, zlib.error) as error:
            raise InputError(f"{self.path} is damaged or cut short ({error}); fetch or make it again.") from None
        except OSError as error:
            raise InputError(f"{self.path} cannot be read: {error.strerror or error}; check the path and its "
                             f"permissions.") from None

    def _utf8_blocks(self):
        """The blocks without a byte-order mark, and from UTF-16 turned into UTF-8."""
        blocks = self._blocks()
        first = next(blocks, b"")
        encoding = _UTF16_OF_MARK.get(first[:2])
        if encoding is None:
            if b"\x00" in first[:4096]:
                raise InputError(f"{self.path} holds zero bytes and looks like a binary file, or UTF-16 without a "
                                 f"byte-order mark; give text in UTF-8.")
            yield first.removeprefix(codecs.BOM_UTF8)
            yield from blocks
            return
        # A surrogate without its partner passes through as bytes that are not UTF-8, and is counted with these.
        decoder = codecs.getincrementaldecoder(encoding)("surrogatepass")
        yield decoder.decode(first[2:]).encode("utf-8", "surrogatepass")
        for block in blocks:
            yield decoder.decode(block).encode("utf-8", "surrogatepass")
        if decoder.getstate()[0]:  # half a character at the end of the file
            yield b"\xff"

    def _whole_lines(self):
        """Yields (bytes, whether they end with a line end), where LF is the only line end left."""
        rest = b""
        for block in self._utf8_blocks():
            data = rest + block
            # A CR at the very end may be half of a CRLF: it waits for the next block.
            end = len(data) - data.endswith(b"\r")
            cut = max(data.rfind(b"\n", 0, end), data.rfind(b"\r", 0, end)) + 1
            if cut:
                yield _with_line_feeds(data[:cut]), True
            rest = data[cut:]
            if self._longest_line_bytes and len(rest) > self._longest_line_bytes:
                cut = _place_to_cut(rest)
                yield rest[:cut], False
                rest = rest[cut:]
        if rest:
            yield _with_line_feeds(rest), True

    def _decoded_lines(self, data, number):
        data = data.removesuffix(b"\n")
        try:
            return data.decode("utf-8").split("\n")
        except UnicodeDecodeError as error:
            if self._strict:
                number += data.count(b"\n", 0, error.start)
                raise InputError(f"{self.path}, line {number}: byte 0x{data[error.start]:02x} is not UTF-8; convert "
                                 f"the file, for example with iconv, or use errors=report.") from None
        text = data.decode("utf-8", errors="ignore")
        self.undecodable_bytes += len(data) - len(text.encode("utf-8"))
        return text.split("\n")


def _check_magic(path, start):
    suffix = path.suffix.lower()
    if suffix in _MAGIC and not start.startswith(_MAGIC[suffix]):
        raise InputError(f"{path} is named {suffix} but is not packed that way; rename it after what it is.")
    for packed_suffix, magic in _MAGIC.items():
        if suffix != packed_suffix and start.startswith(magic):
            raise InputError(f"{path} is packed, but its name does not say so; let it end in {packed_suffix}.")
    for kind, magic in _FOREIGN_MAGIC.items():
        if re.match(magic, start):
            raise InputError(f"{path} is a {kind} file; give plain text, or text packed as .gz or .xz.")


def _with_line_feeds(data):
    return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in data else data


def _place_to_cut(data):
    """After the last space in the second half, else between two characters."""
    cut = data.rfind(b" ", len(data) // 2) + 1
    if cut:
        return cut
    cut = len(data) - 1
    while cut > len(data) - 4 and data[cut] & 0xC0 == 0x80:  # a UTF-8 character has at most three such bytes
        cut -= 1
    return cut
