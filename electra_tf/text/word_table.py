"""Short words -> their row numbers, for many words at a time: a hash table that is probed with array operations."""

import numpy as np

# A key is the word's bytes and, in the last place, their number, so two words never have the same key.
LONGEST_KEY_BYTES = 15
_SLOTS_BITS = 20
_SLOTS = 1 << _SLOTS_BITS
MOST_WORDS = _SLOTS * 3 // 4  # beyond this, free slots are found ever more slowly

_EMPTY = -1
_MASKS = np.array([(1 << 8 * count) - 1 for count in range(9)], np.uint64)
_ODD_NUMBERS = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F))


def word_keys(padded, starts, lengths):
    """The keys of words that stand in one buffer.

    Args:
        padded: bytes with 16 more behind the last word.
        starts, lengths: int64 [words]; no length above LONGEST_KEY_BYTES.

    Returns:
        (low, high), uint64 [words] each.

    >>> word_keys(b"be not" + bytes(16), np.array([0, 3]), np.array([2, 3]))[0]   # [0x6562, 0x746f6e]
    """
    eight_bytes_from = np.ndarray(len(padded) - 7, "<u8", padded, strides=(1,))
    low = eight_bytes_from[starts] & _MASKS[np.minimum(lengths, 8)]
    high = eight_bytes_from[starts + 8] & _MASKS[np.maximum(lengths - 8, 0)]
    return low, high | lengths.astype(np.uint64) << np.uint64(56)


class WordTable:
    """Keys of words -> numbers that the caller gives them.

    >>> table = WordTable()
    >>> table.add(*keys, np.arange(2))
    >>> table.find(*keys)   # [0, 1]
    """

    def __init__(self):
        self._low, self._high = np.zeros(_SLOTS, np.uint64), np.zeros(_SLOTS, np.uint64)
        self._numbers = np.full(_SLOTS, _EMPTY, np.int32)

    def find(self, low, high):
        """The number of each word, -1 for those that were not added.

        Args:
            low, high: uint64 [words], from `word_keys`.

        Returns:
            int32 [words].
        """
        slots = _first_slots(low, high)
        found = self._numbers[slots]
        differ = (self._low[slots] != low) | (self._high[slots] != high)
        searching = np.flatnonzero(differ & (found != _EMPTY))
        while searching.size:
            slots[searching] = at = _next_slots(slots[searching])
            found[searching] = self._numbers[at]
            differ = (self._low[at] != low[searching]) | (self._high[at] != high[searching])
            searching = searching[differ & (found[searching] != _EMPTY)]
        return found

    def add(self, low, high, numbers):
        """Adds words, each once and none that is there; at most MOST_WORDS in all.

        Args:
            low, high: uint64 [words], from `word_keys`.
            numbers: int32 [words], not negative, each given to one word alone.
        """
        slots, waiting = _first_slots(low, high), np.arange(len(low))
        while waiting.size:
            at, wanted = slots[waiting], numbers[waiting]
            is_free = self._numbers[at] == _EMPTY
            self._numbers[at[is_free]] = wanted[is_free]  # where two want a slot, one of them gets it
            has_slot = self._numbers[at] == wanted
            settled = waiting[has_slot]
            self._low[slots[settled]], self._high[slots[settled]] = low[settled], high[settled]
            waiting = waiting[~has_slot]
            slots[waiting] = _next_slots(slots[waiting])


def _first_slots(low, high):
    mixed = (low ^ high * _ODD_NUMBERS[1]) * _ODD_NUMBERS[0]
    mixed = (mixed ^ mixed >> np.uint64(32)) * _ODD_NUMBERS[1]
    return (mixed >> np.uint64(64 - _SLOTS_BITS)).astype(np.int64)


def _next_slots(slots):
    return (slots + 1) % _SLOTS
