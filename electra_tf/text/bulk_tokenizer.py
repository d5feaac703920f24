"""The tokenizer for much text: many lines at a time -> ids in one array, found by array operations over their bytes.

`Tokenizer` says what the ids of a word are; here it is asked once for each word, and its answer is found again by a
hash table over arrays. Words of plain ASCII are cut out and put into small letters for the whole text at once; a raw
word that holds any other character goes to the tokenizer as it is.
"""

import array
import itertools
import typing

import numpy as np

from electra_tf.text import characters
from electra_tf.text.ranges import joined_ranges
from electra_tf.text.tokenizer import Tokenizer
from electra_tf.text.word_table import LONGEST_KEY_BYTES, MOST_WORDS, WordTable, word_keys

# Beyond one of these the kept words are forgotten: about 60 MB.
_KEPT_WORDS = 500_000
_KEPT_IDS = 4_000_000
_WORDS_AT_A_TIME = MOST_WORDS - _KEPT_WORDS

_LINE_END = b"\xff"  # no byte of UTF-8
_PADDING = 16 * _LINE_END  # keys of words are read 16 bytes at a time

# What a byte, or a character, does to the words around it; the last two only tell something of a whole character.
_LETTER, _PUNCTUATION, _SPACE, _OTHER = 0, 1, 2, 4
_IDEOGRAPH = 8


class LinesOfIds(typing.NamedTuple):
    """The ids of several lines in one array: int32 [tokens], and how many each line has, int64 [lines]."""

    token_ids: np.ndarray
    lengths: np.ndarray


