"""The tagger: its head and loss, long texts, offsets into the user's text, folders, and what it refuses."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from electra_tf.config import FineTuningConfig
from electra_tf.errors import InputError
from electra_tf.model.convert_checkpoint import convert_checkpoint
from electra_tf.model.encoder import ElectraEncoder
from electra_tf.tasks.tagging.tag_schemes import labels_of, misplaced_tags
from electra_tf.tasks.tagging.tagging_loss import NOT_ASKED, WordAccuracy, tagging_losses
from electra_tf.tasks.tagging.tagging_scores import tagging_scores
from electra_tf.tasks.tagging.token_classification import ElectraTokenClassifier
from electra_tf.text.preprocessor import TextPreprocessor
from tests.oracles import hugging_face
from tests.tasks.tagging.moods import moods
from tests.tasks.tiny import save_networks, scatter_weights, tiny_config, tiny_vocabulary

LABELS = labels_of(["BAD", "GOOD"], "IOB2")
EMPTY = "\u00ad"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return save_networks(tmp_path_factory.mktemp("run"))


def new_tagger(*, labels=LABELS, seed=0, sequence_length=20, is_scattered=True, **settings):
    keras.utils.set_random_seed(seed)
    config = tiny_config(hidden_dropout=0.0, attention_dropout=0.0)
    tagger = ElectraTokenClassifier(
        ElectraEncoder(config), labels=labels, preprocessor=TextPreprocessor(tiny_vocabulary(), sequence_length),
        **settings)
    if is_scattered:
        scatter_weights(tagger, seed=seed)
    tagger.compile(run_eagerly=True)  # a graph for a few sentences costs more than it saves
    return tagger


def test_logits_are_those_of_hugging_face():
    name = "token_classification"
    tagger = ElectraTokenClassifier.from_preset(hugging_face.folder_of(name))
    assert tagger.labels[:3] == ("O", "B-PER", "I-PER") and tagger.scheme == "IOB2" and tagger.segment_id == 0
    logits, outputs = tagger(hugging_face.inputs_of(name)), hugging_face.arrays_of(name, "outputs")
    np.testing.assert_allclose(logits, outputs["logits"], atol=hugging_face.OUTPUT_TOLERANCE)
    # The library takes the mean over the words, the original their sum.
    labels = hugging_face.labels_of(name)["labels"]
    asked = np.where(labels >= 0, labels, NOT_ASKED).astype(np.int32)
    assert (labels < 0).any()
    loss = tf.reduce_sum(tagging_losses(logits, asked)) / (labels >= 0).sum()
    np.testing.assert_allclose(loss, outputs["loss"], atol=hugging_face.LOSS_TOLERANCE)


def test_the_loss_is_the_sum_over_the_asked_pieces():
    random = np.random.default_rng(0)
    logits, labels = random.normal(size=[3, 5, 4]).astype(np.float32), random.integers(-1, 4, [3, 5]).astype(np.int32)
    expected = [sum(np.log(np.exp(row).sum()) - row[label] for row, label in zip(rows, own) if label >= 0)
                for rows, own in zip(logits, labels)]
    np.testing.assert_allclose(tagging_losses(logits, labels), expected, rtol=1e-5)


def test_accuracy_counts_the_asked_pieces_of_rows_with_weight():
    metric = WordAccuracy()
    logits = np.eye(3, dtype=np.float32)[[[0, 1, 2], [1, 1, 1]]]
    metric.update_state(tf.constant([[0, 2, NOT_ASKED], [1, 1, 0]]), logits, sample_weight=tf.constant([1.0, 0.0]))
    assert metric.result() == 0.5
    metric.update_state(tf.constant([[0, 2, NOT_ASKED], [1, 1, 0]]), logits)
    assert float(metric.result()) == pytest.approx(4 / 7)


def test_a_tagger_learns_spans():
    tagger = new_tagger(is_scattered=False)
    tagger.compile(settings=FineTuningConfig(learning_rate=3e-3, batch_size=16, dropout=0.0, layer_decay=1.0))
    history = tagger.fit(*moods(200, seed=1), epochs=10, verbose=0, validation_data=moods(30, seed=2))
    assert history.history["loss"][-1] < 0.4 * history.history["loss"][0]
    assert history.history["val_accuracy"][-1] > 0.8
    sentences, tags = moods(40, seed=3)
    found = [[word.tag for word in answer.words] for answer in tagger.predict(sentences)]
    assert tagging_scores(tags, found, scheme="IOB2").micro.f1 > 0.6
    assert tagger.evaluate(sentences, tags, return_dict=True, verbose=0)["accuracy"] > 0.8
    spans = tagger.predict(["The good fine film was awful!"])[0].spans
    assert [(span.text, span.type) for span in spans] == [("good fine", "GOOD"), ("awful", "BAD")]


def test_offsets_lie_in_the_users_own_text():
    tagger = new_tagger(scheme="IOB1")
    texts = ["  Good,\tfilm\u00adA!  ", "", "a\u0301b good", "  小明在北京。good电影"]
    for text, answer in zip(texts, tagger.predict(texts), strict=True):
        assert [text[word.start:word.end] for word in answer.words] == [word.word for word in answer.words]
        assert all(text[span.start:span.end] == span.text for span in answer.spans)
    assert [word.word for word in tagger.predict(texts[:1])[0].words] == ["Good", ",", "film\u00adA", "!"]
    assert [word.word for word in tagger.predict(texts[-1:])[0].words] == [*"小明在北京。", "good", *"电影"]


def test_words_are_joined_by_spaces():
    answer = new_tagger().predict([["New York", "was", "", "fine"]])[0]
    text = "New York was  fine"
    assert [(word.word, word.start) for word in answer.words] == [("New York", 0), ("was", 9), ("", 13), ("fine", 14)]
    assert [text[word.start:word.end] for word in answer.words] == ["New York", "was", "", "fine"]


def test_a_word_without_pieces_is_outside_of_all_spans():
    tagger = new_tagger(seed=5)
    for answer in tagger.predict([[EMPTY, "good", EMPTY, "awful", "ab", EMPTY] * 3]):
        empty = [word for word in answer.words if word.word == EMPTY]
        assert len(empty) == 9 and {(word.tag, word.probability) for word in empty} == {("O", None)}
        assert misplaced_tags([word.tag for word in answer.words], "IOB2") == []


def test_a_plain_tagger_gives_a_word_without_pieces_the_tag_that_it_was_told():
    tagger = new_tagger(labels=("ADJ", "NOUN"), empty_word_tag="NOUN")
    answer = tagger.predict([["good", EMPTY]])[0]
    assert answer.words[1].tag == "NOUN" and answer.spans is None
    assert new_tagger(labels=("ADJ", "NOUN")).empty_word_tag == "ADJ"


@pytest.mark.parametrize("scheme", ["IOB1", "IOB2", "BIOES"])
def test_tags_are_well_formed_whatever_the_weights(scheme):
    tagger = new_tagger(labels=labels_of(["X", "Y"], scheme), scheme=scheme, seed=7)
    sentences, _ = moods(20, seed=4, longest=40)
    for answer in tagger.predict(sentences):
        assert misplaced_tags([word.tag for word in answer.words], scheme) == []


def test_long_texts_are_tagged_to_their_end():
    tagger = new_tagger(sequence_length=12, stride=4)
    words = moods(30, seed=9)[0]
    long = [word for sentence in words for word in sentence]
    scores, = tagger.predict_encoded(tagger.encode([long]))
    assert len(scores) == len(long) > 100
    # A word in the middle is judged by the window around it, which a numpy slice of the words is.
    encoded = tagger.encode([long])
    row, place = encoded.window_of_word[50], encoded.place_of_word[50]
    window = long[50 - (place - 1):][:encoded.lengths[row] - 2]
    alone, = tagger.predict_encoded(tagger.encode([window]))
    np.testing.assert_allclose(scores[50], alone[place - 1], atol=1e-5)
    assert 3 <= place <= 8


def test_training_on_windows_asks_each_word_once():
    tagger = new_tagger(sequence_length=12)
    sentences, tags = moods(3, seed=1, longest=40)
    encoded = tagger.encode(sentences)
    labels = tagger.labels_for(encoded, tags).values
    assert len(encoded) > 3 and (labels != NOT_ASKED).sum() == sum(map(len, sentences))


def test_the_batch_size_does_not_change_the_answers():
    tagger, sentences = new_tagger(), moods(9, seed=2)[0]
    one, many = (tagger.predict_encoded(tagger.encode(sentences), batch_size=size) for size in (1, 64))
    for left, right in zip(one, many, strict=True):
        np.testing.assert_allclose(left, right, atol=1e-5)


def test_a_folder_gives_the_same_tagger(tmp_path):
    tagger = new_tagger(labels=("N", "V", "X"), label_pieces="all", stride=5, segment_id=1, empty_word_tag="V")
    tagger.save_to_preset(tmp_path / "tagger")
    again = ElectraTokenClassifier.from_preset(tmp_path / "tagger")
    again.compile(run_eagerly=True)
    sentences = moods(5, seed=1)[0]
    assert again.predict(sentences) == tagger.predict(sentences)
    assert vars(again)["labels"] == tagger.labels
    for name in ("scheme", "label_pieces", "stride", "segment_id", "empty_word_tag"):
        assert getattr(again, name) == getattr(tagger, name)
    # A new head keeps how the folder's tagger reads texts, and nothing of its labels.
    fresh = ElectraTokenClassifier.from_preset(tmp_path / "tagger", labels=LABELS)
    assert (fresh.scheme, fresh.segment_id, fresh.empty_word_tag) == ("IOB2", 1, "O")
    np.testing.assert_array_equal(fresh.encoder.weights[0], tagger.encoder.weights[0])


def test_a_tagger_comes_back_from_hugging_faces_format(tmp_path):
    tagger = new_tagger()
    tagger.save_to_preset(tmp_path / "ours")
    convert_checkpoint(tmp_path / "ours", tmp_path / "theirs", to="huggingface")
    again = ElectraTokenClassifier.from_preset(tmp_path / "theirs")
    assert (again.labels, again.scheme, again.segment_id) == (LABELS, "IOB2", 0)
    features = {"token_ids": tf.constant([[2, 9, 14, 3]])}
    np.testing.assert_allclose(again(features), tagger(features), atol=1e-6)


@pytest.mark.parametrize(("name", "one", "other"), [
    ("label_pieces", "first", "all"), ("stride", 4, 9), ("segment_id", 0, 1), ("empty_word_tag", "O", "B-BAD"),
    ("scheme", "IOB1", "plain")])
def test_each_setting_is_alive(name, one, other):
    sentences = [["abcd", "good", EMPTY, "xyz", "was"] * 6]
    left, right = (new_tagger(seed=3, sequence_length=16, **{name: value}).predict(sentences) for value in (one, other))
    assert left != right


def test_pretrained_weights_are_loaded_or_left_out(run):
    folder = run / "discriminator"
    encoder = ElectraEncoder.from_preset(folder)
    loaded = ElectraTokenClassifier.from_preset(folder, labels=LABELS, dropout=0.3)
    np.testing.assert_array_equal(loaded.encoder.weights[0], encoder.weights[0])
    assert loaded.encoder.config.hidden_dropout == 0.3 and loaded.preprocessor.sequence_length == 40
    fresh = ElectraTokenClassifier.from_preset(folder, labels=LABELS, load_weights=False)
    assert np.abs(fresh.encoder.weights[0] - encoder.weights[0].numpy()).max() > 0.01


@pytest.mark.parametrize(("settings", "message"), [
    ({"labels": ["O"]}, "two or more names, each once"),
    ({"scheme": "BIO"}, "scheme='BIO' is not known; choose one of IOB1, IOB2, BIOES, plain"),
    ({"label_pieces": "last"}, "label_pieces='last' is not known; choose one of first, all"),
    ({"segment_id": 2}, "segment_id=2 must be 0 or 1"),
    ({"empty_word_tag": "X"}, "empty_word_tag='X' is none of the labels O, B-BAD"),
    ({"sequence_length": 41}, "sequence_length=41 exceeds the model's max_positions=40"),
    ({"stride": 19}, "stride=19 must lie between 1 and 18"),
])
def test_what_does_not_fit_is_refused(settings, message):
    with pytest.raises(InputError, match=message):
        new_tagger(**settings)


@pytest.mark.parametrize(("x", "y", "message"), [
    ("good film", None, "a single string; give a list of strings"),
    ([3], None, r"texts\[0\] is 3; expected a string, or a list of words"),
    ([["good", 3]], [["O", "O"]], r"texts\[0\], word 1, is 3; expected a string"),
    ([["good"], ["film"]], [["O"]], "2 sentences and 1 lists of tags"),
    ([["good", "film"]], [["O"]], "sentence 0 has 2 words and 1 tags"),
    ([["good", "film"]], [["O", "B-X"]], "sentence 0, word 1: tag 'B-X' is unknown; expected one of O, B-BAD"),
])
def test_texts_and_tags_that_do_not_fit_are_refused(x, y, message):
    with pytest.raises(InputError, match=message):
        new_tagger().fit(x, y)


def test_folders_that_hold_no_tagger_are_refused(run):
    with pytest.raises(InputError, match="kind 'discriminator'; give the labels of the new token_classifier"):
        ElectraTokenClassifier.from_preset(run / "discriminator")
    with pytest.raises(InputError, match="kind 'generator', which only proposes words"):
        ElectraTokenClassifier.from_preset(run / "generator", labels=LABELS)
