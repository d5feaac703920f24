"""Tagged sentences as users have them: columns (CoNLL), CoNLL-U, and JSON lines with spans of characters."""

import collections
import dataclasses
import hashlib
import itertools
import json
import pathlib
import re

from electra_tf.errors import InputError
from electra_tf.tasks.statistics.folds import fold_of_rows
from electra_tf.tasks.tagging.tag_schemes import (
    PLAIN,
    PREFIXES_ALONE,
    Span,
    from_bmes,
    is_of_scheme,
    misplaced_tags,
    odd_tag,
    scheme_of,
    tags_of,
)
from electra_tf.tasks.tagging.tagged_text import WordsOfText, sentence_of_words
from electra_tf.text.basic_tokenizer import word_places
from electra_tf.text.text_files import Line, LineReader, whole_characters
from electra_tf.text.vocabulary import TextSettings

_PACKED = (".gz", ".xz")
_DOCUMENT_START = "-DOCSTART-"
_WHITE_SPACE = re.compile(r"[ \t]+")
_LAST_LINE = Line(None, "")  # ends the last sentence as an empty line does
# The fields of a CoNLL-U line: number, form and universal part of speech are the first, second and fourth of ten.
_CONLLU_WIDTH, _CONLLU_FORM, _CONLLU_UPOS, _CONLLU_XPOS, _CONLLU_MISC = 10, 1, 3, 4, 9
_CONLLU_NO_WORD = re.compile(r"\d+-\d+|\d+\.\d+")
_CONLLU_TEXT = re.compile(r"#\s*text\s*=\s?(.*)")
_NOT_GIVEN = "_"
# In which scheme the tags of spans are written; any can be read back.
_SCHEME_OF_SPANS = "IOB2"

_TaggedLine = collections.namedtuple("_TaggedLine", "word tag number")


@dataclasses.dataclass(frozen=True)
class TaggedSentences:
    """The sentences of a tagged file.

    Attributes:
        source: the file.
        words, tags: lists of lists of str, one list for each sentence.
        lines: lists of lists of int: where each word stands in the file.
        scheme: "IOB1", "IOB2", "BIOES" or "plain": how `tags` are written.
        texts: list of WordsOfText, the user's own of JSON lines and, as far as it can be had, of CoNLL-U; else the
            words with a space between two, but not between two characters of Chinese or Japanese.
        told: sentences about what is odd in the file, with counts and the first line of each.
    """

    source: str
    words: list
    tags: list
    lines: list
    scheme: str
    texts: list
    told: tuple = ()

    def __len__(self):
        return len(self.words)

    def at(self, places):
        """The sentences at some places."""
        names = ("words", "tags", "lines", "texts")
        chosen = {name: [getattr(self, name)[place] for place in places] for name in names}
        return dataclasses.replace(self, **chosen)

    def folds(self, count, *, seed):
        """The fold of each sentence, int array [sentences]; see `fold_of_rows`."""
        return fold_of_rows(self.words, folds=count, seed=seed, is_stratified=False)

    def hash(self):
        """What tells one tagged set from another, wherever it lies."""
        return hashlib.sha256(json.dumps([self.words, self.tags]).encode("ascii")).hexdigest()


