"""The character classes of the tokenizer, frozen to Unicode 14: every Python and TensorFlow gives the same ids."""

from electra_tf.text import unicode_tables

# Blocks of ideographs that the original puts spaces around. Kana and Hangul are not among them.
_CJK_BLOCKS = ((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F),
               (0x2B740, 0x2B81F), (0x2B820, 0x2CEAF), (0x2F800, 0x2FA1F))


def _parsed(table):
    ranges = []
    for entry in table.split():
        first, _, last = entry.partition("-")
        ranges.append((int(first, 16), int(last or first, 16)))
    return tuple(ranges)


def _without(ranges, removed):
    """`ranges` less `removed`; both ascending."""
    kept = []
    for first, last in ranges:
        for removed_first, removed_last in removed:
            if removed_last >= first and removed_first <= last:
                if removed_first > first:
                    kept.append((first, removed_first - 1))
                first = removed_last + 1
        if first <= last:
            kept.append((first, last))
    return tuple(kept)


DELETED = _parsed(unicode_tables.DELETED)
WHITE_SPACE = _parsed(unicode_tables.WHITE_SPACE)
PUNCTUATION = _parsed(unicode_tables.PUNCTUATION)
NONSPACING_MARKS = _parsed(unicode_tables.NONSPACING_MARKS)
CASED = _parsed(unicode_tables.CASED)
CASE_IGNORABLE = _parsed(unicode_tables.CASE_IGNORABLE)
CJK = _without(_CJK_BLOCKS, DELETED)  # a hole in a block is deleted before it can split a word


def characters_of(ranges):
    """The class as a frozenset of characters, for small classes."""
    return frozenset(chr(code_point) for first, last in ranges for code_point in range(first, last + 1))


def python_class(ranges):
    """The inside of a character class for Python's `re`: `[` + python_class(DELETED) + `]`."""
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in ranges)


def re2_class(ranges):
    """The inside of a character class for RE2, TensorFlow's engine; without surrogates, which UTF-8 cannot hold."""
    pieces = []
    for first, last in ranges:
        for low, high in ((first, min(last, 0xD7FF)), (max(first, 0xE000), last)):
            if low <= high:
                pieces.append(f"\\x{{{low:x}}}-\\x{{{high:x}}}")
    return "".join(pieces)