class BulkTokenizer:
    """`Tokenizer.ids` for many lines, several times as fast.

    Args:
        vocabulary: Vocabulary, whose settings hold the switches.

    >>> BulkTokenizer(vocabulary)(["Unwanted!", "", "wanted"]).lengths   # [4, 0, 2]
    """

    def __init__(self, vocabulary):
        self.vocabulary = vocabulary
        self._tokenizer = Tokenizer(vocabulary)
        kinds = _kinds_of_characters(vocabulary.settings)
        self._kind_of_character = kinds
        # Bytes of one character of UTF-8: the first of several is 0xC0 or more, those after it are less.
        self._kind_of_byte = bytes([*kinds[:0x80].tolist(), *[_LETTER] * 0x40, *[_OTHER] * 0x3F, _SPACE])
        self._small_letter = bytes(
            ord(chr(byte).lower()) if byte < 0x80 and vocabulary.settings.lowercase else byte
            for byte in range(256))
        self._forget()

    def __call__(self, lines):
        """Tokenizes lines.

        Args:
            lines: list of str.

        Returns:
            LinesOfIds: what `Tokenizer.ids` gives for each line.

        >>> BulkTokenizer(vocabulary)(["Unwanted!"]).token_ids   # [417, 1822, 290, 5]
        """
        encoded = [line.encode("utf-8", "surrogatepass") for line in lines]
        text, starts, ends = self._words(_LINE_END.join([*encoded, _PADDING]))
        found = [self._ids_of_words(text, starts[first:first + _WORDS_AT_A_TIME], ends[first:first + _WORDS_AT_A_TIME])
                 for first in range(0, max(1, len(starts)), _WORDS_AT_A_TIME)]
        tokens_before = np.concatenate([[0], *(counts for _, counts in found)]).cumsum()
        line_ends = np.cumsum([len(line) + 1 for line in encoded], dtype=np.int64)
        return LinesOfIds(np.concatenate([token_ids for token_ids, _ in found]),
                          np.diff(tokens_before[np.searchsorted(starts, line_ends)], prepend=0))

    def _words(self, text):
        """Cuts the words out of padded text: (text with small letters, starts and ends of the words in it)."""
        data = np.frombuffer(text, np.uint8)
        kinds = np.frombuffer(bytearray(text.translate(self._kind_of_byte)), np.uint8)
        is_start = np.zeros(len(data), bool)
        self._mark_other_characters(data, kinds, is_start)
        is_space = kinds == _SPACE
        is_start[0] = True
        is_start[1:] |= is_space[1:] != is_space[:-1]
        # Now each raw word, and all white space between two, is one run. Those of plain ASCII are put into small
        # letters and cut further.
        run_of_byte = np.cumsum(is_start, dtype=np.int32) - 1
        has_other = np.zeros(run_of_byte[-1] + 1, bool)
        has_other[run_of_byte[kinds >= _OTHER]] = True
        is_plain = ~has_other[run_of_byte]
        stands_alone = is_plain & (kinds == _PUNCTUATION)
        is_start |= stands_alone
        is_start[1:] |= stands_alone[:-1]
        starts = np.flatnonzero(is_start)
        ends = np.append(starts[1:], len(data))
        is_word = ~is_space[starts]
        small = np.frombuffer(text.translate(self._small_letter), np.uint8)
        return np.where(is_plain, small, data).tobytes(), starts[is_word], ends[is_word]

    def _mark_other_characters(self, data, kinds, is_start):
        """Sees to white space and ideographs beyond ASCII."""
        is_inside = (data >= 0x80) & (data < 0xFF)
        others = data[is_inside].tobytes().decode("utf-8", "surrogatepass")
        codes = np.frombuffer(others.encode("utf-32-le", "surrogatepass"), "<u4")
        starts = np.flatnonzero(is_inside & (data >= 0xC0))
        ends = starts + 2 + (codes >= 0x800) + (codes >= 0x10000)
        found = self._kind_of_character[codes]
        for start, end in zip(starts[found == _SPACE].tolist(), ends[found == _SPACE].tolist()):
            kinds[start:end] = _SPACE
        is_start[starts[found == _IDEOGRAPH]] = True
        is_start[ends[found == _IDEOGRAPH]] = True

    def _ids_of_words(self, text, starts, ends):
        """(ids of the words in one array, number of ids of each word)."""
        if len(self._ids_before) > _KEPT_WORDS or len(self._ids) > _KEPT_IDS:
            self._forget()
        lengths = ends - starts
        long = np.flatnonzero(lengths > LONGEST_KEY_BYTES)
        low, high = word_keys(text, starts, np.minimum(lengths, LONGEST_KEY_BYTES))
        numbers = self._table.find(low, high)
        numbers[long] = [self._number_of_long_word.get(text[start:end], -1)
                         for start, end in zip(starts[long].tolist(), ends[long].tolist())]
        new = np.flatnonzero(numbers < 0)
        if new.size:
            words = [text[start:end] for start, end in zip(starts[new].tolist(), ends[new].tolist())]
            place_of = dict(zip(words, new.tolist()))
            number_of = dict(zip(place_of, self._keep(place_of)))
            numbers[new] = [number_of[word] for word in words]
            places = np.fromiter(place_of.values(), np.int64)
            is_short = lengths[places] <= LONGEST_KEY_BYTES
            self._table.add(low[places[is_short]], high[places[is_short]], numbers[places[is_short]])
            self._number_of_long_word.update(
                (text[starts[place]:ends[place]], numbers[place]) for place in places[~is_short])
        ids_before = np.frombuffer(self._ids_before, np.int64)
        first = ids_before[numbers]
        counts = ids_before[numbers + 1] - first
        return np.frombuffer(self._ids, np.int32)[joined_ranges(first, counts)], counts

    def _keep(self, words):
        """Works the ids of new words out; gives the numbers of the words."""
        first_number = len(self._ids_before) - 1
        find_word, find_raw_word = self._tokenizer.ids_of_word, self._tokenizer.ids_of_raw_word
        found = [find_word(word) if word.isascii() and word.isalnum() else find_raw_word(word)
                 for word in b" ".join(words).decode("utf-8", "surrogatepass").split(" ")]
        self._ids_before.extend(itertools.accumulate(map(len, found), initial=self._ids_before.pop()))
        self._ids.extend(itertools.chain.from_iterable(found))
        return range(first_number, first_number + len(found))

    def _forget(self):
        self._table, self._number_of_long_word = WordTable(), {}
        # The ids of all kept words, one after the other, and how many stand before each word and after the last.
        self._ids, self._ids_before = array.array("i"), array.array("q", [0])


def _kinds_of_characters(settings):
    """uint8 [0x110000]: what each character does to the words around it."""
    kinds = np.full(0x110000, _OTHER, np.uint8)
    kinds[:128] = _LETTER
    ascii_only = [(first, min(last, 127)) for first, last in characters.PUNCTUATION]
    ideographs = characters.CJK if settings.split_cjk else ()
    for kind, ranges in ((_PUNCTUATION, ascii_only), (_OTHER, characters.DELETED), (_SPACE, characters.WHITE_SPACE),
                         (_IDEOGRAPH, ideographs)):
        for first, last in ranges:
            kinds[first:last + 1] = kind
    return kinds
