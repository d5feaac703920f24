"""Corpora: files of the usual formats -> documents, streaming, with nothing left out quietly."""

import dataclasses
import json
import re

from electra_tf.errors import InputError
from electra_tf.text.text_files import LONGEST_LINE_BYTES, Line, LineReader, find_files

FORMATS = ("auto", "text", "document_per_file", "jsonl", "wikiextractor")
ERRORS = ("report", "strict")

# A longer document is handed on in parts, cut at line ends, so that memory does not grow with it.
LONGEST_PART_CHARACTERS = 4_000_000


@dataclasses.dataclass(frozen=True)
class Document:
    """The lines of one document (none blank), and the place of the first: "file:line"."""

    lines: list
    where: str


@dataclasses.dataclass
class CorpusCounts:
    """What has been read so far; complete when the iteration is."""

    documents: int = 0
    lines: int = 0
    characters: int = 0
    undecodable_bytes: int = 0
    bytes_read: int = 0  # of the files as they lie on the disk, for a progress bar


def read_corpus(paths, *, format="auto", field="text", errors="report"):
    """Finds the files of a corpus; iterating over the answer reads them.

    The formats:
      text: a blank line ends a document. The end of a file does, too.
      document_per_file: each file is one document.
      jsonl: each line is a JSON object; `field` holds the text of one document. Rows without text are passed over.
      wikiextractor: `<doc ...>` to `</doc>`. The title line is kept as the first line; a document that is nothing but
        its title (a redirect) is passed over.
      auto: for each file wikiextractor or jsonl if its first line shows it, or jsonl by the name *.jsonl; else text.

    Args:
        paths: files, folders, globs, comma-separated or as a sequence (`find_files`); .gz and .xz are unpacked.
        format: one of the formats above.
        field: name of the JSON field with the text.
        errors: what to do with bytes that are not UTF-8: "report" leaves them out and counts them, "strict" raises.

    Returns:
        Corpus: iterable of Document, as often as wanted; `.counts` tells what was read.

    Raises:
        InputError: no file, or a setting that does not exist.

    >>> sum(len(document.lines) for document in read_corpus("novels/*.txt.xz"))   # 47480
    """
    if format not in FORMATS:
        raise InputError(f"format={format!r} is not known; choose one of {', '.join(FORMATS)}.")
    if errors not in ERRORS:
        raise InputError(f"errors={errors!r} is not known; choose one of {', '.join(ERRORS)}.")
    return Corpus(find_files(paths), format, field, errors)


@dataclasses.dataclass
class Corpus:
    """The documents of some files in order; made by `read_corpus`. Memory stays bounded: documents come one by one."""

    files: tuple
    format: str
    field: str
    errors: str
    counts: CorpusCounts = dataclasses.field(default_factory=CorpusCounts)

    @property
    def size_bytes(self):
        """Size of the files on the disk; `counts.bytes_read` reaches it."""
        return sum(file.stat().st_size for file in self.files)

    def __iter__(self):
        """Yields Document; starts `counts` again.

        Raises:
            InputError: a file is not what it should be (with the line), or the whole corpus holds no text.
        """
        self.counts = CorpusCounts()
        for file in self.files:
            yield from self._documents_of_file(file)
        if not self.counts.documents:
            more = f" and {len(self.files) - 1} more" if len(self.files) > 1 else ""
            raise InputError(f"{self.files[0]}{more}: no text found, the corpus is empty; check the paths and the "
                             f"format.")

    def _documents_of_file(self, file):
        form = _recognised_format(file) if self.format == "auto" else self.format
        reader = LineReader(file, errors=self.errors,
                            longest_line_bytes=None if form == "jsonl" else LONGEST_LINE_BYTES)
        counts = self.counts
        undecodable_before, bytes_before = counts.undecodable_bytes, counts.bytes_read
        for is_first, part in _parts(_STREAMS[form](reader, self.field)):
            counts.documents += is_first
            counts.lines += len(part)
            counts.characters += sum(len(line.text) for line in part)
            counts.undecodable_bytes = undecodable_before + reader.undecodable_bytes
            counts.bytes_read = bytes_before + reader.bytes_read
            yield Document([line.text for line in part], f"{file}:{part[0].number}")
        counts.undecodable_bytes = undecodable_before + reader.undecodable_bytes
        counts.bytes_read = bytes_before + reader.bytes_read


def _recognised_format(file):
    for line in LineReader(file):
        if line.text.strip():
            break
    else:
        return "text"
    if line.text.startswith("<doc "):
        return "wikiextractor"
    name = file.name.removesuffix(".gz").removesuffix(".xz")
    return "jsonl" if name.endswith((".jsonl", ".ndjson")) or _is_json_object(line.text) else "text"


def _is_json_object(text):
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def _parts(stream):
    """Collects the lines of each document: yields (is_first, list of Line); a long document comes in several parts."""
    is_first, part, characters = True, [], 0
    for line in stream:
        if line is END_OF_DOCUMENT:
            if part:
                yield is_first, part
            is_first, part, characters = True, [], 0
            continue
        part.append(line)
        characters += len(line.text)
        if characters >= LONGEST_PART_CHARACTERS:
            yield is_first, part
            is_first, part, characters = False, [], 0


# Each format turns a reader's lines into a stream of the lines that hold text, with END_OF_DOCUMENT between documents.
END_OF_DOCUMENT = None


def _text(reader, field):
    del field
    for line in reader:
        yield line if line.text.strip() else END_OF_DOCUMENT
    yield END_OF_DOCUMENT


def _document_per_file(reader, field):
    del field
    for line in reader:
        if line.text.strip():
            yield line
    yield END_OF_DOCUMENT


def _jsonl(reader, field):
    for number, row in reader:
        if not row.strip():
            continue
        place = f"{reader.path}, line {number}"
        try:
            values = json.loads(row)
        except ValueError as error:
            raise InputError(f"{place}: not JSON ({error}); expected one JSON object on each line.") from None
        if not isinstance(values, dict) or not isinstance(values.get(field), str):
            found = f"the fields {', '.join(values)}" if isinstance(values, dict) else f"a {type(values).__name__}"
            raise InputError(f"{place}: no text in the field {field!r}, but {found}; name the field that holds the "
                             f"text with --field.")
        for text in re.split("\r\n|\r|\n", values[field]):
            if text.strip():
                yield Line(number, text)
        yield END_OF_DOCUMENT


def _wikiextractor(reader, field):
    del field
    opened_at = None  # line of the <doc ...> that is being read
    is_title_next, title = False, None  # the title waits until a line of text follows it
    for line in reader:
        text = line.text.strip()
        if text.startswith("<doc ") and text.endswith(">"):
            if opened_at:
                break
            opened_at, title, is_title_next = line.number, None, True
        elif not opened_at:
            if text:
                raise InputError(f"{reader.path}, line {line.number}: text outside of <doc ...> and </doc>; expected "
                                 f"WikiExtractor's output, choose another format for this file.")
        elif text == "</doc>":
            opened_at = None
            yield END_OF_DOCUMENT
        elif text:
            if is_title_next:
                title, is_title_next = line, False
                continue
            if title:
                yield title
                title = None
            yield line
    if opened_at:
        raise InputError(f"{reader.path}, line {opened_at}: <doc> is never closed by </doc>; the file is cut short or "
                         f"damaged, extract it again.")


_STREAMS = {"text": _text, "document_per_file": _document_per_file, "jsonl": _jsonl, "wikiextractor": _wikiextractor}
