import json
import unicodedata

import hypothesis
import pytest

from electra_tf.text.basic_tokenizer import normalize, word_places
from electra_tf.text.pieces import CONTINUATION
from electra_tf.text.tokenizer import Tokenizer, _Cache
from electra_tf.text.vocabulary import TextSettings, Vocabulary
from tests.oracles.shared import shared_path
from tests.text import cases
from tests.text.reference_tokenizer import reference_ids

needs_unicode_14 = pytest.mark.skipif(unicodedata.unidata_version != "14.0.0",
                                      reason="the slow definition asks Python's own tables, which are newer here")
HUGGINGFACE_MODES = {"uncased": TextSettings(), "cased": TextSettings(lowercase=False, strip_accents=False)}


@pytest.fixture(scope="module", params=cases.ALL_SETTINGS, ids=str)
def tokenizer(request):
    return Tokenizer(cases.own_vocabulary(request.param))


@pytest.mark.parametrize("mode", cases.MODES)
def test_every_case_of_the_original_gives_its_pieces_and_ids(mode):
    tokenizer = Tokenizer(cases.original_vocabulary(mode))
    for case in cases.original_cases():
        tokens = tokenizer(case["text"])
        assert tokens.pieces == case[mode]["pieces"], case["text"]
        assert tokens.token_ids == tokenizer.ids(case["text"]) == case[mode]["ids"], case["text"]


def huggingface_cases():
    return json.loads(shared_path("oracles/huggingface/tokenizer_cases.json").read_text(encoding="utf-8"))["single"]


def original_differences():
    """{(text, mode): ids of the original} where it differs from Hugging Face."""
    content = shared_path("oracles/huggingface/tokenizer_original_differences.json").read_text(encoding="utf-8")
    return {(entry["text"], entry["which"]): entry["original_ids"] for entry in json.loads(content)["differences"]}


def huggingface_tokenizer(mode, settings):
    return Tokenizer(Vocabulary.from_file(shared_path(f"oracles/huggingface/tokenizer_{mode}/vocab.txt"), settings))


@pytest.mark.parametrize("mode", HUGGINGFACE_MODES)
def test_ids_are_hugging_face_s_but_where_the_original_differs(mode):
    tokenizer, differences = huggingface_tokenizer(mode, HUGGINGFACE_MODES[mode]), original_differences()
    for case in huggingface_cases():
        expected = differences.get((case["text"], mode), case[mode]["ids"][1:-1])
        assert tokenizer.ids(case["text"]) == expected, case["text"]


@pytest.mark.parametrize(("mode", "name", "settings"), [
    ("cased", "cased_vocab_lower_keep_accents_ids", TextSettings(strip_accents=False)),
    ("cased", "cased_vocab_no_cjk_split_ids", TextSettings(False, False, split_cjk=False)),
    ("uncased", "uncased_vocab_strip_accents_no_lower_ids", TextSettings(lowercase=False))])
def test_the_three_switches_act_as_hugging_face_s(mode, name, settings):
    tokenizer, different = huggingface_tokenizer(mode, settings), {text for text, _ in original_differences()}
    compared = [case for case in huggingface_cases() if case["text"] not in different]
    assert len(compared) > 350
    for case in compared:
        assert tokenizer.ids(case["text"]) == case[name], case["text"]


@pytest.mark.parametrize("mode", HUGGINGFACE_MODES)
def test_offsets_are_hugging_face_s_with_the_dropped_marks_added(mode):
    tokenizer, different = huggingface_tokenizer(mode, HUGGINGFACE_MODES[mode]), original_differences()
    for case in huggingface_cases():
        text = case["text"]
        has_unassigned = any(unicodedata.category(character) == "Cn" for character in text)  # kept there, deleted here
        if has_unassigned or (text, mode) in different:
            continue
        for ours, theirs in zip(tokenizer(text).offsets, case[mode]["offsets"][1:-1], strict=True):
            assert ours[0] == theirs[0], text
            added = {unicodedata.category(character) for character in text[theirs[1]:ours[1]]}
            assert added <= {"Mn", "Cc", "Cf"}, text  # a control between a letter and its mark is covered, too


@needs_unicode_14
@hypothesis.settings(max_examples=150)
@hypothesis.given(text=cases.any_text)
def test_any_text_gives_the_ids_of_the_slow_definition(tokenizer, text):
    assert tokenizer.ids(text) == reference_ids(text, tokenizer.vocabulary)


