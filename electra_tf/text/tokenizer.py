"""The tokenizer in bulk: strings -> WordPiece ids in plain Python, made fast by treating each distinct word once."""

import collections
import dataclasses
import re
from itertools import chain

from electra_tf.text import basic_tokenizer, characters
from electra_tf.text.pieces import CONTINUATION

_CACHED_WORDS = 500_000  # distinct words kept, some 120 MB; then the cache starts again
_CACHED_CHARACTERS = 64  # a longer word is treated each time: it will hardly come back

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
        self._raw_word_pattern = basic_tokenizer.raw_word_pattern(vocabulary.settings)
        self._unusual_text = _pattern_of_unusual_text(vocabulary.settings)
        self._wordpiece = _WordPiece(vocabulary)
        self._ids_of_word = _Cache(self._wordpiece)
        self._ids_of_raw_word = _Cache(self.ids_of_raw_word)
        self._places_of_raw_word = _Cache(self._find_places)
        self._unk_id = vocabulary.unk_id
        self._lengths = [len(piece.removeprefix(CONTINUATION)) for piece in vocabulary.pieces]

    def __call__(self, text):
        """Tokenizes one string with places; `ids` is much faster where they are not needed.

        Args:
            text: str, or bytes in UTF-8, of which what cannot be decoded is ignored (offsets then count characters of
                the decoded string).

        Returns:
            Tokens.

        >>> Tokenizer(vocabulary)("Unwanted!").offsets   # [(0, 2), (2, 6), (6, 8), (8, 9)]
        """
        token_ids, offsets = [], []
        for match in self._raw_word_pattern.finditer(_decoded(text)):
            word_start = match.start()
            for token_id, start, end in self._places_of_raw_word[match.group()]:
                token_ids.append(token_id)
                offsets.append((word_start + start, word_start + end))
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
        is_plain = text.isascii() and text.isprintable() or not self._unusual_text.search(text)
        raw_words = text.split() if is_plain else self._raw_word_pattern.findall(text)
        return list(chain.from_iterable(map(self._ids_of_raw_word.__getitem__, raw_words)))

    def ids_of_piece(self, piece):
        """The ids of what a string is made of that is meant as one piece: "##" in front says that it continues a word.

        Args:
            piece: str, as it would stand in a vocabulary.

        Returns:
            Tuple of int; [UNK] alone where it cannot be put together.

        >>> Tokenizer(vocabulary).ids_of_piece("##wanted")   # (1822, 290)
        """
        return self._wordpiece(piece.removeprefix(CONTINUATION),
                               is_continuing=piece.startswith(CONTINUATION))

    def ids_of_word(self, word):
        """The ids of one word that is clean and cut out already, as `basic_tokenizer.split_at_punctuation` leaves it.

        >>> Tokenizer(vocabulary).ids_of_word("unwanted")   # (417, 1822, 290)
        """
        return self._wordpiece(word)

    def ids_of_raw_word(self, raw_word):
        """The ids of one match of `basic_tokenizer.raw_word_pattern`, worked out and not kept.

        Args:
            raw_word: str.

        Returns:
            Tuple of int.

        >>> Tokenizer(vocabulary).ids_of_raw_word("Unwanted!")   # (417, 1822, 290, 5)
        """
        text = basic_tokenizer.normalize(raw_word, self.vocabulary.settings).text
        words = basic_tokenizer.split_at_punctuation(text)
        return tuple(chain.from_iterable(map(self._ids_of_word.__getitem__, words)))

    def _find_places(self, raw_word):
        """List of (id, start, end) within the raw word."""
        text, starts, ends = basic_tokenizer.normalize(raw_word, self.vocabulary.settings)
        found, first = [], 0
        for word in basic_tokenizer.split_at_punctuation(text):
            for token_id in self._ids_of_word[word]:
                last = first + (len(word) if token_id == self._unk_id else self._lengths[token_id])
                found.append((token_id, starts[first], ends[last - 1]))
                first = last
        return found


class _Cache(dict):
    """Word -> what `function(word)` returns, worked out when first asked for; long words are not kept."""

    def __init__(self, function):
        super().__init__()
        self._function = function

    def __missing__(self, word):
        value = self._function(word)
        if len(word) <= _CACHED_CHARACTERS:
            if len(self) >= _CACHED_WORDS:
                self.clear()
            self[word] = value
        return value


class _WordPiece:
    """A word -> its ids, greedy: the longest piece that fits, from the left; else one [UNK] for the whole word."""

    def __init__(self, vocabulary):
        self._max_characters = vocabulary.settings.max_characters_per_word
        self._unk = (vocabulary.unk_id,)
        starting = {piece: token_id for token_id, piece in enumerate(vocabulary.pieces)}
        continuing = {piece.removeprefix(CONTINUATION): token_id for piece, token_id in starting.items()
                      if piece.startswith(CONTINUATION)}
        self._starting, self._continuing = ((pieces, _lengths_by_head(pieces)) for pieces in (starting, continuing))

    def __call__(self, word, is_continuing=False):
        if len(word) > self._max_characters:
            return self._unk
        token_ids, first = [], 0
        pieces, lengths_by_head = self._continuing if is_continuing else self._starting
        while first < len(word):
            for length in lengths_by_head.get(word[first:first + _HEAD], _SHORTER_THAN_HEAD):
                # Where the rest of the word is shorter than that, all of it is looked up, which is the longest, too.
                token_id = pieces.get(word[first:first + length])
                if token_id is not None:
                    break
            else:
                return self._unk
            token_ids.append(token_id)
            first += length
            pieces, lengths_by_head = self._continuing
        return tuple(token_ids)


_HEAD = 3
_SHORTER_THAN_HEAD = range(_HEAD - 1, 0, -1)


def _lengths_by_head(pieces):
    """The first characters of a piece -> the lengths of all pieces that a word which begins so may begin with."""
    lengths = collections.defaultdict(set)
    for piece in pieces:
        lengths[piece[:_HEAD]].add(len(piece))
    return {head: (*sorted(found, reverse=True), *(length for length in _SHORTER_THAN_HEAD if head[:length] in pieces))
            for head, found in lengths.items() if len(head) == _HEAD}


def _pattern_of_unusual_text(settings):
    """Finds characters for which str.split() does not give the raw words; most lines of most languages have none."""
    cjk = characters.python_class(characters.CJK) if settings.split_cjk else ""
    return re.compile(f"[{_SPLIT_ONLY_BY_PYTHON}{cjk}]")


def _decoded(text):
    return text.decode("utf-8", errors="ignore") if isinstance(text, bytes) else text
