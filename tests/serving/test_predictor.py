"""One Predictor for every kind of model: labels, pieces for [MASK], words that look replaced."""

import concurrent.futures
import shutil

import numpy as np
import pytest
import tensorflow as tf

from electra_tf.errors import InputError
from electra_tf.model.encoder import ElectraEncoder
from electra_tf.model.networks import ElectraDiscriminator, ElectraGenerator
from electra_tf.serving.predictor import Predictor
from electra_tf.serving.word_networks import FilledMasks, JudgedWords
from tests.serving.conftest import LABELS
from tests.tasks.tiny import tiny_config, tiny_vocabulary

TEXTS = ["a good film!", "", "the plot was dull and the film was very awful and bad"]
VOCABULARY = tiny_vocabulary()


def test_a_tuned_model_and_its_export_give_the_same_labels(models, exports, single):
    expected = single.predict(TEXTS, verbose=0)
    for model in (models / "single", exports / "single", exports / "single" / "1"):
        predictor = Predictor(model)
        answers = predictor.predict(TEXTS)
        assert not predictor.takes_pairs and predictor.predict([]) == []
        for answer, row in zip(answers, expected, strict=True):
            assert answer.label == LABELS[row.argmax()]
            assert answer.probabilities == pytest.approx(dict(zip(LABELS, row, strict=True)), abs=1e-5)


def test_threads_of_a_server_get_the_answers_that_one_alone_gets(models):
    predictor = Predictor(models / "single", engine="tensorflow")
    requests = [TEXTS[:1 + number % 3] * (1 + number % 5) for number in range(24)]
    expected = list(map(predictor.predict, requests))
    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        for found, alone in zip(threads.map(predictor.predict, requests), expected, strict=True):
            assert [answer.label for answer in found] == [answer.label for answer in alone]
            for answer, other in zip(found, alone, strict=True):
                assert answer.probabilities == pytest.approx(other.probabilities, abs=1e-6)


def test_pairs_are_classified(models, exports):
    pairs = [("good", "a bad film"), ("the " * 30, ""), ("x", "fine")]
    first, second = (Predictor(folder / "pairs") for folder in (models, exports))
    assert first.takes_pairs and second.takes_pairs
    assert [answer.label for answer in first.predict(pairs)] == [answer.label for answer in second.predict(pairs)]
    with pytest.raises(InputError, match="takes pairs of texts and got single ones"):
        second.predict(["a"])


def test_the_newest_version_of_an_export_is_taken(exports, tmp_path):
    export = shutil.copytree(exports / "single", tmp_path / "export")
    (export / "1").rename(export / "12")
    shutil.copytree(exports / "pairs" / "1", export / "2")
    assert Predictor(export).predict(["a good film!"])[0].label in LABELS


def special(*ids):
    return [VOCABULARY.cls_id, *ids, VOCABULARY.sep_id]


def test_a_generator_fills_every_mask(models):
    generator = ElectraGenerator.from_preset(models / "generator")
    film, good, mask = (VOCABULARY.id_of(piece) for piece in ("film", "good", "[MASK]"))
    texts = ["[MASK] film[MASK]good", "a film", "[MASK]"]
    answers = Predictor(models / "generator", top_k=3).predict(texts)
    for answer, ids in zip(answers, (special(mask, film, mask, good), None, special(mask)), strict=True):
        assert isinstance(answer, FilledMasks) and not answer.truncated
        if ids is None:
            assert answer.masks == ()
            continue
        probabilities = tf.nn.softmax(generator(tf.constant([ids])))[0].numpy()
        places = np.flatnonzero(np.array(ids) == mask)
        assert len(answer.masks) == len(places)
        for candidates, row in zip(answer.masks, probabilities[places], strict=True):
            best = [place for place in np.argsort(-row) if place >= 5][:3]  # no special piece is ever proposed
            assert [candidate.piece for candidate in candidates] == [VOCABULARY.pieces[place] for place in best]
            assert [candidate.probability for candidate in candidates] == pytest.approx(row[best], abs=1e-5)


def test_a_discriminator_judges_words_at_their_places_in_the_users_string(models):
    discriminator = ElectraDiscriminator.from_preset(models / "discriminator")
    text = "  A góod qxz film"
    answer = Predictor(models / "discriminator").predict(["x", text])[1]
    assert [(word.word, word.start, word.end) for word in answer.words] == [
        ("A", 2, 3), ("góod", 4, 8), ("qxz", 9, 12), ("film", 13, 17)]
    pieces = ("a", "good", "q", "##x", "##z", "film")
    logits = discriminator(tf.constant([special(*map(VOCABULARY.id_of, pieces))]))[0, 1:-1].numpy()
    probabilities = 1 / (1 + np.exp(-logits))
    expected = [probabilities[0], probabilities[1], probabilities[2:5].max(), probabilities[5]]
    assert [word.probability for word in answer.words] == pytest.approx(expected, abs=1e-5)


def test_a_long_text_is_cut_and_says_so(models):
    judged = Predictor(models / "discriminator", sequence_length=11).predict(["film " * 9, "film " * 10])
    assert [(len(answer.words), answer.truncated) for answer in judged] == [(9, False), (9, True)]
    texts = ["film " * 8 + "[MASK]", "film " * 9 + "[MASK]"]
    filled = Predictor(models / "generator", sequence_length=11).predict(texts)
    assert [(len(answer.masks), answer.truncated) for answer in filled] == [(1, False), (0, True)]
    # 500 positions are more than the model has.
    assert len(Predictor(models / "discriminator", sequence_length=500).predict(["film " * 99])[0].words) == 38


def test_a_pretraining_run_fills_masks_and_judges_other_texts(models):
    run = Predictor(models).predict(["a film", "a [MASK]", "good"])
    assert [type(answer) for answer in run] == [JudgedWords, FilledMasks, JudgedWords]
    assert [[word.word for word in answer.words] for answer in run[::2]] == [["a", "film"], ["good"]]
    assert [len(candidates) for candidates in run[1].masks] == [5]


def test_a_folder_that_cannot_answer_is_refused(exports, tmp_path):
    ElectraEncoder(tiny_config()).save_to_preset(tmp_path / "encoder", vocabulary=VOCABULARY)
    with pytest.raises(InputError, match="holds a model of kind 'encoder', which answers nothing by itself"):
        Predictor(tmp_path / "encoder")
    with pytest.raises(InputError, match="none is not a model folder"):
        Predictor(tmp_path / "none")
    shutil.copytree(exports / "single" / "1", tmp_path / "alone")
    with pytest.raises(InputError, match="alone is a SavedModel without its export.json; give the folder that"):
        Predictor(tmp_path / "alone")
