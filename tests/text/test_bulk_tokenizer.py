"""The tokenizer for much text gives what the definition gives, whatever the text."""

import itertools

import hypothesis
import numpy as np
import pytest

from electra_tf.text import bulk_tokenizer, characters, word_table
from electra_tf.text.bulk_tokenizer import BulkTokenizer
from electra_tf.text.corpus import read_corpus
from electra_tf.text.tokenizer import Tokenizer
from electra_tf.text.vocabulary import TextSettings
from electra_tf.text.word_table import WordTable, word_keys
from tests.oracles.shared import shared_path
from tests.text import cases


@pytest.fixture(scope="module", params=cases.ALL_SETTINGS, ids=str)
def vocabulary(request):
    return cases.own_vocabulary(request.param)


@pytest.fixture(scope="module")
def tokenizers(vocabulary):
    """(definition, in bulk); both keep what they have seen from test to test."""
    return Tokenizer(vocabulary), BulkTokenizer(vocabulary)


def check(tokenizers, lines):
    definition, in_bulk = tokenizers
    expected = [definition.ids(line) for line in lines]
    found = in_bulk(lines)
    assert found.lengths.tolist() == [len(ids) for ids in expected]
    assert found.token_ids.tolist() == list(itertools.chain.from_iterable(expected))
    assert (found.token_ids.dtype, found.lengths.dtype) == (np.int32, np.int64)


@hypothesis.settings(max_examples=80)
@hypothesis.given(lines=hypothesis.strategies.lists(cases.any_text, max_size=4))
def test_any_lines_give_the_ids_of_the_definition(tokenizers, lines):
    check(tokenizers, lines)


def test_every_case_of_the_original_gives_its_ids():
    for mode in cases.MODES:
        found = BulkTokenizer(cases.original_vocabulary(mode))([case["text"] for case in cases.original_cases()])
        expected = [case[mode]["ids"] for case in cases.original_cases()]
        assert found.lengths.tolist() == list(map(len, expected))
        assert found.token_ids.tolist() == list(itertools.chain.from_iterable(expected))


def test_characters_of_all_classes_act_as_in_the_definition_alone_and_inside_words(tokenizers):
    ranges = [*characters.DELETED, *characters.WHITE_SPACE, *characters.PUNCTUATION, *characters.NONSPACING_MARKS,
              *characters.CJK, *characters.CASED]
    edges = {code for first, last in ranges for code in (first - 1, first, last, last + 1) if 0 <= code < 0x110000}
    check(tokenizers, [f"{chr(code)} The{chr(code)}Un.{chr(code)}{chr(code)}x" for code in {*edges, *range(0x300)}])


@pytest.mark.parametrize("lines", [[], [""], ["", " ", "the"], ["the", "", "", "un"], ["th\ne \r", "\n"],
                                   ["\x00 a \x00\x00 a\x00 \x00a"], ["th\ud800e \udfff", "\ud83d\ude00"],
                                   ["ΑΣ, ΑΣ ΑΣΑ Σ’Α aΣ"]])
def test_lines_of_little_and_odd_text(tokenizers, lines):
    check(tokenizers, lines)


def test_words_of_any_length(tokenizers):
    check(tokenizers, [" ".join(letter * length for length in (*range(70), 199, 200, 201)) for letter in "aZé語"])
    check(tokenizers, ["a" * 300_000, "é" * 300_000 + "the"])


def test_words_are_found_when_more_were_seen_than_are_kept(monkeypatch, vocabulary):
    monkeypatch.setattr(bulk_tokenizer, "_KEPT_WORDS", 20)
    monkeypatch.setattr(bulk_tokenizer, "_WORDS_AT_A_TIME", 7)
    tokenizers = Tokenizer(vocabulary), BulkTokenizer(vocabulary)
    for start in (0, 3, 0):
        lines = [range(start + line, 200, 3) for line in range(5)]
        check(tokenizers, [" ".join(f"the{number % 60}" for number in numbers) for numbers in lines])
    monkeypatch.setattr(bulk_tokenizer, "_KEPT_IDS", 10)
    check(tokenizers, ["the un the un able"] * 9)


@pytest.mark.parametrize("path", ["data/pretrain/novels_de/valid.txt.xz", "data/pretrain/zh/wiki_zh-valid.txt.xz",
                                  "data/pretrain/wiki_en/wikitext2-valid.txt.xz"])
def test_real_text_gives_the_ids_of_the_definition(path):
    lines = [line for document in read_corpus(shared_path(path)) for line in document.lines][:1500]
    vocabulary = cases.own_vocabulary(TextSettings())
    check((Tokenizer(vocabulary), BulkTokenizer(vocabulary)), lines)


def test_a_crowded_table_finds_every_word_and_no_other(monkeypatch):
    monkeypatch.setattr(word_table, "_SLOTS_BITS", 5)
    monkeypatch.setattr(word_table, "_SLOTS", 32)
    words = [b"a", b"aa", b"b", b"eightabc", b"eightabcd", b"fifteen-letters"[:15], *(b"word%d" % n for n in range(19))]
    others = [b"c", b"a\x00", b"eightabce", b"eightabcdd", b"fifteen-letterz"]
    text = b"".join(words + others) + bytes(16)
    lengths = np.array([len(word) for word in words + others])
    low, high = word_keys(text, lengths.cumsum() - lengths, lengths)
    table, count = WordTable(), len(words)
    numbers = np.random.default_rng(0).permutation(count).astype(np.int32)
    table.add(low[:11], high[:11], numbers[:11])
    table.add(low[11:count], high[11:count], numbers[11:])
    assert table.find(low, high).tolist() == [*numbers.tolist(), *[-1] * len(others)]
