"""The most wrong answers of every task are coloured for what was answered, where their pieces stand."""

import keras
import pytest

from electra_tf.model.encoder import ElectraEncoder
from electra_tf.tasks.attributions import Attributions, PieceAttribution
from electra_tf.tasks.multi_label_classification import ElectraMultiLabelClassifier
from electra_tf.tasks.multiple_choice import ElectraMultipleChoice
from electra_tf.tasks.question_answering.question_answerer import ElectraQuestionAnswerer
from electra_tf.tasks.report.coloured_texts import (
    coloured_answers,
    coloured_choices,
    coloured_labels,
    coloured_mistakes,
    coloured_scores,
    coloured_tags,
    coloured_text,
)
from electra_tf.tasks.tagging.token_classification import ElectraTokenClassifier
from electra_tf.tasks.text_classification import ElectraTextClassifier
from electra_tf.tasks.text_regression import ElectraTextRegressor
from electra_tf.text.preprocessor import TextPreprocessor
from tests.tasks.tiny import tiny_config, tiny_vocabulary


def new_model(kind, *, length=16, **settings):
    keras.utils.set_random_seed(0)
    return kind(ElectraEncoder(tiny_config()), preprocessor=TextPreprocessor(tiny_vocabulary(), length), **settings)


def words_of(coloured):
    return "".join(words for words, _ in coloured.parts)


def test_a_text_is_coloured_where_its_pieces_stand():
    text = ("Fine  films!", "no")
    attributions = Attributions("pos", [PieceAttribution("fine", (0, 4), 1.5), PieceAttribution("film", (6, 10), 0.5),
                                        PieceAttribution("##s", (10, 11), -0.25),
                                        PieceAttribution("no", (0, 2), -1.0, True)], logit=2.0, baseline_logit=1.25)
    coloured = coloured_text(text, attributions, true="neg")
    assert coloured.heading == "pos (true: neg)"
    assert coloured.parts == [("Fine", 1.5), ("  ", None), ("film", 0.5), ("s", -0.25), ("!", None), ("\n", None),
                              ("no", -1.0)]
    assert "".join(part for part, _ in coloured.parts) == "\n".join(text)


def test_far_from_the_window_a_long_text_is_left_out():
    text = "x" * 1000 + "film" + "y" * 1000
    coloured = coloured_text(text, Attributions("a", [PieceAttribution("film", (1000, 1004), 1.0)], 1.0, 0.0))
    assert coloured.parts == [("\u2026 ", None), ("x" * 200, None), ("film", 1.0), ("y" * 200 + " \u2026", None)]
    near = coloured_text(text[900:1100], Attributions("a", [PieceAttribution("film", (100, 104), 1.0)], 1.0, 0.0))
    assert words_of(near) == text[900:1100]


@pytest.mark.parametrize("pairs", [False, True])
def test_mistakes_are_coloured_for_what_was_answered(pairs):
    classifier = new_model(ElectraTextClassifier, labels=("neg", "pos"), pairs=pairs)
    texts = [["a fine film", "dull"], ["very good", "the plot"], ["awful", "a scene"]]
    lines = [{"text": text if pairs else text[0], "label": "neg", "prediction": answer,
              "probabilities": [1 - share, share]}
             for text, answer, share in zip(texts, ("pos", "neg", "pos"), (0.6, 0.4, 0.8))]
    found = coloured_mistakes(classifier, lines)
    assert [text.heading for text in found] == ["pos (true: neg)"] * 2
    assert list(map(words_of, found)) == (
        ["awful\na scene", "a fine film\ndull"] if pairs else ["awful", "a fine film"])
    assert any(value for _, value in found[0].parts)


def test_scores_are_coloured_from_the_largest_error_on():
    regressor = new_model(ElectraTextRegressor, score_range=(1, 5))
    found = coloured_scores(regressor, [{"text": "a fine film", "label": 2.0, "prediction": 2.5},
                                        {"text": "very dull", "label": 5.0, "prediction": 1.25}])
    assert [(text.heading, words_of(text)) for text in found] == [
        ("score 1.25 (true: 5)", "very dull"), ("score 2.5 (true: 2)", "a fine film")]
    assert any(value for _, value in found[0].parts)


def test_the_most_wrongly_judged_label_is_coloured():
    classifier = new_model(ElectraMultiLabelClassifier, labels=("good", "long"))
    found = coloured_labels(classifier, [
        {"text": "a fine film", "label": ["good"], "prediction": ["long"], "probabilities": {"good": 0.2, "long": 0.7}},
        {"text": "very dull", "label": [], "prediction": ["long"], "probabilities": {"good": 0.1, "long": 0.9}},
        {"text": "the plot", "label": [], "prediction": [], "probabilities": {"good": 0.1, "long": 0.3}}])
    assert [(text.heading, words_of(text)) for text in found] == [
        ("long: yes (true: no)", "very dull"), ("good: no (true: yes)", "a fine film")]
    assert any(value for _, value in found[0].parts)


def test_the_surest_wrong_word_of_a_sentence_is_coloured():
    tagger = new_model(ElectraTokenClassifier, labels=("O", "B-GOOD", "I-GOOD"))
    span = {"type": "GOOD", "start": 1, "end": 2}
    found = coloured_tags(tagger, [
        {"words": ["a", "fine", "film"], "label": [span], "prediction": [], "tags": ["O", "B-GOOD", "O"],
         "predicted_tags": ["O", "O", "O"], "probabilities": [0.9, 0.6, 0.9]},
        {"words": ["so", "\u200b"], "label": [span], "prediction": [], "tags": ["O", "B-GOOD"],
         "predicted_tags": ["O", "O"], "probabilities": [0.9, None]}])
    assert [(text.heading, words_of(text)) for text in found] == [("fine: O (true: B-GOOD)", "a fine film")]
    assert any(value for _, value in found[0].parts)


def test_the_chosen_ending_is_coloured_with_its_text():
    model = new_model(ElectraMultipleChoice, num_choices=2)
    found = coloured_choices(model, [{"text": "the plot was", "choices": ["dull", "lovely"], "label": "first",
                                      "prediction": "second", "probabilities": [0.4, 0.6]}], names=("first", "second"))
    assert [(text.heading, words_of(text)) for text in found] == [("second (true: first)", "the plot was\nlovely")]
    assert any(value for _, value in found[0].parts)


def test_the_given_answer_is_coloured_with_its_question():
    answerer = new_model(ElectraQuestionAnswerer, length=24)
    line = {"question": "what was dull?", "context": "The film was dull.", "exact_match": 0.0}
    found = coloured_answers(answerer, [
        {**line, "label": ["The film", "film", "film"], "prediction": "", "start": None, "end": None,
         "probability": 0.7},
        {**line, "label": [], "prediction": "dull", "start": 13, "end": 17, "probability": 0.9}])
    assert [text.heading for text in found] == ["dull (true: no answer)", "no answer (true: The film; film)"]
    assert {words_of(text) for text in found} == {"what was dull?\nThe film was dull."}
    assert all(any(value for _, value in text.parts) for text in found)
