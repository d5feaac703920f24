"""The tokenizer in bulk: strings -> WordPiece ids in plain Python, made fast by treating each distinct word once."""

import dataclasses
import itertools
import re

from electra_tf.text import basic_tokenizer, characters
from electra_tf.text.vocabulary import CONTINUATION, UNK

_CACHED_WORDS = 500_000  # distinct words kept, some 150 MB; then the cache starts again
_CACHED_CHARACTERS = 100  # a longer word is treated each time: it will hardly come back

# What str.split() takes for white space although the definition deletes it.
_SPLIT_ONLY_BY_PYTHON = "\x0b\x0c\x1c-\x1f\x85"


@dataclasses.dataclass(frozen=True)
class Tokens:
    """The pieces of one string: three lists of equal length, without [CLS] and [SEP].

    `offsets` are (start, end) in characters of the user's own string: text[start:end] is what the piece was made from.
    """

    token_ids: list
    pieces: list
    offsets: list


class Tokenizer:
    """BERT's tokenizer as the original ELECTRA runs it, frozen to Unicode 14; `TextPreprocessor` is its graph twin.

    Args:
        vocabulary: Vocabulary, whose settings hold the switches.

    >>> Tokenizer(vocabulary)("Unwanted!").pieces   # ['un', '##want', '##ed', '!']
    """

    def __init__(self, vocabulary):
        self.vocabulary = vocabulary
        self._raw_words = basic_tokenizer.raw_word_pattern(vocabulary.settings)
        self._needs_pattern = _pattern_of_unusual_text(vocabulary.settings)
        self._ids_of_raw_word = _CachedIds(WordPiece(vocabulary))

    def __call__(self, text):
        """Tokenizes one string with places; `ids` is much faster where they are not needed.

        Args:
            text: str, or bytes in UTF-8, of which what cannot be decoded is ignored (offsets then count characters of
                the decoded string).

        Returns:
            Tokens.

        >>> Tokenizer(vocabulary)("Unwanted!").offsets   # [(0, 2), (2, 6), (6, 8), (8, 9)]
        """
        word_piece = self._ids_of_raw_word.word_piece
        token_ids, offsets = [], []
        for match in self._raw_words.finditer(_decoded(text)):
            for token_id, start, end in word_piece.pieces_of_raw_word(match.group()):
                token_ids.append(token_id)
                offsets.append((match.start() + start, match.start() + end))
        return Tokens(token_ids, [self.vocabulary.pieces[token_id] for token_id in token_ids], offsets)

    def ids(self, text):
        """The ids alone, at some tens of MB/s.

        Args:
            text: str, or bytes in UTF-8, of which what cannot be decoded is ignored.

        Returns:
            List of int.

        >>> Tokenizer(vocabulary).ids("Unwanted!")   # [417, 1822, 290, 5]
        """
        text = _decoded(text)
        raw_words = self._raw_words.findall(text) if self._needs_pattern.search(text) else text.split()
        return list(itertools.chain.from_iterable(map(self._ids_of_raw_word.__getitem__, raw_words)))


class WordPiece:
    """Greedy longest match first, from the left, within each word that the basic tokenizer finds."""

    def __init__(self, vocabulary):
        self.settings = vocabulary.settings
        self._unk_id = vocabulary.id_of(UNK)
        self._starting, self._continuing = {}, {}
        for token_id, piece in enumerate(vocabulary.pieces):
            if piece.startswith(CONTINUATION):
                self._continuing[piece.removeprefix(CONTINUATION)] = token_id
            self._starting[piece] = token_id
        self._longest = max(map(len, self._starting))

    def pieces_of_raw_word(self, raw_word):
        """The pieces of one match of `raw_word_pattern`: list of (id, start, end), places within the raw word."""
        found = []
        for word in basic_tokenizer.basic_words(raw_word, self.settings):
            spans = self._match(word.text)
            if spans is None:
                spans = [(self._unk_id, 0, len(word.text))]
            found.extend((token_id, word.starts[first], word.ends[last - 1]) for token_id, first, last in spans)
        return found

    def _match(self, word):
        """List of (id, first, last) that covers the word; None where a stretch has no piece or the word is too long."""
        if len(word) > self.settings.max_characters_per_word:
            return None
        spans, first, pieces = [], 0, self._starting
        while first < len(word):
            for last in range(min(len(word), first + self._longest), first, -1):
                token_id = pieces.get(word[first:last])
                if token_id is not None:
                    break
            else:
                return None
            spans.append((token_id, first, last))
            first, pieces = last, self._continuing
        return spans


class _CachedIds(dict):
    """Raw word -> tuple of ids; a word that is not there yet is worked out and, if short, kept."""

    def __init__(self, word_piece):
        super().__init__()
        self.word_piece = word_piece

    def __missing__(self, raw_word):
        ids = tuple(token_id for token_id, _, _ in self.word_piece.pieces_of_raw_word(raw_word))
        if len(raw_word) <= _CACHED_CHARACTERS:
            if len(self) >= _CACHED_WORDS:
                self.clear()
            self[raw_word] = ids
        return ids


def _pattern_of_unusual_text(settings):
    """Finds characters for which str.split() does not give the raw words; most lines of most languages have none."""
    cjk = characters.python_class(characters.CJK) if settings.split_cjk else ""
    return re.compile(f"[{_SPLIT_ONLY_BY_PYTHON}{cjk}]")


def _decoded(text):
    return text.decode("utf-8", errors="ignore") if isinstance(text, bytes) else text