def read_tagged_sentences(source, *, token_column=None, tag_column=None, scheme=None, drop_last_character=False):
    """Reads a tagged file; its format follows from its name, which may end in .gz or .xz.

    - .jsonl: {"text": "in Paris", "spans": [[3, 8, "LOC"]]}, ends exclusive. The text is split into words as the
      tokenizer does it; a span that ends inside a word is widened to the whole word, and counted.
    - .conllu: form and universal part of speech, or the columns asked for. Multi-word tokens (1-2) and empty nodes
      (8.1) are no words; the words that a multi-word token stands for are. The text is the comment "# text = ..." where
      the words stand in it one after the other.
    - any other: a word in each line with its columns between tabs, or between spaces; an empty line ends a sentence, a
      line of -DOCSTART- too.

    Args:
        source: path.
        token_column, tag_column: numbers from 0, or from -1 backwards; None takes the first and the last column.
        scheme: "IOB1", "IOB2", "BIOES" or "plain": how the tags are meant; None takes what they break least. Tags of
            BMES become BIOES. Not for .jsonl.
        drop_last_character: whether each token ends with a character that is not its own, as in Weibo NER.

    Returns:
        TaggedSentences.

    Raises:
        InputError: names the file and line of what cannot be read.

    >>> read_tagged_sentences("eng.train.gz").tags[0]   # ['I-ORG', 'O', 'I-MISC', ...]
    """
    path = pathlib.Path(source)
    suffix = pathlib.Path(path.stem if path.suffix.lower() in _PACKED else path.name).suffix.lower()
    lines = LineReader(path, errors="strict", longest_line_bytes=None)
    told, texts, known = [], None, None
    if suffix == ".jsonl":
        _refuse_columns(path, token_column, tag_column, drop_last_character, scheme)
        texts, scheme = [], _SCHEME_OF_SPANS
        sentences = list(_span_sentences(lines, told, texts))
    elif suffix == ".conllu":
        columns = (_CONLLU_FORM if token_column is None else token_column,
                   _CONLLU_UPOS if tag_column is None else tag_column)
        known = []
        sentences = list(_conllu_sentences(lines, columns, known))
    else:
        columns = (0 if token_column is None else token_column, -1 if tag_column is None else tag_column)
        sentences = list(_column_sentences(lines, columns))
    if not sentences:
        raise InputError(f"{path} holds no sentences; give a file with a word and its tag in each line, or JSON lines.")
    if drop_last_character:
        sentences = [[_without_last_character(line, path) for line in sentence] for sentence in sentences]
    words, tags, numbers = ([[line[place] for line in sentence] for sentence in sentences] for place in range(3))
    if texts is None:
        texts = [sentence_of_words(sentence, **of_text) for sentence, of_text in
                 zip(words, known or [{}] * len(words), strict=True)]
    if scheme in (None, "BIOES"):
        tags = from_bmes(tags)
    scheme = _scheme_of(tags, numbers, path) if scheme is None else scheme
    if scheme != PLAIN:
        _refuse_foreign_tags(tags, numbers, scheme, path)
        _tell_of_misplaced_tags(tags, numbers, scheme, path, told)
    return TaggedSentences(str(source), words, tags, numbers, scheme, texts, tuple(told))


def _column_sentences(lines, columns):
    """Yields lists of _TaggedLine."""
    width, separator, sentence = None, None, []
    for line in itertools.chain(lines, [_LAST_LINE]):
        if not line.text.strip():
            if sentence:
                yield sentence
            sentence = []
            continue
        if separator is None:
            separator = re.compile("\t") if "\t" in line.text else _WHITE_SPACE
        text = line.text if separator.pattern == "\t" else line.text.strip(" \t")
        # Spaces beside a tab belong to it, but a space may be a word.
        fields = [field.strip(" ") or field for field in separator.split(text)]
        if fields[0] == _DOCUMENT_START:
            if sentence:
                yield sentence
            sentence = []
            continue
        where = f"{lines.path}, line {line.number}"
        if width is None:
            width = len(fields)
            places = _places(columns, width, where)
        if len(fields) != width:
            raise InputError(f"{where}: {len(fields)} columns, but the first line has {width}; correct the line, or "
                             f"part the columns by tabs where a word holds a space.")
        sentence.append(_tagged_line(fields, places, line.number, where))


