"""The model for questions: as Keras users work with it, its options, its folders, and Hugging Face's."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from electra_tf.config import FineTuningConfig
from electra_tf.errors import InputError
from electra_tf.model.convert_checkpoint import convert_checkpoint
from electra_tf.model.encoder import ElectraEncoder
from electra_tf.model.model_folder import load_model_folder
from electra_tf.tasks.question_answering.options import QuestionAnswering
from electra_tf.tasks.question_answering.question_answerer import ElectraQuestionAnswerer
from electra_tf.tasks.question_answering.question_files import Answer
from electra_tf.text.preprocessor import TextPreprocessor
from tests.oracles.shared import shared_path
from tests.tasks.question_answering.moods import QUESTION, moods
from tests.tasks.tiny import save_networks, scatter_weights, tiny_config, tiny_vocabulary

LENGTH = 14
OPTIONS = {"stride": 3, "beam_size": 5}
TEXT = "a good film and a bad plot and the scene was awful and the film was very dull"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return save_networks(tmp_path_factory.mktemp("run"))


def new_answerer(*, seed=0, **options):
    keras.utils.set_random_seed(seed)
    answerer = ElectraQuestionAnswerer(
        ElectraEncoder(tiny_config(hidden_dropout=0.0, attention_dropout=0.0)),
        options=QuestionAnswering(**{**OPTIONS, **options}),
        preprocessor=TextPreprocessor(tiny_vocabulary(), sequence_length=LENGTH))
    scatter_weights(answerer, seed=seed)
    answerer.compile(run_eagerly=True)  # few rows: not worth a graph
    return answerer


def predict(answerer, questions, contexts, **arguments):
    return answerer.predict(questions, contexts, verbose=0, **arguments)


@pytest.fixture(scope="module", params=[{}, {"joint": False, "answerability": "none"}])
def tuned(request):
    """(model, losses by epoch)."""
    answerer = new_answerer(**request.param)
    answerer.compile(settings=FineTuningConfig(learning_rate=3e-3, batch_size=16, dropout=0.0, layer_decay=1.0))
    history = answerer.fit(*moods(160, seed=0), epochs=4, validation_data=moods(40, seed=1), verbose=0)
    return answerer, history.history


def test_it_learns_to_point_at_the_answer_and_to_say_that_there_is_none(tuned):
    answerer, history = tuned
    assert history["loss"][-1] < 0.2 * history["loss"][0] and history["val_loss"][-1] < 0.5
    questions, contexts, answers = moods(40, seed=1)
    reached = answerer.evaluate(questions, contexts, answers, verbose=0, return_dict=True)
    assert reached["loss"] == pytest.approx(history["val_loss"][-1], rel=1e-3)
    assert 0.9 < reached["span_accuracy"] == pytest.approx(history["val_span_accuracy"][-1])
    found = predict(answerer, questions, contexts)
    right = np.mean([answer.best_text == expected for answer, expected in zip(found, answers) if expected])
    none = np.array([answer.no_answer_probability for answer in found])
    is_none = np.array([expected is None for expected in answers])
    assert right > 0.9 and none[is_none].mean() > none[~is_none].mean() + 0.3
    for answer, context in zip(found, contexts):
        for span in answer.n_best:
            assert span.text == context[span.start:span.end]


def test_an_answer_far_behind_the_first_window_is_found(tuned):
    answerer, _ = tuned
    context = "the plot was a scene and the film was a plot and a scene was very lovely and the plot"
    (answer,) = predict(answerer, [QUESTION], [context])
    assert (answer.best_text, answer.n_best[0].start) == ("lovely", context.index("lovely"))


def test_answers_do_not_depend_on_what_else_is_asked_or_on_the_batch():
    answerer = new_answerer()
    contexts = [TEXT, "a fine film", "", TEXT + " a lovely plot", "dull"]
    together = predict(answerer, [QUESTION] * 5, contexts)
    assert len(answerer.encode(([QUESTION] * 5, contexts))) > 8
    for batch_size in (1, 3):
        for first, second in zip(together, predict(answerer, [QUESTION] * 5, contexts, batch_size=batch_size)):
            assert [span.text for span in first.n_best] == [span.text for span in second.n_best]
            assert first.no_answer_probability == pytest.approx(second.no_answer_probability, abs=1e-4)
    (alone,) = answerer.predict([(QUESTION, TEXT)], verbose=0)
    assert alone.n_best[0].text == together[0].n_best[0].text
    assert (together[2].text, together[2].no_answer_probability) == ("", 1.0)
    assert predict(answerer, [], []) == []


def test_offsets_count_characters_of_the_users_own_text():
    answerer = new_answerer()
    context = "\U0001f5fc the F\u0131LM, caf\u00e9 g\u00f3od\u200b plot \u6771\u4eac"
    for given in (context, context.encode("utf-8")):
        (answer,) = predict(answerer, [QUESTION], [given])
        assert len(answer.n_best) > 3
        for span in answer.n_best:
            assert span.text == context[span.start:span.end]


def test_answers_are_given_in_the_forms_users_have():
    answerer = new_answerer()
    contexts = ["a good film", "bad bad", "dull", "fine", "the plot"]
    windows = answerer.encode(([QUESTION] * 5, contexts))
    answers = ["good", {"text": "bad", "answer_start": 4}, None, [Answer("fine", 0), "x"], []]
    labels = answerer.labels_for(windows, answers)
    first = windows.first_places[0]
    np.testing.assert_array_equal(labels["start"], [first + 1, first + 1, 0, first, 0])
    np.testing.assert_array_equal(labels["impossible"], [0, 0, 1, 0, 1])


@pytest.mark.parametrize("answer, message", [
    ("awful", r"answers\[0\]: 'awful' does not stand in its context at character 0"),
    (Answer("good", 3), r"answers\[0\]: 'good' does not stand in its context at character 3"),
    (" ", r"answers\[0\]: ' ' does not stand"),
    (7, r"answers\[0\] is 7; expected a string, an Answer"),
])
def test_an_answer_that_does_not_stand_in_its_context_is_refused(answer, message):
    with pytest.raises(InputError, match=message):
        new_answerer().fit([QUESTION], ["a good film"], [answer])


def test_unequal_numbers_are_refused():
    with pytest.raises(InputError, match="there are 1 questions and 2 answers"):
        new_answerer().fit([QUESTION], ["a good film"], ["good", None])
    with pytest.raises(InputError, match="there are 1 first texts and 2 second ones"):
        new_answerer().predict([QUESTION], ["a", "b"])


def test_a_threshold_decides_and_must_be_a_probability():
    answerer = new_answerer()
    (answer,) = predict(answerer, [QUESTION], [TEXT])
    for threshold, text in ((answer.no_answer_probability - 1e-3, ""), (1.0, answer.best_text)):
        answerer.no_answer_threshold = threshold
        assert predict(answerer, [QUESTION], [TEXT])[0].text == text
    with pytest.raises(InputError, match=r"no_answer_threshold=1.5 must lie in \[0, 1\]"):
        ElectraQuestionAnswerer(ElectraEncoder(tiny_config()), no_answer_threshold=1.5)


CHANGES = {"joint": False, "answerability": "cls", "beam_size": 2, "stride": 1, "max_question_length": 1,
           "max_answer_length": 1, "n_best": 1, "answerless_windows": "impossible"}


def observed(answerer):
    windows = answerer.encode(([QUESTION], [TEXT]))
    labels = answerer.labels_for(windows, ["awful"])
    (answer,) = predict(answerer, [QUESTION], [TEXT])
    return windows.token_ids.tolist(), labels["impossible"].tolist(), len(answerer.weights), answer


@pytest.fixture(scope="module")
def usual():
    assert observed(new_answerer()) == observed(new_answerer())
    return observed(new_answerer())


@pytest.mark.parametrize("setting", CHANGES)
def test_each_option_of_the_model_changes_something(setting, usual):
    assert observed(new_answerer(**{setting: CHANGES[setting]})) != usual


def test_options_outside_the_model_are_tested_with_the_task():
    left = {field.name for field in dataclasses.fields(QuestionAnswering)} - set(CHANGES)
    assert left == {"wrong_answers", "answer_scorer"}  # see test_question_answering_task.py


@pytest.mark.parametrize("settings, message", [
    ({"stride": 0}, "stride=0 must be a whole number from 1 up"),
    ({"beam_size": 2.5}, "beam_size=2.5 must be a whole number"),
    ({"answerability": "yes"}, "answerability='yes' must be one of start, cls, none"),
    ({"answerless_windows": "x"}, "answerless_windows='x' must be one of as_question, impossible"),
    ({"wrong_answers": "skip"}, "wrong_answers='skip' must be one of repair, refuse"),
    ({"answer_scorer": "bleu"}, "answer_scorer='bleu' must be one of squad, cmrc"),
    ({"joint": "no"}, "joint='no' must be true or false"),
])
def test_an_option_that_cannot_be_is_refused(settings, message):
    with pytest.raises(InputError, match=message):
        QuestionAnswering(**settings)


@pytest.mark.parametrize("options", [{}, {"joint": False}, {"joint": False, "answerability": "none"},
                                     {"answerability": "cls"}])
def test_a_saved_model_answers_the_same(tmp_path, options):
    answerer = new_answerer(**options)
    answerer.no_answer_threshold = 0.25
    answerer.save_to_preset(tmp_path / "model")
    loaded = ElectraQuestionAnswerer.from_preset(tmp_path / "model")
    loaded.compile(run_eagerly=True)
    assert (loaded.options, loaded.no_answer_threshold) == (answerer.options, 0.25)
    assert loaded.preprocessor.sequence_length == LENGTH
    first, second = (predict(one, [QUESTION], [TEXT])[0] for one in (answerer, loaded))
    assert [span.text for span in first.n_best] == [span.text for span in second.n_best]
    assert first.no_answer_probability == pytest.approx(second.no_answer_probability, abs=1e-6)


def test_another_head_is_new_and_the_encoder_is_kept(tmp_path, run):
    answerer = new_answerer()
    answerer.save_to_preset(tmp_path / "model")
    simple = ElectraQuestionAnswerer.from_preset(tmp_path / "model", joint=False)
    wider = ElectraQuestionAnswerer.from_preset(tmp_path / "model", beam_size=9, stride=7, sequence_length=20)
    kernel = answerer.head.start.kernel.numpy()
    np.testing.assert_array_equal(wider.head.start.kernel, kernel)
    assert np.abs(simple.head.start.kernel.numpy() - kernel).max() > 0.1
    np.testing.assert_array_equal(simple.encoder.weights[0], answerer.encoder.weights[0])
    assert (wider.options.stride, wider.preprocessor.sequence_length) == (7, 20)
    fresh = ElectraQuestionAnswerer.from_preset(run / "discriminator", dropout=0.2)
    assert fresh.options == QuestionAnswering() and fresh.encoder.config.hidden_dropout == 0.2
    assert fresh.preprocessor.sequence_length == 40  # what the model can
    blank = ElectraQuestionAnswerer.from_preset(tmp_path / "model", load_weights=False)
    assert np.abs(blank.encoder.weights[0].numpy() - answerer.encoder.weights[0].numpy()).max() > 0.1


def test_what_cannot_be_loaded_is_refused(run):
    with pytest.raises(InputError, match="kind 'generator', which only proposes words"):
        ElectraQuestionAnswerer.from_preset(run / "generator")
    with pytest.raises(InputError, match="'strid' does not exist; did you mean 'stride'"):
        ElectraQuestionAnswerer.from_preset(run / "discriminator", strid=3)
    with pytest.raises(InputError, match="sequence_length=41 exceeds the model's max_positions=40"):
        ElectraQuestionAnswerer.from_preset(run / "discriminator", sequence_length=41)


@pytest.mark.parametrize("name", ["question_answering", "question_answering_equal"])
def test_a_folder_of_hugging_face_gives_its_logits_and_goes_back(name, tmp_path):
    folder = shared_path("oracles/huggingface") / name
    answerer = ElectraQuestionAnswerer.from_preset(folder)
    assert answerer.options.head == (False, "none")
    inputs, outputs = (np.load(folder.parent / f"{name}.{part}.npz") for part in ("inputs", "outputs"))
    hidden = answerer.encoder(inputs["input_ids"], inputs["token_type_ids"], inputs["attention_mask"])
    logits = answerer.head(hidden, tf.ones(hidden.shape[:2]), start_positions=tf.zeros(4, tf.int32))
    np.testing.assert_allclose(logits.start, outputs["start_logits"], atol=5e-5)
    np.testing.assert_allclose(logits.end, outputs["end_logits"], atol=5e-5)
    answerer.save_to_preset(tmp_path / "ours")
    convert_checkpoint(tmp_path / "ours", tmp_path / "theirs", to="huggingface")
    back, first = load_model_folder(tmp_path / "theirs"), load_model_folder(folder)
    assert back.kind == "question_answerer"
    np.testing.assert_array_equal(back.weights["spans/kernel"], first.weights["spans/kernel"])


def test_the_joint_head_cannot_be_written_for_hugging_face(tmp_path):
    new_answerer().save_to_preset(tmp_path / "ours")
    with pytest.raises(InputError, match="cannot be written in that format"):
        convert_checkpoint(tmp_path / "ours", tmp_path / "theirs", to="huggingface")


def test_without_a_vocabulary_it_takes_ids_alone(tmp_path):
    answerer = ElectraQuestionAnswerer(ElectraEncoder(tiny_config()), options=QuestionAnswering(beam_size=4))
    beam = answerer({"token_ids": tf.constant([[2, 9, 3, 8, 3]]), "segment_ids": tf.constant([[0, 0, 0, 1, 1]])})
    assert beam.end_scores.shape == (1, 4, 4)
    with pytest.raises(InputError, match="this model has no vocabulary"):
        answerer.predict(["a"], ["b"])
    with pytest.raises(InputError, match="this model has no vocabulary"):
        answerer.save_to_preset(tmp_path / "model")


def test_low_precision_gives_nearly_the_same_answers(tmp_path):
    answerer = new_answerer()
    answerer.save_to_preset(tmp_path / "model")
    low = ElectraQuestionAnswerer.from_preset(tmp_path / "model", dtype="mixed_bfloat16")
    low.compile(run_eagerly=True)
    first, second = (predict(one, [QUESTION], [TEXT])[0] for one in (answerer, low))
    assert first.no_answer_probability == pytest.approx(second.no_answer_probability, abs=0.1)
    low.fit([QUESTION], [TEXT], ["awful"], epochs=1, verbose=0)
