"""BERT's basic tokenizer, as the original ELECTRA runs it: a string -> cleaned words, with their place in the string.

The whole definition is local to one raw word (a run without white space, or one ideograph), so a caller that meets the
same raw word again may reuse the answer: `raw_word_pattern` finds the raw words, `basic_words` treats one of them.
"""

import collections.abc
import dataclasses
import re
import unicodedata

from electra_tf.text import characters

_DELETED = re.compile(f"[{characters.python_class(characters.DELETED)}]")
_PUNCTUATION = characters.characters_of(characters.PUNCTUATION)
_NONSPACING_MARKS = characters.characters_of(characters.NONSPACING_MARKS)
_SPLIT_AT_PUNCTUATION = re.compile("[{0}]|[^{0}]+".format(characters.python_class(characters.PUNCTUATION)))


@dataclasses.dataclass(frozen=True)
class BasicWord:
    """A cleaned word; character i of `text` came from `starts[i]:ends[i]` of the raw word."""

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


def basic_words(raw_word, settings):
    """Cleans one raw word: deletes controls, lower-cases, strips accents, splits at punctuation (in that order).

    Args:
        raw_word: str, one match of `raw_word_pattern(settings)`.
        settings: TextSettings.

    Returns:
        List of BasicWord, none empty; no word at all if every character was deleted.

    >>> [word.text for word in basic_words("Café!", TextSettings())]   # ['cafe', '!']
    """
    text, starts, ends = raw_word, range(len(raw_word)), range(1, len(raw_word) + 1)
    if not text.isascii() or not text.isprintable():
        text, starts, ends = _without_deleted(text, starts, ends)
    if settings.lowercase:
        text, starts, ends = _lowered(text, starts, ends)
    if settings.strip_accents and not text.isascii():
        text, starts, ends = _without_accents(text, starts, ends)
    if text.isalnum() and text.isascii():
        return [BasicWord(text, starts, ends)]
    spans = [match.span() for match in _SPLIT_AT_PUNCTUATION.finditer(text)]
    return [BasicWord(text[first:last], starts[first:last], ends[first:last]) for first, last in spans]


def _without_deleted(text, starts, ends):
    if not _DELETED.search(text):
        return text, starts, ends
    kept = [index for index, character in enumerate(text) if not _DELETED.match(character)]
    return "".join(text[index] for index in kept), [starts[index] for index in kept], [ends[index] for index in kept]


def _lowered(text, starts, ends):
    """The whole word at once, because Python gives a sigma that ends a word its own lower-case form."""
    lowered = text.lower()
    if len(lowered) == len(text):
        return lowered, starts, ends
    widths = [len(character.lower()) for character in text]  # U+0130 (I with a dot) becomes two characters
    repeated = [index for index, width in enumerate(widths) for _ in range(width)]
    return lowered, [starts[index] for index in repeated], [ends[index] for index in repeated]


def _without_accents(text, starts, ends):
    """NFD without nonspacing marks; the character before a dropped mark grows over it."""
    decomposed = [(part, index) for index, character in enumerate(text)
                  for part in unicodedata.normalize("NFD", character)]
    _order_marks(decomposed)
    kept, kept_starts, kept_ends = [], [], []
    for character, index in decomposed:
        if character not in _NONSPACING_MARKS:
            kept.append(character)
            kept_starts.append(starts[index])
            kept_ends.append(ends[index])
        elif kept:
            kept_ends[-1] = max(kept_ends[-1], ends[index])
    return "".join(kept), kept_starts, kept_ends


def _order_marks(decomposed):
    """Unicode's canonical ordering, in place: each run of combining characters is sorted by combining class, stably."""
    run_start = None
    for position in range(len(decomposed) + 1):
        is_mark = position < len(decomposed) and unicodedata.combining(decomposed[position][0]) != 0
        if is_mark and run_start is None:
            run_start = position
        elif not is_mark and run_start is not None:
            decomposed[run_start:position] = sorted(decomposed[run_start:position],
                                                    key=lambda pair: unicodedata.combining(pair[0]))
            run_start = None
