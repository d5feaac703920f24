"""Learning WordPiece pieces from counted words; the same words give the same pieces, in the same order, every time."""

import collections

import tokenizers

from electra_tf.errors import InputError
from electra_tf.text import basic_tokenizer
from electra_tf.text.pieces import CONTINUATION, SPECIAL_PIECES, UNK

# Bounds of memory and time on large corpora. Beyond the first, the rarest words are forgotten; beyond the second, all
# counts are scaled down, which no merge that matters notices.
MOST_COUNTED_WORDS = 2_000_000
MOST_TRAINED_WORDS = 100_000_000

_CHARACTERS_ALWAYS_KEPT = 256  # cheap, and enough for every letter and sign of most alphabets
_MIN_PAIR_COUNT = 2  # a pair of pieces seen once is chance, not a part of the language
_WORDS_PER_BATCH = 10_000


def count_words(lines, settings):
    """Counts the words of a text, cleaned and split as the tokenizer does it.

    Args:
        lines: iterable of str.
        settings: TextSettings.

    Returns:
        Counter of words, without those that the tokenizer calls too long.

    >>> count_words(["Be not afraid; be strong."], TextSettings())["be"]   # 2
    """
    pattern, raw_words = basic_tokenizer.raw_word_pattern(settings), collections.Counter()
    for line in lines:
        raw_words.update(pattern.findall(line))
        if len(raw_words) > MOST_COUNTED_WORDS:
            raw_words = _without_rarest(raw_words)
    words = collections.Counter()
    for raw_word, count in raw_words.items():
        for word in basic_tokenizer.split_at_punctuation(basic_tokenizer.normalize(raw_word, settings).text):
            if len(word) <= settings.max_characters_per_word:
                words[word] += count
    return words


def _without_rarest(counts):
    least = 1
    while len(counts) > MOST_COUNTED_WORDS // 2:
        least += 1
        counts = collections.Counter({word: count for word, count in counts.items() if count >= least})
    return counts


def choose_alphabet(words, coverage, *, at_least=0):
    """The most frequent characters that make up a share `coverage` of all characters of the text.

    Args:
        words: Counter of words.
        coverage: share of the characters of the text that must be covered, 0..1.
        at_least: number of characters to keep although fewer give the coverage.

    Returns:
        Set of characters; among equally frequent ones the lower code point goes first.

    >>> choose_alphabet(collections.Counter({"aab": 9, "c": 1}), 0.9)   # {'a', 'b'}
    """
    counts = collections.Counter()
    for word, count in words.items():
        for character in word:
            counts[character] += count
    needed, covered, alphabet = coverage * counts.total(), 0, set()
    for character, count in sorted(counts.items(), key=lambda entry: (-entry[1], entry[0])):
        if covered >= needed and len(alphabet) >= at_least:
            break
        alphabet.add(character)
        covered += count
    return alphabet


def learn_pieces(words, *, size, coverage):
    """Learns pieces: the special ones, the alphabet, then merges by how often two pieces meet.

    Args:
        words: Counter of words (`count_words`).
        size: the number of pieces wanted; fewer come back if the words hold no more pairs that occur twice.
        coverage: see `choose_alphabet`; a word with a character outside of the alphabet teaches nothing.

    Returns:
        List of pieces.

    Raises:
        InputError: the alphabet alone is larger than `size`.

    >>> learn_pieces(collections.Counter({"low": 5, "lower": 4}), size=16, coverage=1.0)[-2:]   # ['low', 'lower']
    """
    alphabet = choose_alphabet(words, coverage, at_least=min(_CHARACTERS_ALWAYS_KEPT, size // 4))
    words = {word: count for word, count in words.items() if alphabet.issuperset(word)}
    continuing = {character for word in words for character in word[1:]}
    pieces = [*SPECIAL_PIECES, *sorted(alphabet), *(CONTINUATION + character for character in sorted(continuing))]
    if len(pieces) > size:
        raise InputError(f"vocabulary_size={size} is too small: special pieces and single characters alone make "
                         f"{len(pieces)}; choose a larger size, or a character_coverage below {coverage}.")
    # The library numbers single characters in the order of a hash table, and breaks ties between merges by these
    # numbers: handing over the alphabet, in order, as special pieces makes the outcome the same every time.
    trainer = tokenizers.trainers.WordPieceTrainer(vocab_size=size, min_frequency=_MIN_PAIR_COUNT, show_progress=False,
                                                   special_tokens=pieces, continuing_subword_prefix=CONTINUATION)
    engine = tokenizers.Tokenizer(tokenizers.models.WordPiece(unk_token=UNK))
    engine.pre_tokenizer = tokenizers.pre_tokenizers.CharDelimiterSplit(" ")
    engine.train_from_iterator(_spelled_out(words), trainer)
    ids = engine.get_vocab()
    return sorted(ids, key=ids.get)


def _spelled_out(words):
    """Each word as often as it was counted, because the library can count but takes no counts."""
    scale = min(1.0, MOST_TRAINED_WORDS / max(1, sum(words.values())))
    for word, count in sorted(words.items()):
        remaining = max(1, round(count * scale))
        while remaining > 0:
            yield " ".join([word] * min(remaining, _WORDS_PER_BATCH))
            remaining -= _WORDS_PER_BATCH