@hypothesis.settings(max_examples=100)
@hypothesis.given(text=cases.any_text)
def test_each_offset_cuts_out_what_the_piece_was_made_from(tokenizer, text):
    tokens = tokenizer(text)
    assert tokens.token_ids == tokenizer.ids(text)
    assert tokens.pieces == [tokenizer.vocabulary.pieces[token_id] for token_id in tokens.token_ids]
    settings, last_start = tokenizer.vocabulary.settings, 0
    for piece, (start, end) in zip(tokens.pieces, tokens.offsets, strict=True):
        assert last_start <= start < end <= len(text)
        last_start = start
        cleaned = normalize(text[start:end], settings).text
        if piece != "[UNK]":
            # a sigma is small or final by its neighbours; one character may have become several pieces
            assert piece.removeprefix("##").replace("ς", "σ") in cleaned.replace("ς", "σ")


def test_offsets_of_hand_made_cases():
    tokenizer = Tokenizer(cases.own_vocabulary(TextSettings()))
    assert tokenizer("The  Café!").offsets[0] == (0, 3)
    tokens = tokenizer("x\u00a0cafe\u0301, 语")
    assert tokens.pieces == ["x", "cafe", ",", "[UNK]"]
    assert tokens.offsets == [(0, 1), (2, 7), (7, 8), (9, 10)]
    assert tokenizer("u\u200dn").offsets == [(0, 3)]  # the deleted joiner lies inside the piece
    assert tokenizer("가").offsets == [(0, 1), (0, 1)]  # two letters from one syllable
    assert tokenizer("\u0301the").offsets == [(1, 4)]  # a mark without a letter before it
    assert tokenizer("q\u0307\u0323r").offsets == [(0, 3), (3, 4)]


def test_bytes_are_read_as_utf8_without_what_cannot_be_decoded():
    tokenizer = Tokenizer(cases.own_vocabulary(TextSettings()))
    assert tokenizer.ids(b"th\xffe caf\xc3\xa9\xed\xa0\x80") == tokenizer.ids("the café")
    assert tokenizer(b"\xffthe").offsets == [(0, 3)]


def test_a_lone_surrogate_is_deleted():
    tokenizer = Tokenizer(cases.own_vocabulary(TextSettings()))
    assert tokenizer.ids("th\ud800e") == tokenizer.ids("the")


def test_nothing_gives_nothing():
    tokenizer = Tokenizer(cases.own_vocabulary(TextSettings()))
    for text in ("", " ", "\u200b", "\n\u2028"):
        assert tokenizer.ids(text) == tokenizer(text).token_ids == []


def test_a_megabyte_without_a_space_is_one_unknown_word():
    tokenizer = Tokenizer(cases.own_vocabulary(TextSettings()))
    tokens = tokenizer("a" * 1_000_000)
    assert tokens.pieces == ["[UNK]"] and tokens.offsets == [(0, 1_000_000)]


def test_the_longest_word_counts_characters_after_accents_are_gone():
    vocabulary = Vocabulary(cases.own_vocabulary(TextSettings()).pieces, TextSettings(max_characters_per_word=3))
    tokenizer = Tokenizer(vocabulary)
    assert tokenizer("e\u0301e\u0301e\u0301").pieces == ["e", "##e", "##e"]
    assert tokenizer("zzzz").pieces == ["[UNK]"]


def test_a_full_cache_starts_again_and_long_words_are_not_kept(monkeypatch):
    monkeypatch.setattr("electra_tf.text.tokenizer._CACHED_WORDS", 2)
    cache = _Cache(str.upper)
    assert [cache[word] for word in ("a", "b", "c", "b", "d" * 65)] == ["A", "B", "C", "B", "D" * 65]
    assert dict(cache) == {"c": "C", "b": "B"}


def test_words_stand_where_their_pieces_stand(tokenizer):
    for case in huggingface_cases():
        tokens, expected = tokenizer(case["text"]), []
        for piece, (start, end) in zip(tokens.pieces, tokens.offsets, strict=True):
            if piece.startswith(CONTINUATION):
                expected[-1] = (expected[-1][0], end)
            else:
                expected.append((start, end))
        assert word_places(case["text"], tokenizer.vocabulary.settings) == expected, case["text"]
