import collections
import random

import pytest

from electra_tf.errors import InputError
from electra_tf.text import wordpiece_training
from electra_tf.text.pieces import SPECIAL_PIECES
from electra_tf.text.vocabulary import TextSettings
from electra_tf.text.wordpiece_training import choose_alphabet, count_words, learn_pieces


def merges_counted_by_hand(words, number):
    """Byte-pair merges by the plain rule: join the most frequent neighbours, again and again."""
    spelled = {word: [word[0], *(f"##{letter}" for letter in word[1:])] for word in words}
    learned = []
    for _ in range(number):
        pairs = collections.Counter()
        for word, pieces in spelled.items():
            for pair in zip(pieces, pieces[1:]):
                pairs[pair] += words[word]
        most = max(pairs.values())
        (first, second), = [pair for pair in pairs if pairs[pair] == most]  # the words below leave no tie
        learned.append(first + second.removeprefix("##"))
        for pieces in spelled.values():
            for place in range(len(pieces) - 2, -1, -1):
                if pieces[place:place + 2] == [first, second]:
                    pieces[place:place + 2] = [learned[-1]]
    return learned


def test_pieces_are_specials_then_letters_then_the_most_frequent_merges():
    words = collections.Counter({"ab": 52, "abc": 56, "bcd": 8, "dab": 36, "cab": 68, "abcd": 65, "dc": 54})
    merges = merges_counted_by_hand(words, 6)
    assert merges[:3] == ["ab", "abc", "##ab"]
    pieces = learn_pieces(words, size=5 + 4 + 4 + 6, coverage=1.0)
    assert pieces == [*SPECIAL_PIECES, "a", "b", "c", "d", "##a", "##b", "##c", "##d", *merges]


def many_words():
    """Words with many ties between pairs, in a new order each time."""
    dice = random.Random(7)
    words = ["".join(dice.choice("abcdefghij語言") for _ in range(dice.randint(1, 9))) for _ in range(3000)]
    dice = random.Random()
    dice.shuffle(words)
    return collections.Counter({word: 1 + len(word) % 3 for word in words})


def test_the_same_words_in_any_order_give_the_same_pieces():
    first = learn_pieces(many_words(), size=400, coverage=0.999)
    assert len(first) == 400
    assert all(learn_pieces(many_words(), size=400, coverage=0.999) == first for _ in range(3))


def test_words_are_counted_as_the_tokenizer_splits_them():
    words = count_words(["Don't don\u200bt 語a", "\u00c9t\u00e9  ÉTÉ " + "x" * 201], TextSettings())
    assert words == {"don": 1, "'": 1, "t": 1, "dont": 1, "語": 1, "a": 1, "ete": 2}
    assert count_words(["ÉTÉ 語a"], TextSettings(False, False, False)) == {"ÉTÉ": 1, "語a": 1}


def test_memory_is_bounded_by_forgetting_the_rarest_words(monkeypatch):
    monkeypatch.setattr(wordpiece_training, "MOST_COUNTED_WORDS", 10)
    lines = ["the of the of and", *(f"rare{number} the" for number in range(100))]
    words = count_words(lines, TextSettings())
    assert words["the"] == 102 and words["of"] == 2 and len(words) <= 11


def spelled_out(words):
    return collections.Counter(" ".join(wordpiece_training._spelled_out(words)).split())


def test_large_counts_are_scaled_down_without_losing_a_word(monkeypatch):
    monkeypatch.setattr(wordpiece_training, "MOST_TRAINED_WORDS", 100)
    spelled = spelled_out({"a": 3_000_000, "b": 1_000_000, "c": 1})
    assert spelled == {"a": 75, "b": 25, "c": 1}


def test_each_word_is_spelled_out_as_often_as_it_was_counted():
    assert spelled_out({"a": 23_456, "b": 10_000, "c": 1}) == {"a": 23_456, "b": 10_000, "c": 1}


def test_the_alphabet_covers_a_share_of_the_text_most_frequent_first():
    words = collections.Counter({"aab": 30, "cd": 5, "e": 1})  # a 60, b 30, c 5, d 5, e 1
    assert choose_alphabet(words, 0.5) == {"a"}
    assert choose_alphabet(words, 0.9) == {"a", "b", "c"}
    assert choose_alphabet(words, 1.0) == set("abcde")
    assert choose_alphabet(words, 0.5, at_least=4) == set("abcd")


def test_words_with_a_rare_character_teach_nothing():
    words = collections.Counter({"abab": 500, "zzqzzq": 2})
    pieces = learn_pieces(words, size=9, coverage=0.5)
    assert pieces == [*SPECIAL_PIECES, "a", "b", "##a", "##b"]
    assert not any("z" in piece for piece in learn_pieces(words, size=11, coverage=0.99))


def test_a_size_below_the_alphabet_is_refused():
    with pytest.raises(InputError, match="vocabulary_size=12 is too small: .* alone make 17; choose a larger size"):
        learn_pieces(collections.Counter({"abcdef": 9, "fedcba": 9}), size=12, coverage=1.0)
