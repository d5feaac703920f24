"""Integrated gradients of scores, several labels, endings, tags and answers: the same axioms, and the right places."""

import keras
import numpy as np
import pytest

from electra_tf.errors import InputError
from electra_tf.model.encoder import ElectraEncoder
from electra_tf.tasks.attributions import (
    NO_ANSWER,
    answer_attributions,
    choice_attributions,
    tag_attributions,
    text_attributions,
)
from electra_tf.tasks.multi_label_classification import ElectraMultiLabelClassifier
from electra_tf.tasks.multiple_choice import ElectraMultipleChoice
from electra_tf.tasks.question_answering.options import QuestionAnswering
from electra_tf.tasks.question_answering.question_answerer import ElectraQuestionAnswerer
from electra_tf.tasks.tagging.token_classification import ElectraTokenClassifier
from electra_tf.tasks.text_regression import ElectraTextRegressor
from electra_tf.text.preprocessor import TextPreprocessor
from tests.tasks.tiny import scatter_weights, tiny_config, tiny_vocabulary

TEXT = "the film was lovely and very dull"
WORDS = ["The", "plot", "was", "lovely", "and", "xyz", "dull", "!"]
LABELS = ("O", "B-GOOD", "I-GOOD")
QUESTION, CONTEXT = "was the film good?", "A very  Dull film and a lovely scene."
ANSWER = (CONTEXT.index("lovely"), CONTEXT.index("."))


def new_model(kind, *, length=24, seed=4, **settings):
    keras.utils.set_random_seed(seed)
    model = kind(ElectraEncoder(tiny_config()), preprocessor=TextPreprocessor(tiny_vocabulary(), length), **settings)
    scatter_weights(model, seed=seed)
    return model


def new_answerer(*, length=24, stride=5, **options):
    return new_model(ElectraQuestionAnswerer, length=length, options=QuestionAnswering(stride=stride, **options))


def number_of_score():
    model = new_model(ElectraTextRegressor, score_range=(1, 5))
    return float(model.predict([TEXT], verbose=0)[0]), lambda steps: text_attributions(model, TEXT, steps=steps)


def number_of_label():
    model = new_model(ElectraMultiLabelClassifier, labels=("a", "b", "c"))
    logit = model(model.preprocessor([TEXT]), training=False).numpy()[0, 1]
    return logit, lambda steps: text_attributions(model, TEXT, label="b", steps=steps)


def number_of_ending():
    model = new_model(ElectraMultipleChoice, num_choices=2)
    endings = ("good film!", "a lovely scene")
    features = model.encode([(TEXT, endings)]).batch(np.array([0]), batch_size=1)
    logit = model(features, training=False).numpy()[0, 1]
    return logit, lambda steps: choice_attributions(model, TEXT, endings[1], steps=steps)


def number_of_tag(label_pieces):
    model = new_model(ElectraTokenClassifier, labels=LABELS, label_pieces=label_pieces)
    logits = model(model.encode([WORDS]).batch(np.array([0]), batch_size=1), training=False).numpy()[0, :, 1]
    # [CLS], five words of one piece, then xyz, which has three
    logit = logits[6] if label_pieces == "first" else logits[6:9].mean()
    return logit, lambda steps: tag_attributions(model, WORDS, word=5, tag="B-GOOD", steps=steps)


def number_of_answer(span, **options):
    model = new_answerer(length=40, **options)
    windows = model.encode(([QUESTION], [CONTEXT]))
    # [CLS], five pieces, [SEP]; the context is "a very dull film and a lovely scene ."
    start, end = (7 + 6, 7 + 7) if span else (0, 0)
    logits = model.logits_for(windows.batch(np.array([0]), batch_size=1), {"start": np.array([start])}, training=False)
    number = logits.start[0, start] + logits.end[0, end] if span or logits.impossible is None else logits.impossible[0]
    return float(number), lambda steps: answer_attributions(model, QUESTION, CONTEXT, span=span, steps=steps)


CASES = {
    "score": number_of_score, "label": number_of_label, "ending": number_of_ending,
    "first piece": lambda: number_of_tag("first"), "all pieces": lambda: number_of_tag("all"),
    "joint answer": lambda: number_of_answer(ANSWER), "answer": lambda: number_of_answer(ANSWER, joint=False),
    "no answer": lambda: number_of_answer(None),
    "no answer without a classifier": lambda: number_of_answer(None, answerability="none")}


@pytest.mark.parametrize("case", CASES)
def test_the_values_add_up_to_what_the_text_changes(case):
    """Completeness, of the number that the model itself computes."""
    number, attributions_with = CASES[case]()
    few, many = attributions_with(8), attributions_with(256)

    def error_of(found):
        return abs(sum(piece.value for piece in found.pieces) - (found.logit - found.baseline_logit))

    assert many.logit == few.logit == pytest.approx(number, abs=1e-4)
    assert abs(many.logit - many.baseline_logit) > 0.02
    assert error_of(many) < 0.02 * max(0.2, abs(many.logit - many.baseline_logit))
    assert error_of(many) < error_of(few)


