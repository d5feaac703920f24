"""The tokenizer in the graph: the definition of basic_tokenizer.py and tokenizer.py, again, in TensorFlow ops.

Serving needs tensors and bulk work needs speed in plain Python, so the definition exists twice; the tests run one
table of cases through both and compare them on whatever text they find. Only the frozen tables of characters.py decide
about a character: the tables inside TensorFlow are older, and its lower-casing follows the language of the machine.
"""

import tensorflow as tf
import tensorflow_text as tf_text

from electra_tf.text import characters
from electra_tf.text.pieces import CONTINUATION, UNK

_MOST_BYTES_PER_CHARACTER = 4
_VALID_UTF8 = r"[\x{0}-\x{d7ff}\x{e000}-\x{10ffff}]*"

_WHITE_SPACE_BUT_SPACE = tuple(entry for entry in characters.WHITE_SPACE if entry != (0x20, 0x20))

# A word that no vocabulary holds, since pieces have no white space: WordPiece answers [UNK].
_UNKNOWN_WORD = " "

# Capitals that tf.strings.lower does not know (new in Unicode 14), or lowers in another way on a machine that is set to
# Turkish, Azeri or Lithuanian. (The letters I and J are: they are lowered as ASCII beforehand.)
_CAPITALS_NEW_IN_UNICODE_14 = (0x2C2F, 0xA7C0, 0xA7D0, 0xA7D6, 0xA7D8, *range(0x10570, 0x1057B),
                               *range(0x1057C, 0x1058B), *range(0x1058C, 0x10593), 0x10594, 0x10595)
_CAPITALS_OF_SOME_LANGUAGES = (0xCC, 0xCD, 0x128, 0x12E, 0x130)
_OWN_CAPITALS = tuple(map(chr, _CAPITALS_OF_SOME_LANGUAGES + _CAPITALS_NEW_IN_UNICODE_14))
_SIGMA, _SMALL_SIGMA, _FINAL_SIGMA = "\u03a3", "\u03c3", "\u03c2"


class GraphTokenizer:
    """Strings -> ids, token for token what `Tokenizer.ids` gives for the same bytes.

    Args:
        vocabulary: Vocabulary, whose settings hold the switches.

    >>> GraphTokenizer(vocabulary)(tf.constant(["Unwanted!"]))   # <tf.RaggedTensor [[417, 1822, 290, 5]]>
    """

    def __init__(self, vocabulary):
        self._settings = vocabulary.settings
        with tf.init_scope():  # the vocabulary is a constant of the program, wherever the tokenizer is made
            self._word_piece = tf_text.FastWordpieceTokenizer(
                list(vocabulary.pieces), suffix_indicator=CONTINUATION, unknown_token=UNK, token_out_type=tf.int32,
                max_bytes_per_word=vocabulary.settings.max_characters_per_word * _MOST_BYTES_PER_CHARACTER,
                no_pretokenization=True, support_detokenization=False)

    def __call__(self, texts):
        """Tokenizes a batch.

        Args:
            texts: string [batch], UTF-8; bytes that cannot be decoded are ignored.

        Returns:
            int32 ragged [batch, pieces], without [CLS] and [SEP].
        """
        words = tf.strings.split(clean(texts, self._settings), " ")  # ragged [batch, words]
        is_too_long = tf.strings.length(words.flat_values, unit="UTF8_CHAR") > self._settings.max_characters_per_word
        words = words.with_flat_values(tf.where(is_too_long, _UNKNOWN_WORD, words.flat_values))
        return self._word_piece.tokenize(words).merge_dims(1, 2)


def clean(texts, settings):
    """Everything that comes before WordPiece: the words of each text, separated by one or more spaces.

    Args:
        texts: string [batch], UTF-8; bytes that cannot be decoded are ignored.
        settings: TextSettings.

    Returns:
        string [batch].

    >>> clean(tf.constant(["Café!"]), TextSettings())   # [b'cafe ! ']
    """
    texts = _only_utf8(texts)
    texts = _replace(texts, characters.DELETED, "")
    texts = _replace(texts, _WHITE_SPACE_BUT_SPACE, " ")
    if settings.split_cjk:
        texts = _replace(texts, characters.CJK, r" \0 ")
    if settings.lowercase:
        texts = _lower(texts)
    if settings.strip_accents:
        texts = _replace(tf_text.normalize_utf8(texts, "NFD"), characters.NONSPACING_MARKS, "")
    return _replace(texts, characters.PUNCTUATION, r" \0 ")


def _only_utf8(texts):
    is_valid = tf.reduce_all(tf.strings.regex_full_match(texts, _VALID_UTF8))  # ten times faster than to transcode
    return tf.cond(is_valid, lambda: texts,
                   lambda: tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", errors="ignore"))


def _replace(texts, ranges, rewrite):
    return tf.strings.regex_replace(texts, f"[{characters.re2_class(ranges)}]", rewrite)


def _lower(texts):
    """str.lower of Python: with a final sigma, and the same on every machine."""
    texts = tf.strings.lower(texts)  # ASCII alone
    rows = tf.where(tf.strings.regex_full_match(texts, f"(?s).*[{_SIGMA}{''.join(_OWN_CAPITALS)}].*"))
    texts = tf.cond(tf.size(rows) > 0, lambda: tf.tensor_scatter_nd_update(
        texts, rows, _without_special_capitals(tf.gather_nd(texts, rows))), lambda: texts)
    return tf.strings.lower(texts, encoding="utf-8")


def _without_special_capitals(texts):
    """Lowers what tf.strings.lower would lower otherwise than Python: each sigma, and _OWN_CAPITALS."""
    cased, ignorable = characters.re2_class(characters.CASED), characters.re2_class(characters.CASE_IGNORABLE)
    is_final = f"([{cased}][{ignorable}]*){_SIGMA}([{ignorable}]*(?:[^{cased}{ignorable}]|$))"
    texts = tf.strings.regex_replace(texts, is_final, rf"\1{_FINAL_SIGMA}\2")
    texts = tf.strings.regex_replace(texts, _SIGMA, _SMALL_SIGMA)
    for capital in _OWN_CAPITALS:
        texts = tf.strings.regex_replace(texts, capital, capital.lower())
    return texts