def _conllu_sentences(lines, columns, known):
    """Yields lists of _TaggedLine; adds for each to `known` what `sentence_of_words` takes."""
    places, sentence, text, spaced = _places(columns, _CONLLU_WIDTH, str(lines.path)), [], None, []
    for line in itertools.chain(lines, [_LAST_LINE]):
        where = f"{lines.path}, line {line.number}"
        if not line.text.strip():
            if sentence:
                known.append({"text": text, "spaced": spaced})
                yield sentence
            sentence, text, spaced = [], None, []
            continue
        if line.text.startswith("#"):
            comment = _CONLLU_TEXT.fullmatch(line.text)
            text = comment.group(1) if comment else text
            continue
        fields = line.text.split("\t")
        if len(fields) != _CONLLU_WIDTH:
            raise InputError(f"{where}: {len(fields)} columns; CoNLL-U has {_CONLLU_WIDTH}, with tabs between them.")
        if _CONLLU_NO_WORD.fullmatch(fields[0]):
            continue
        if fields[0] != str(len(sentence) + 1):
            raise InputError(f"{where}: word number {fields[0]!r}, expected {len(sentence) + 1}; a line may be "
                             f"missing, or the empty line between two sentences.")
        sentence.append(_tagged_line(fields, places, line.number, where))
        spaced.append("SpaceAfter=No" not in fields[_CONLLU_MISC].split("|"))
        if places[1] == _CONLLU_UPOS and sentence[-1].tag == _NOT_GIVEN:
            _refuse_without_part_of_speech(fields, where)


def _refuse_without_part_of_speech(fields, where):
    other = (f"column {_CONLLU_XPOS}, the language's own, has one: give --tag_column={_CONLLU_XPOS}, or correct the "
             f"line." if fields[_CONLLU_XPOS] != _NOT_GIVEN else "correct it, or leave the sentence out.")
    raise InputError(f"{where}: the universal part of speech of {fields[_CONLLU_FORM]!r} is {_NOT_GIVEN}, which says "
                     f"that nobody has given it; {other}")


def _places(columns, width, where):
    """Token and tag column as places in a line of `width` fields."""
    for column in columns:
        if not -width <= column < width:
            raise InputError(f"{where}: column {column} does not exist; the line has {width}, numbered from 0, or from "
                             f"-1 for the last.")
    places = [column % width for column in columns]
    if places[0] == places[1]:
        raise InputError(f"{where}: column {columns[0]} cannot hold both the token and the tag; the line has {width} "
                         f"columns.")
    return places


def _tagged_line(fields, places, number, where):
    word, tag = (fields[place] for place in places)
    tag = tag.strip()
    if not word or not tag:
        raise InputError(f"{where}: the {'tag' if word else 'token'} is empty; every word needs a tag.")
    return _TaggedLine(word, tag, number)


def _span_sentences(lines, told, texts):
    """Yields a list of _TaggedLine for each JSON line, whose WordsOfText it adds to `texts`."""
    settings, inexact = TextSettings(), []
    for line in lines:
        if not line.text.strip():
            continue
        text, given = _record_of(line.text, f"{lines.path}, line {line.number}")
        places = word_places(text, settings)
        texts.append(WordsOfText(text, places))
        spans, is_exact = _spans_of_words(given, places, f"{lines.path}, line {line.number}")
        inexact += [line.number] * is_exact.count(False)
        tags = tags_of(spans, len(places), _SCHEME_OF_SPANS)
        yield [_TaggedLine(text[start:end], tag, line.number) for (start, end), tag in zip(places, tags, strict=True)]
    if inexact:
        told.append(f"{lines.path}: {len(inexact)} spans begin or end inside a word; they take the whole word unless "
                    f"the span before has it. The first is in line {inexact[0]}.")