def test_the_pieces_around_a_word_are_those_of_its_window():
    """Words of one to three pieces in windows of six: offsets are those in the words with a space between two."""
    tagger = new_model(ElectraTokenClassifier, labels=LABELS, length=8, stride=3)
    words = ["The", "xyz", "film", "was", "ab", "!", "very", "dull", "plot"]
    text, vocabulary = " ".join(words), tiny_vocabulary()
    encoded = tagger.encode([words])
    assert len(encoded) > 2
    for word in range(len(words)):
        found = tag_attributions(tagger, words, word=word, steps=1)
        row = encoded.token_ids[encoded.window_of_word[word]]
        expected = [vocabulary.pieces[number] for number in row
                    if number not in (vocabulary.pad_id, vocabulary.cls_id, vocabulary.sep_id)]
        assert [piece.piece for piece in found.pieces] == expected
        assert [text[slice(*piece.offsets)].lower() for piece in found.pieces] == [
            piece.removeprefix("##") for piece in expected]
        own = [piece for piece in found.pieces if piece.offsets[0] == sum(map(len, words[:word])) + word]
        assert len(own) == 1


def test_a_text_is_split_into_words_as_the_tagger_does():
    tagger = new_model(ElectraTokenClassifier, labels=LABELS)
    found = tag_attributions(tagger, "A  fine film!", word=1, steps=1)
    assert [piece.offsets for piece in found.pieces] == [(0, 1), (3, 7), (8, 12), (12, 13)]
    assert found.label == tagger.predict(["A  fine film!"])[0].words[1].tag


def test_the_pieces_of_an_answer_are_those_of_the_window_that_gives_it():
    answerer = new_answerer(length=14, stride=3, joint=False)
    windows = answerer.encode(([QUESTION], [CONTEXT]))
    assert len(windows) == 2
    found = answer_attributions(answerer, QUESTION, CONTEXT, span=ANSWER, steps=1)
    asked, told = ([piece for piece in found.pieces if piece.in_second is side] for side in (False, True))
    assert found.label == "lovely scene"
    assert [QUESTION[slice(*piece.offsets)] for piece in asked] == ["was", "the", "film", "good", "?"][:len(asked)]
    assert len(told) <= 14 - 3 - len(asked)
    assert [CONTEXT[slice(*piece.offsets)].lower() for piece in told] == [piece.piece for piece in told]
    assert {"lovely", "scene"} <= {piece.piece for piece in told} and "very" not in {piece.piece for piece in told}


def test_no_answer_is_judged_by_the_window_that_says_the_loudest_that_there_is_one():
    answerer = new_answerer(length=14, stride=3)
    windows = answerer.encode(([QUESTION], [CONTEXT]))
    features = windows.batch(np.arange(len(windows)), batch_size=len(windows))
    found = answer_attributions(answerer, QUESTION, CONTEXT, span=None, steps=1)
    assert found.label == NO_ANSWER
    assert found.logit == pytest.approx(answerer(features, training=False).no_answer.numpy().min(), abs=1e-4)


def test_a_score_has_its_own_unit():
    """The same weights, a range four times as wide: four times the values."""
    narrow, wide = (text_attributions(new_model(ElectraTextRegressor, score_range=score_range), TEXT, steps=4)
                    for score_range in ((0, 1), (1, 5)))
    assert narrow.label == wide.label == "score"
    assert wide.logit == pytest.approx(1 + 4 * narrow.logit, abs=1e-4)
    np.testing.assert_allclose([piece.value for piece in wide.pieces], [4 * piece.value for piece in narrow.pieces],
                               rtol=1e-3, atol=1e-5)


def test_wrong_arguments_are_refused():
    tagger, answerer = new_model(ElectraTokenClassifier, labels=LABELS), new_answerer()
    for function, model, arguments in (
            (text_attributions, tagger, {"text": TEXT}), (tag_attributions, answerer, {"words": WORDS, "word": 0}),
            (choice_attributions, tagger, {"text": TEXT, "ending": "a"}),
            (answer_attributions, tagger, {"question": TEXT, "context": TEXT, "span": None})):
        with pytest.raises(InputError, match=f"the model is of kind '{model.KIND}'; expected a single "):
            function(model, **arguments)
    with pytest.raises(InputError, match="word=8 is not in the text, which has 8 words; count from 0"):
        tag_attributions(tagger, WORDS, word=8)
    with pytest.raises(InputError, match="label 'B-BAD' is unknown; expected one of O, B-GOOD, I-GOOD"):
        tag_attributions(tagger, WORDS, word=0, tag="B-BAD")
    with pytest.raises(InputError, match=r"word 1 is '\\u200b', of which nothing is left once the text is cleaned"):
        tag_attributions(tagger, ["a", "\u200b"], word=1)
    with pytest.raises(InputError, match=r"span=\(6, 8\) lies in no window of the context as a whole"):
        answer_attributions(answerer, QUESTION, CONTEXT, span=(6, 8))
