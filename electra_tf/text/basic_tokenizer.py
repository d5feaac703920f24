"""BERT's basic tokenizer, as the original ELECTRA runs it: a string -> cleaned words, with their place in the string.

The whole definition is local to one raw word (a run without white space, or one ideograph), so a caller that meets the
same raw word again may reuse the answer. `raw_word_pattern` finds the raw words, `normalize` cleans one of them, and
`split_at_punctuation` cuts the cleaned text into the words that WordPiece is applied to.
"""

import collections.abc
import re
import typing
import unicodedata

from electra_tf.text import characters

_DELETED = re.compile(f"[{characters.python_class(characters.DELETED)}]")
# `re` looks up characters below U+10000 in a bitmap but walks through the ranges above: this asks the bitmap first.
_PERHAPS_DELETED = re.compile("[{}]".format(characters.python_class(
    tuple(entry for entry in characters.DELETED if entry[1] < 0x10000) + ((0x10000, 0x10FFFF),))))
_NONSPACING_MARKS = characters.characters_of(characters.NONSPACING_MARKS)
_WORD_OR_PUNCTUATION = re.compile("[^{0}]+|[{0}]".format(characters.python_class(characters.PUNCTUATION)))


class NormalizedText(typing.NamedTuple):
    """A cleaned raw word; character i of `text` came from `starts[i]:ends[i]` of the raw word."""

    text: str
    starts: collections.abc.Sequence
    ends: collections.abc.Sequence


def raw_word_pattern(settings):
    """A compiled pattern whose matches are the raw words of a string, in order.

    >>> raw_word_pattern(TextSettings()).findall("two 語s")   # ['two', '語', 's']
    """
    white_space = characters.python_class(characters.WHITE_SPACE)
    if not settings.split_cjk:
        return re.compile(f"[^{white_space}]+")
    cjk = characters.python_class(characters.CJK)
    return re.compile(f"[^{white_space}{cjk}]+|[{cjk}]")


def normalize(raw_word, settings):
    """Cleans one raw word: deletes controls, lower-cases, strips accents, in that order.

    Args:
        raw_word: str, one match of `raw_word_pattern(settings)`.
        settings: TextSettings.

    Returns:
        NormalizedText; its text is empty if every character was deleted.

    >>> normalize("Café!", TextSettings()).text   # 'cafe!'
    """
    starts, ends = range(len(raw_word)), range(1, len(raw_word) + 1)
    if raw_word.isascii() and raw_word.isprintable():  # most words, for which the steps below would do just this
        return NormalizedText(raw_word.lower() if settings.lowercase else raw_word, starts, ends)
    normalized = _without_deleted(NormalizedText(raw_word, starts, ends))
    if settings.lowercase:
        normalized = _lowered(normalized)
    if settings.strip_accents:
        normalized = _without_accents(normalized)
    return normalized


def split_at_punctuation(text):
    """The words of a cleaned raw word: each punctuation character alone, and the runs between; joined they give `text`.

    >>> split_at_punctuation("don't")   # ['don', "'", 't']
    """
    return _WORD_OR_PUNCTUATION.findall(text)


def word_places(text, settings):
    """Where the words of a string stand.

    Args:
        text: str.
        settings: TextSettings.

    Returns:
        List of (start, end) in characters of `text`: what WordPiece is applied to, one by one.

    >>> word_places("Don't go", TextSettings())   # [(0, 3), (3, 4), (4, 5), (6, 8)]
    """
    places = []
    for match in raw_word_pattern(settings).finditer(text):
        cleaned, starts, ends = normalize(match.group(), settings)
        first = 0
        for word in split_at_punctuation(cleaned):
            last = first + len(word)
            places.append((match.start() + starts[first], match.start() + ends[last - 1]))
            first = last
    return places


def _without_deleted(normalized):
    text, starts, ends = normalized
    if not _PERHAPS_DELETED.search(text):
        return normalized
    kept = [index for index, character in enumerate(text) if not _DELETED.match(character)]
    return NormalizedText("".join(text[index] for index in kept), [starts[index] for index in kept],
                          [ends[index] for index in kept])


def _lowered(normalized):
    """The whole word at once, because Python gives a sigma that ends a word its own lower-case form."""
    text, starts, ends = normalized
    lowered = text.lower()
    if len(lowered) == len(text):
        return NormalizedText(lowered, starts, ends)
    widths = [len(character.lower()) for character in text]  # U+0130 (I with a dot) becomes two characters
    repeated = [index for index, width in enumerate(widths) for _ in range(width)]
    return NormalizedText(lowered, [starts[index] for index in repeated], [ends[index] for index in repeated])


def _without_accents(normalized):
    """NFD without nonspacing marks; the character before a dropped mark grows over it."""
    text, starts, ends = normalized
    if unicodedata.is_normalized("NFD", text) and _NONSPACING_MARKS.isdisjoint(text):
        return normalized
    kept, kept_starts, kept_ends = [], [], []
    for character, index in _decomposed(text):
        if character not in _NONSPACING_MARKS:
            kept.append(character)
            kept_starts.append(starts[index])
            kept_ends.append(ends[index])
        elif kept:
            kept_ends[-1] = max(kept_ends[-1], ends[index])
    return NormalizedText("".join(kept), kept_starts, kept_ends)


def _decomposed(text):
    """NFD as a list of (character, index in `text`): each character's own, then marks put in canonical order."""
    decomposed = [(part, index) for index, character in enumerate(text)
                  for part in unicodedata.normalize("NFD", character)]
    run_start = 0
    for position in range(len(decomposed) + 1):
        if position == len(decomposed) or unicodedata.combining(decomposed[position][0]) == 0:
            if position - run_start > 1:
                decomposed[run_start:position] = sorted(decomposed[run_start:position], key=_combining_class)
            run_start = position + 1
    return decomposed


def _combining_class(character_and_index):
    return unicodedata.combining(character_and_index[0])