def _spans_of_words(given, places, where):
    """(spans of words, whether each of the given spans ends where words do) from spans of characters."""
    spans, is_exact, end_before = [], [], 0
    for span in sorted(given, key=lambda span: span.start):
        inside = [word for word, (start, end) in enumerate(places) if start < span.end and end > span.start]
        if not inside:
            raise InputError(f"{where}: span {list(span[1:])} of type {span.type!r} holds no word.")
        if span.start < end_before:
            raise InputError(f"{where}: span {list(span[1:])} overlaps the one before; a word can have one tag only.")
        end_before = span.end
        is_exact.append(span.start <= places[inside[0]][0] and places[inside[-1]][1] <= span.end)
        first = max(inside[0], spans[-1].end if spans else 0)
        if first <= inside[-1]:
            spans.append(Span(span.type, first, inside[-1] + 1))
    return spans, is_exact


def _record_of(line, where):
    """(text, list of Span in characters) of a JSON line."""
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        raise InputError(f"{where}, column {error.colno}: not JSON ({error.msg}).") from None
    if not isinstance(record, dict) or not isinstance(record.get("text"), str):
        raise InputError(f'{where}: expected an object such as {{"text": "in Paris", "spans": [[3, 8, "LOC"]]}}.')
    text, spans = whole_characters(record["text"]), record.get("spans")
    if not isinstance(spans, list):
        raise InputError(f'{where}: "spans" is {json.dumps(spans)[:60]}; expected a list, empty where there are none.')
    found = []
    for span in spans:
        is_triple = (isinstance(span, list) and len(span) == 3 and all(type(place) is int for place in span[:2])
                     and isinstance(span[2], str) and span[2].strip())
        if not is_triple:
            raise InputError(f"{where}: span {json.dumps(span)[:60]}; expected [start, end, type], places in "
                             f"characters.")
        start, end, span_type = span
        if not 0 <= start < end <= len(text):
            raise InputError(f"{where}: span [{start}, {end}] does not lie in its text of {len(text)} characters.")
        found.append(Span(whole_characters(span_type), start, end))
    return text, found


def _refuse_columns(path, token_column, tag_column, drop_last_character, scheme):
    if token_column is not None or tag_column is not None or drop_last_character:
        raise InputError(f"{path}: JSON lines have no columns; leave out the token column, the tag column and "
                         f"drop_last_character.")
    if scheme is not None:
        raise InputError(f"{path}: JSON lines hold spans, not tags of a scheme; leave out scheme={scheme}.")


def _without_last_character(line, path):
    if len(line.word) < 2:
        raise InputError(f"{path}, line {line.number}: token {line.word!r} has no last character to drop; leave out "
                         f"drop_last_character.")
    return line._replace(word=line.word[:-1])


def _scheme_of(tags, numbers, path):
    try:
        scheme = scheme_of(tags)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    odd = odd_tag(tags)
    if odd is not None:
        sentence, word = odd
        raise _foreign_tag_error(tags[sentence][word], f"{path}, line {numbers[sentence][word]}",
                                 "neither O nor a prefix (B, I, E, S), a dash and a type, as most others are; correct "
                                 "it")
    return scheme


def _refuse_foreign_tags(tags, numbers, scheme, path):
    for sentence, own in zip(tags, numbers, strict=True):
        for tag, number in zip(sentence, own, strict=True):
            if not is_of_scheme(tag, scheme):
                raise _foreign_tag_error(tag, f"{path}, line {number}",
                                         f"not of the scheme {scheme}; name the scheme of the file")


def _foreign_tag_error(tag, where, trouble):
    if tag in PREFIXES_ALONE:
        trouble = "a prefix without a type; write one behind it, as in B-NAME and I-NAME"
    return InputError(f"{where}: tag {tag!r} is {trouble}, or give --scheme={PLAIN} for tags that stand for "
                      f"themselves.")


def _tell_of_misplaced_tags(tags, numbers, scheme, path, told):
    misplaced = [own[min(place, len(own) - 1)] for sentence, own in zip(tags, numbers, strict=True)
                 for place in misplaced_tags(sentence, scheme)]
    if misplaced:
        told.append(f"{path}: {len(misplaced)} tags break the scheme {scheme} and are read as conlleval reads them; "
                    f"the first is in line {misplaced[0]}.")
