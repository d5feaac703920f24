"""The definition once more, as plainly as it can be said: whole strings, one character after the other, no tables.

It asks `unicodedata` of the running Python, so it stands for the frozen definition only where that is Unicode 14.
"""

import unicodedata

ASCII_SYMBOLS = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
CJK_BLOCKS = ("\u3400\u4dbf", "\u4e00\u9fff", "\uf900\ufaff", "\U00020000\U0002a6df", "\U0002a700\U0002b73f",
              "\U0002b740\U0002b81f", "\U0002b820\U0002ceaf", "\U0002f800\U0002fa1f")


def reference_ids(text, vocabulary):
    """The ids of a string, worked out slowly."""
    settings, ids = vocabulary.settings, {piece: index for index, piece in enumerate(vocabulary.pieces)}
    cleaned = ""
    for character in text:
        category = unicodedata.category(character)
        if character in "\t\n\r " or category == "Zs":
            cleaned += " "
        elif character in "\x00\ufffd" or category[0] == "C":
            continue
        elif settings.split_cjk and any(block[0] <= character <= block[1] for block in CJK_BLOCKS):
            cleaned += f" {character} "
        else:
            cleaned += character
    found = []
    for word in cleaned.split():
        if settings.lowercase:
            word = word.lower()
        if settings.strip_accents:
            word = "".join(part for part in unicodedata.normalize("NFD", word) if unicodedata.category(part) != "Mn")
        spaced = ""
        for character in word:
            is_punctuation = character in ASCII_SYMBOLS or unicodedata.category(character)[0] == "P"
            spaced += f" {character} " if is_punctuation else character
        for part in spaced.split():
            found += _word_piece(part, ids) if len(part) <= settings.max_characters_per_word else [ids["[UNK]"]]
    return found


def _word_piece(word, ids):
    found, start = [], 0
    while start < len(word):
        end = len(word)
        while end > start and ("##" if start else "") + word[start:end] not in ids:
            end -= 1
        if end == start:
            return [ids["[UNK]"]]
        found.append(ids[("##" if start else "") + word[start:end]])
        start = end
    return found
