import os
import subprocess
import sys

import hypothesis
import pytest
import tensorflow as tf

from electra_tf.text import characters
from electra_tf.text.basic_tokenizer import normalize, raw_word_pattern, split_at_punctuation
from electra_tf.text.corpus import read_corpus
from electra_tf.text.graph_tokenizer import GraphTokenizer, clean
from electra_tf.text.tokenizer import Tokenizer
from electra_tf.text.vocabulary import TextSettings, Vocabulary
from tests.oracles.shared import shared_path
from tests.text import cases

SURROGATES = set(map(chr, range(0xD800, 0xE000)))


class Twins:
    """The two tokenizers of one vocabulary; the graph's is compiled once."""

    def __init__(self, vocabulary):
        self.settings = vocabulary.settings
        self.bulk = Tokenizer(vocabulary)
        in_graph = GraphTokenizer(vocabulary)
        self.in_graph = tf.function(lambda texts: (clean(texts, vocabulary.settings), in_graph(texts)),
                                    input_signature=[tf.TensorSpec([None], tf.string)])

    def differences(self, texts):
        """The texts (str or bytes) whose cleaned words or ids are not the same in both."""
        encoded = [text if isinstance(text, bytes) else text.encode("utf-8", "ignore") for text in texts]
        cleaned, ids = self.in_graph(tf.constant(encoded, tf.string))
        answers = zip(texts, cleaned.numpy(), ids.to_list(), strict=True)
        return [text for text, words, ids in answers
                if words.decode().split() != self.words_in_bulk(text) or ids != self.bulk.ids(text)]

    def words_in_bulk(self, text):
        text = text.decode("utf-8", "ignore") if isinstance(text, bytes) else text
        return [word for raw_word in raw_word_pattern(self.settings).findall(text)
                for word in split_at_punctuation(normalize(raw_word, self.settings).text)]


@pytest.fixture(scope="module", params=cases.ALL_SETTINGS, ids=str)
def twins(request):
    return Twins(cases.own_vocabulary(request.param))


@pytest.mark.parametrize("mode", cases.MODES)
def test_every_case_of_the_original_gives_its_ids_in_the_graph(mode):
    tokenizer = GraphTokenizer(cases.original_vocabulary(mode))
    expected = cases.original_cases()
    answers = tokenizer(tf.constant([case["text"] for case in expected])).to_list()
    assert answers == [case[mode]["ids"] for case in expected]


def test_each_fragment_alone_and_beside_each_other_one_is_the_same_in_both(twins):
    short = [fragment for fragment in cases.FRAGMENTS if len(fragment) < 50]
    pairs = [first + second for first in short for second in short]
    assert twins.differences(cases.FRAGMENTS + pairs) == []


def test_broken_utf8_is_the_same_in_both(twins):
    texts = [before + broken + after for broken in cases.BROKEN_BYTES for before in (b"", b"the", b"\xf0\x9f")
             for after in (b"", b"un", b"\x80", b" \xce\xa3", *cases.BROKEN_BYTES)]
    assert twins.differences(texts) == []


@hypothesis.settings(max_examples=100)
@hypothesis.given(texts=hypothesis.strategies.lists(cases.any_text | cases.any_bytes, max_size=8))
def test_any_batch_of_text_or_bytes_is_the_same_in_both(twins, texts):
    assert twins.differences(texts) == []


@pytest.mark.parametrize("settings", [
    TextSettings(), pytest.param(TextSettings(strip_accents=False), marks=pytest.mark.slow)], ids=str)
def test_every_character_is_treated_the_same_in_both(settings):
    """Alone, and where a capital sigma asks whether it is a letter; of ideographs and deleted ranges the two ends."""
    many = characters.characters_of(characters.CJK + characters.DELETED)
    ends = {chr(code_point) for ends in characters.CJK + characters.DELETED for code_point in ends}
    tested = sorted(ends | {chr(code_point) for code_point in range(0x110000)} - many - SURROGATES)
    assert len(tested) > 60_000
    twins, patterns = Twins(cases.own_vocabulary(settings)), ("{}", "Α{}Σ", "{}Σ", "ΑΣ{}Β", "a{}\u0301b")
    texts = [" ".join(pattern.format(character) for pattern in patterns) for character in tested]
    cleaned, _ = twins.in_graph(tf.constant([text.encode("utf-8", "ignore") for text in texts]))
    different = [text for text, words in zip(texts, cleaned.numpy(), strict=True)
                 if words.decode().split() != twins.words_in_bulk(text)]
    assert different == []


@pytest.mark.parametrize("language", ["tr_TR.UTF-8", pytest.param("lt_LT.UTF-8", marks=pytest.mark.slow)])
def test_the_language_of_the_machine_changes_nothing(language):
    script = ("import tensorflow as tf; from electra_tf.text.graph_tokenizer import clean;"
              "from electra_tf.text.vocabulary import TextSettings;"
              "texts = tf.constant(['IİÌÍĨĮJ', 'I\\u0307', 'Ì\\u0300']);"
              "print(*(text.decode() for text in clean(texts, TextSettings(strip_accents=False)).numpy()), sep='|')")
    environment = {**os.environ, "LC_ALL": language, "LANG": language, "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, encoding="utf-8",
                          check=True)
    assert done.stdout.strip() == "|".join(text.lower() for text in ("IİÌÍĨĮJ", "I\u0307", "Ì\u0300"))


def test_batches_without_texts_and_texts_without_words_are_answered():
    tokenizer = GraphTokenizer(cases.own_vocabulary(TextSettings()))
    assert tokenizer(tf.constant([], tf.string)).to_list() == []
    the = cases.own_vocabulary(TextSettings()).id_of("the")
    assert tokenizer(tf.constant(["", " ", "\u200b", "the"])).to_list() == [[], [], [], [the]]


def test_a_megabyte_of_words_and_a_megabyte_without_a_space_are_answered():
    tokenizer = GraphTokenizer(cases.own_vocabulary(TextSettings()))
    lengths = tokenizer(tf.constant(["the " * 250_000, "y" * 1_000_000, "é," * 330_000])).row_lengths()
    assert lengths.numpy().tolist() == [250_000, 1, 660_000]


def test_cleaning_leaves_words_between_spaces():
    assert clean(tf.constant(["Café\u00a0语!"]), TextSettings()).numpy()[0].split() == [b"cafe", "语".encode(), b"!"]


def lines_of(pattern, num_bytes):
    """Lines of a corpus, at least `num_bytes` of UTF-8."""
    folder, _, name = pattern.rpartition("/")
    found, size = [], 0
    for document in read_corpus(shared_path(f"data/pretrain/{folder}") / name):
        found += document.lines
        size += sum(len(line.encode()) for line in document.lines)
        if size >= num_bytes:
            return found
    raise AssertionError(f"{pattern} holds only {size} bytes")


@pytest.mark.parametrize(("pattern", "settings"), [
    ("wiki_en/train-00.txt.xz", TextSettings()), ("novels_en/train-01.txt.xz", TextSettings(False, False)),
    ("novels_de/train-00.txt.xz", TextSettings(strip_accents=False)), ("zh/wiki_zh-train.txt.xz", TextSettings())])
def test_real_text_is_the_same_in_both(pattern, settings):
    """1.3 MB each of four languages and styles, 5.2 MB in all."""
    lines = lines_of(pattern, 1_300_000)
    twins = Twins(Vocabulary.from_file(shared_path("oracles/original/vocab_5k.txt"), settings))
    different = [line for first in range(0, len(lines), 1000) for line in twins.differences(lines[first:first + 1000])]
    assert different == []
