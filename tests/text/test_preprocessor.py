import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from electra_tf.errors import InputError
from electra_tf.text.preprocessor import TextPreprocessor, pack
from electra_tf.text.tokenizer import Tokenizer
from electra_tf.text.vocabulary import TextSettings, Vocabulary

LETTERS = "abcdefgh"
# The special pieces stand in an order of their own, so that an id taken for granted shows.
VOCABULARY = Vocabulary(["x", "[SEP]", "[CLS]", "[UNK]", "[MASK]", "[PAD]", *LETTERS, "é",
                         *(f"##{letter}" for letter in LETTERS)], TextSettings(strip_accents=False))
PAD, CLS, SEP = VOCABULARY.pad_id, VOCABULARY.cls_id, VOCABULARY.sep_id
NAMES = ("token_ids", "segment_ids", "padding_mask")


def packed_slowly(first, second, length):
    """One row as the original packs it: the longer text loses its last piece until both fit."""
    first, second = list(first), list(second)
    while second and len(first) + len(second) > length - 3:
        (first if len(first) > len(second) else second).pop()
    first = first if second else first[:length - 2]
    token_ids = [CLS, *first, SEP] + ([*second, SEP] if second else [])
    segment_ids = [0] * (len(first) + 2) + [1] * (len(token_ids) - len(first) - 2)
    padding = length - len(token_ids)
    return token_ids + [PAD] * padding, segment_ids + [0] * padding, [1] * len(token_ids) + [0] * padding


def as_lists(packed):
    assert all(packed[name].dtype == tf.int32 for name in NAMES)
    return [tuple(packed[name][row].numpy().tolist() for name in NAMES) for row in range(len(packed["token_ids"]))]


@pytest.mark.parametrize("length", [4, 5, 8, 11])
def test_pairs_of_all_lengths_are_packed_as_the_slow_rule_says(length):
    sizes = [(a, b) for a in range(14) for b in range(14)]
    first = [list(range(6, 6 + a)) for a, _ in sizes]
    second = [list(range(30, 30 + b)) for _, b in sizes]
    packed = pack(tf.ragged.constant(first, tf.int32), tf.ragged.constant(second, tf.int32), sequence_length=length,
                  vocabulary=VOCABULARY)
    for row, a, b in zip(as_lists(packed), first, second, strict=True):
        assert row == packed_slowly(a, b, length), (a, b)


@pytest.mark.parametrize("length", [4, 9])
def test_single_texts_are_cut_before_the_last_separator(length):
    first = [list(range(6, 6 + size)) for size in range(13)]
    packed = pack(tf.ragged.constant(first, tf.int32), sequence_length=length, vocabulary=VOCABULARY)
    assert as_lists(packed) == [packed_slowly(a, [], length) for a in first]


TEXTS = ["Abba cabé", "", "h\udcff", "\xa0"]
FORMS = {"list": list(TEXTS), "tensor": tf.constant([text.encode("utf-8", "ignore") for text in TEXTS]),
         "array of objects": np.array(TEXTS, dtype=object), "array of str": np.array(TEXTS),
         "list of bytes": [text.encode("utf-8", "surrogateescape") for text in TEXTS]}


@pytest.mark.parametrize("form", FORMS)
def test_texts_come_in_any_form(form):
    packed = TextPreprocessor(VOCABULARY, sequence_length=9)(FORMS[form])
    tokenizer = Tokenizer(VOCABULARY)
    assert as_lists(packed) == [packed_slowly(tokenizer.ids(text), [], 9) for text in TEXTS]


def test_a_tuple_is_a_pair_and_a_second_text_without_words_is_none():
    packed = TextPreprocessor(VOCABULARY, 9)((["ab", "ab", "ab"], np.array(["c", "", " \u200b"], dtype=object)))
    a, ab = VOCABULARY.id_of("a"), [VOCABULARY.id_of("a"), VOCABULARY.id_of("##b")]
    assert a != ab[1]
    assert as_lists(packed) == [packed_slowly(ab, [VOCABULARY.id_of("c")], 9)] + 2 * [packed_slowly(ab, [], 9)]


def test_a_single_string_gives_a_single_row():
    preprocessor = TextPreprocessor(VOCABULARY, sequence_length=6)
    assert preprocessor("ab")["token_ids"].numpy().tolist() == packed_slowly(Tokenizer(VOCABULARY).ids("ab"), [], 6)[0]
    assert preprocessor(("ab", "c"))["segment_ids"].numpy().tolist() == [0, 0, 0, 0, 1, 1]


def test_an_empty_batch_gives_no_rows():
    packed = TextPreprocessor(VOCABULARY, sequence_length=7)([])
    assert {name: packed[name].shape.as_list() for name in NAMES} == dict.fromkeys(NAMES, [0, 7])
    assert TextPreprocessor(VOCABULARY)(([], []))["token_ids"].shape == (0, 128)


