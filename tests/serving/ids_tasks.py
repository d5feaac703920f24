"""A tiny tagger, question answerer and multiple choice model of each kind, texts for them, and what Keras answers."""

import dataclasses

import keras
import numpy as np
import pytest

from electra_tf.model.encoder import ElectraEncoder
from electra_tf.tasks.ensemble import ensemble_of
from electra_tf.tasks.long_texts import windows_of
from electra_tf.tasks.multiple_choice import ElectraMultipleChoice, best_choices
from electra_tf.tasks.question_answering.options import QuestionAnswering
from electra_tf.tasks.question_answering.question_answerer import ElectraQuestionAnswerer
from electra_tf.tasks.tagging.tag_schemes import labels_of
from electra_tf.tasks.tagging.token_classification import ElectraTokenClassifier
from electra_tf.text.preprocessor import TextPreprocessor
from tests.tasks.tiny import scatter_weights, tiny_config, tiny_vocabulary

# Without repetition: rows of the same ids have the same scores, and rounding would choose between them.
LONG = "the plot was dull and the Film was\u200b véry awful! a lovely scene, very fine and a bad film. good"
TEXTS = ["A góod film!", "", LONG, "x \u00ad bad", "fine"]
PAIRS = [("a film", LONG), ("What was dull?", "the 🎬 plot"), ("a film", ""), ("x " * 20, "góod, fine, bad")]
CHOICES = [("the plot", (LONG, "was bad")), ("", ("a", "")), ("fine", ("fine", "good")), (LONG, ("good", "a bad film"))]


def made(kind, *, seed=1, **settings):
    keras.utils.set_random_seed(seed)
    model = kind(ElectraEncoder(tiny_config(num_layers=1)), **settings,
                 preprocessor=TextPreprocessor(tiny_vocabulary(), sequence_length=17))
    scatter_weights(model, seed=seed)
    return model


def answerer(*, seed=1, **options):
    return made(ElectraQuestionAnswerer, seed=seed, no_answer_threshold=0.7,
                options=QuestionAnswering(**{"stride": 6, "beam_size": 5, "n_best": 4, **options}))


# name -> (model, what Predictor takes)
MODELS = {
    "tagger": lambda: (made(ElectraTokenClassifier, labels=labels_of(["BAD", "GOOD"], "BIOES")), TEXTS),
    "plain tagger": lambda: (made(ElectraTokenClassifier, labels=["N", "V", "X"], label_pieces="all", stride=4,
                                  segment_id=1, empty_word_tag="X"), TEXTS),
    "joint ends": lambda: (answerer(), PAIRS),
    "independent ends": lambda: (answerer(joint=False, answerability="none", max_answer_length=3), PAIRS),
    "choice": lambda: (made(ElectraMultipleChoice, num_choices=2), CHOICES),
    "choice by windows": lambda: (made(ElectraMultipleChoice, num_choices=2, long_text="mean"), CHOICES),
    "choosers by windows": lambda: (ensemble_of([made(ElectraMultipleChoice, seed=seed, num_choices=2, long_text="max",
                                                      stride=4) for seed in (1, 2)]), CHOICES),
    "choice by first windows": lambda: (made(ElectraMultipleChoice, num_choices=2, long_text="first"), CHOICES),
    "taggers": lambda: (ensemble_of([made(ElectraTokenClassifier, seed=seed, labels=["N", "V", "X"])
                                     for seed in (1, 2)]), TEXTS),
    "answerers": lambda: (ensemble_of([answerer(seed=seed) for seed in (2, 3)]), PAIRS)}


def answers_of_keras(model, texts):
    """What the model itself answers, in the form of Predictor's answers."""
    if isinstance(model, ElectraTokenClassifier):
        return model.predict(texts)
    answers = model.predict(texts, verbose=0)
    return best_choices(texts, answers) if isinstance(model, ElectraMultipleChoice) else answers


def check_answers(found, expected, *, tolerance):
    """The same answers at the same places, but for what probabilities may differ."""
    assert [type(answer) for answer in found] == [type(answer) for answer in expected]
    _check_equal(list(map(dataclasses.asdict, found)), list(map(dataclasses.asdict, expected)), tolerance)


def _check_equal(found, expected, tolerance):
    if isinstance(expected, dict):
        assert found.keys() == expected.keys()
        found, expected = list(found.values()), list(expected.values())
    if isinstance(expected, list | tuple):
        assert len(found) == len(expected)
        for one, other in zip(found, expected):
            _check_equal(one, other, tolerance)
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, abs=tolerance)
    else:
        assert found == expected


def features_of(model, texts):
    """Token ids of all rows that texts become."""
    encoded, _ = windows_of(model.encode(tuple(zip(*texts)) if texts is PAIRS else texts))
    return encoded.batch(np.arange(len(encoded)), batch_size=len(encoded))
