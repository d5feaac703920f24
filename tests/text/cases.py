"""Texts and vocabularies that the tests of both tokenizers share."""

import json

import hypothesis.strategies as st

from electra_tf.text import characters
from electra_tf.text.vocabulary import TextSettings, Vocabulary
from tests.oracles.shared import shared_path

MODES = {"lower": TextSettings(), "cased": TextSettings(lowercase=False, strip_accents=False),
         "lower_keep_accents": TextSettings(strip_accents=False)}
ALL_SETTINGS = [*MODES.values(), TextSettings(lowercase=False), TextSettings(split_cjk=False),
                TextSettings(lowercase=False, strip_accents=False, split_cjk=False)]

# Stretches of text that have broken a tokenizer somewhere; the property tests put them next to each other.
FRAGMENTS = [
    "the", "Unwanted", "RUNNING", "don't", "e.g.", "naïve", "cafe\u0301", "Straße", "İstanbul", "I\u0307", "ÌÍĨĮ\u0300",
    "ΑΣ", "ΣΑΣ", "Σ", "ΑΣ.Β", "ΑΣ'", "Α\u0345Σ", "ΟΔΥΣΣΕΥΣ,ΑΣ", "ꟀꟁΣ", "ΑꟖ", "Ⱟ", "\U00010570Σ", "Α\u0898Σ", "ẛ\u0323",
    "\u1fef", "\u037e", "\u212b", "ﬁ", "½", "Ａ", "각나다", "\u1100\u1161\u11a8", "日本語テキスト", "汉字漢字",
    "\uf900", "\u2f00", "\U00020000\U0002f800", "\ufaef", "\U0002a6de", "नमस्ते", "ไทย", "שָׁלוֹם", "مَرْحَبًا",
    "👩\u200d👩\u200d👧", "❤\ufe0f", "🇩🇪", "👍🏽",
    "[CLS]", "[MASK]", "##a", "[UNK]a", " ", "  ", "\t", "\n", "\r\n", "\x0b", "\x0c",
    "\x1c", "\x85", "\xa0",
    "\u2003", "\u2028", "\u2029", "\u3000", "\u200b", "\u200d", "\u00ad", "\ufeff", "\u0000", "\ufffd", "\ue000",
    "\u0378", "\uffff", "\U000e0001", "\U0010ffff", "\u0301", "\u0345", "\u302e\u0301",
    "q\u0307\u0323", "$5", "€5", "a_b", "—", "„", "…", "。",
    "x" * 99, "y" * 100, "é" * 101, "z" * 200, "z" * 201, "ä" * 200 + "b", "w" * 300, "e\u0301" * 200, "e\u0301" * 201,
    "a," * 150, "的" * 250,
]
BROKEN_BYTES = [b"\xff", b"\xc3", b"\x80", b"\xc0\xaf", b"\xe2\x82", b"\xed\xa0\x80", b"\xf0\x9f\x98",
                b"\xf4\x90\x80\x80", b"\xf8\x88\x80\x80\x80", b"\xfe\xff", b"a\xe4b", b"\xef\xbb\xbf", b"\xef\xbf\xbe"]

_DELETED = characters.characters_of(characters.DELETED)

any_text = st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.text(max_size=6)), max_size=9).map("".join)
any_bytes = st.lists(st.one_of(st.sampled_from(BROKEN_BYTES), any_text.map(lambda text: text.encode("utf-8", "ignore")),
                               st.binary(max_size=5)), max_size=6).map(b"".join)


def own_vocabulary(settings):
    """Small, but with pieces for many alphabets, so that a difference in cleaning shows in the ids."""
    letters = {letter for text in FRAGMENTS for part in (text, text.lower()) for letter in part}
    single = sorted(letter for letter in letters if not letter.isspace() and letter not in _DELETED)
    return Vocabulary(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *single, *(f"##{letter}" for letter in single),
                       "the", "un", "##want", "##ed", "running", "cafe", "[CLS]a", "ας", "σα", "##ας"], settings)


def original_vocabulary(mode):
    """The vocabulary of the original's cases."""
    return Vocabulary.from_file(shared_path("oracles/original/vocab_5k.txt"), MODES[mode])


def original_cases():
    """The original tokenizer's answers: list of dicts with "text" and, by mode, "pieces" and "ids"."""
    return json.loads(shared_path("oracles/original/tokenizer_cases.json").read_text(encoding="utf-8"))["cases"]