def test_a_megabyte_is_cut_to_the_length():
    packed = TextPreprocessor(VOCABULARY, sequence_length=5)((["a " * 500_000, "b"], ["c", "d" * 1_000_000]))
    a, b, c = map(VOCABULARY.id_of, "abc")
    assert packed["token_ids"].numpy().tolist() == [[CLS, a, SEP, c, SEP], [CLS, b, SEP, VOCABULARY.unk_id, SEP]]


def test_tokenize_gives_all_ids_without_special_pieces():
    ids = TextPreprocessor(VOCABULARY, sequence_length=4).tokenize(["abcdefgh a", ""])
    assert ids.to_list() == [Tokenizer(VOCABULARY).ids("abcdefgh a"), []]


def test_it_works_inside_tf_data_with_and_without_a_batch():
    preprocessor = TextPreprocessor(VOCABULARY, sequence_length=8)
    expected = preprocessor((["ab", "c"], ["d", "éé"]))
    texts = tf.data.Dataset.from_tensor_slices((["ab", "c"], ["d", "éé"]))
    for dataset in (texts.batch(2).map(lambda a, b: preprocessor((a, b))),
                    texts.map(lambda a, b: preprocessor((a, b))).batch(2)):
        assert dataset.element_spec["token_ids"].shape.as_list() == [None, 8]
        assert as_lists(next(iter(dataset))) == as_lists(expected)


def test_in_a_keras_model_it_is_saved_and_loaded_whole(tmp_path):
    texts = keras.Input((), dtype="string")
    model = keras.Model(texts, TextPreprocessor(VOCABULARY, sequence_length=6, name="text")(texts))
    assert model.output["token_ids"].shape == (None, 6)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    batch = tf.constant(["abc", "Éa"])
    assert as_lists(again(batch)) == as_lists(model(batch))
    assert again.get_layer("text").vocabulary == VOCABULARY


def test_pairs_pass_through_a_keras_model():
    first, second = keras.Input((), dtype="string"), keras.Input((), dtype="string")
    model = keras.Model([first, second], TextPreprocessor(VOCABULARY, sequence_length=8)((first, second)))
    packed = model([tf.constant(["ab", "c"]), tf.constant(["d", ""])])
    assert as_lists(packed) == as_lists(TextPreprocessor(VOCABULARY, sequence_length=8)((["ab", "c"], ["d", ""])))


def test_it_answers_strings_from_a_saved_model_in_a_fresh_process(tmp_path):
    module = tf.Module()
    module.preprocessor = TextPreprocessor(VOCABULARY, sequence_length=6)
    module.serve = tf.function(lambda texts: module.preprocessor(texts),
                               input_signature=[tf.TensorSpec([None], tf.string)])
    tf.saved_model.save(module, tmp_path / "saved")
    script = (f"import tensorflow as tf, tensorflow_text; model = tf.saved_model.load({str(tmp_path / 'saved')!r});"
              f"print(model.serve(tf.constant([b'abc', b'\\xff', b'\\xce\\xa3']))['token_ids'].numpy().tolist())")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, encoding="utf-8", check=True,
                          cwd=tmp_path)
    expected = module.preprocessor([b"abc", b"\xff", "Σ"])["token_ids"].numpy().tolist()
    assert done.stdout.strip() == str(expected)


def test_settings_reach_the_tokenizer():
    for settings, words in ((TextSettings(), "ab"), (TextSettings(lowercase=False), "Ab"),
                            (TextSettings(lowercase=False, strip_accents=False), "Áb")):
        vocabulary = Vocabulary(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", words, "##x"], settings)
        assert TextPreprocessor(vocabulary).tokenize(["Áb"]).to_list() == [[5]]
    vocabulary = Vocabulary([*VOCABULARY.pieces, "語", "##語"], TextSettings(split_cjk=False))
    assert TextPreprocessor(vocabulary).tokenize(["語語"]).to_list() == [[vocabulary.size - 2, vocabulary.size - 1]]
    vocabulary = Vocabulary([*VOCABULARY.pieces[:6], "語"])  # without any piece that continues a word
    assert TextPreprocessor(vocabulary).tokenize(["語 ab語"]).to_list() == [[6, vocabulary.unk_id, 6]]
    vocabulary = Vocabulary(VOCABULARY.pieces, TextSettings(max_characters_per_word=2))
    assert TextPreprocessor(vocabulary).tokenize(["aaa"]).to_list() == [[vocabulary.unk_id]]


def test_what_is_not_a_string_is_refused():
    preprocessor = TextPreprocessor(VOCABULARY)
    with pytest.raises(InputError, match="texts: item 1 is nan, expected a string"):
        preprocessor(np.array(["a", float("nan")], dtype=object))
    with pytest.raises(InputError, match=r"texts have shape \(1, 2\).*give pairs as a tuple"):
        preprocessor([["a", "b"]])


def test_a_length_without_room_for_a_piece_is_refused():
    with pytest.raises(InputError, match="sequence_length=3 must be 4 or more"):
        TextPreprocessor(VOCABULARY, sequence_length=3)
