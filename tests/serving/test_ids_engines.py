"""Taggers, question answerers and multiple choice answer on every engine as Keras does, at the same places."""

import numpy as np
import pytest

from electra_tf.errors import InputError
from electra_tf.serving import onnx_engine, openvino_engine
from electra_tf.serving.engines import LARGEST_DIFFERENCES
from electra_tf.serving.predictor import Predictor
from tests.serving.ids_tasks import CHOICES, MODELS, PAIRS, TEXTS, answers_of_keras, check_answers
from tests.serving.optional_engines import has_bfloat16, pretend_installed, start_as_keras


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Function of a name in MODELS -> (model, texts, its model folder), made once."""
    made, folder = {}, tmp_path_factory.mktemp("models")

    def get(name):
        if name not in made:
            model, texts = MODELS[name]()
            model.save_to_preset(folder / name)
            made[name] = model, texts, folder / name
        return made[name]
    return get


@pytest.mark.parametrize("name", MODELS)
def test_answers_are_those_of_keras_at_the_same_places(name, engine, saved):
    model, texts, folder = saved(name)
    predictor, expected = Predictor(folder, engine=engine), answers_of_keras(model, texts)
    check_answers(predictor.predict(texts), expected, tolerance=2e-5)
    check_answers(predictor.predict(texts[-1:]), expected[-1:], tolerance=2e-5)
    assert predictor.engine.name == engine and predictor.engine.precision == "float32"
    assert 0 <= predictor.engine.largest_difference <= 1e-5
    assert (predictor.takes_pairs, predictor.takes_choices) == (texts is PAIRS, texts is CHOICES)


@pytest.mark.parametrize("name, text", [("tagger", ""), ("tagger", "\u00ad"), ("joint ends", ("", ""))])
def test_texts_without_a_word_are_answered(name, text, engine, saved):
    model, _, folder = saved(name)
    check_answers(Predictor(folder, engine=engine).predict([text]), answers_of_keras(model, [text]), tolerance=1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_bfloat16_tells_a_larger_difference(name, saved):
    if not has_bfloat16():
        pytest.skip("openvino (`make engines` installs it) or the processor's instructions for bfloat16 are missing")
    model, texts, folder = saved(name)
    predictor = Predictor(folder, engine="openvino", precision="bfloat16")
    assert 1e-5 < predictor.engine.largest_difference < LARGEST_DIFFERENCES["bfloat16"]
    answers = predictor.predict(texts)
    if texts is TEXTS:
        assert [[(word.start, word.end) for word in answer.words] for answer in answers] == [
            [(word.start, word.end) for word in answer.words] for answer in answers_of_keras(model, texts)]
    elif texts is PAIRS:
        spans = [(context, span) for (_, context), answer in zip(texts, answers) for span in answer.n_best]
        assert len(spans) > 8 and all(context[span.start:span.end] == span.text for context, span in spans)
    else:
        np.testing.assert_allclose([answer.probabilities for answer in answers], model.predict(texts, verbose=0),
                                   atol=LARGEST_DIFFERENCES["bfloat16"])


@pytest.mark.parametrize("name", MODELS)
def test_auto_gives_the_engine_the_network_and_its_numbers_are_the_answer(name, monkeypatch, saved):
    model, texts, folder = saved(name)
    pretend_installed(monkeypatch, "openvino")
    calls = []

    def start(network, weights, *, precision):
        assert weights and precision == "float32"
        run = start_as_keras(network, weights, precision=precision)
        return lambda features: calls.append(features) or run(features)
    monkeypatch.setattr(openvino_engine, "start", start)
    predictor = Predictor(folder)
    assert str(predictor.engine) == "openvino 1.2.3 in float32"  # of a difference of 0 nothing is told
    calls_of_samples = len(calls)
    check_answers(predictor.predict(texts), answers_of_keras(model, texts), tolerance=1e-5)
    assert len(calls) > calls_of_samples == 2


@pytest.mark.parametrize("name", ["tagger", "plain tagger", "joint ends", "independent ends"])
def test_a_single_text_is_padded_to_a_length_that_the_engine_has_a_program_for(name, monkeypatch, saved):
    model, texts, folder = saved(name)
    pretend_installed(monkeypatch, "openvino")
    shapes = []

    def start(network, weights, *, precision):
        run = start_as_keras(network, weights, precision=precision)
        return lambda features: shapes.append(features["token_ids"].shape) or run(features)
    monkeypatch.setattr(openvino_engine, "start", start)
    predictor = Predictor(folder)
    for one in (["fine"], [""]) if texts is TEXTS else ([("bad", "a film")], [("", "")]):
        check_answers(predictor.predict(one), answers_of_keras(model, one), tolerance=1e-5)
        assert shapes[-1] == (1, 16)


@pytest.mark.parametrize("name, output, place", [
    ("tagger", "probabilities", np.s_[..., 0]), ("choice", "probabilities", np.s_[..., 0]),
    ("joint ends", "start_scores", np.s_[..., 0]), ("independent ends", "no_answer", np.s_[:])])
def test_an_engine_that_answers_otherwise_is_refused(name, output, place, monkeypatch, saved):
    *_, folder = saved(name)
    pretend_installed(monkeypatch, "onnx")

    def start(network, weights, *, precision):
        run = start_as_keras(network, weights, precision=precision)

        def wrong(features):
            outputs = run(features)
            outputs[output][place] += np.float32(0.1)
            return outputs
        return wrong
    monkeypatch.setattr(onnx_engine, "start", start)
    with pytest.raises(InputError, match="engine='onnx' in float32 differs from Keras by .* on sample inputs, more "
                                         "than 1e-04; take engine='tensorflow'."):
        Predictor(folder)


@pytest.mark.parametrize("settings, message", [
    ({"engine": "openvino"}, "engine='openvino' is not installed; install it with `pip install openvino`, or take "
                             "engine='tensorflow'"),
    ({"precision": "bfloat16"}, "engine='openvino' is not installed; .* or take precision='float32'"),
    ({"engine": "onnx", "precision": "bfloat16"}, "engine='onnx' computes in float32 alone")])
@pytest.mark.parametrize("name", ["tagger", "joint ends", "choice"])
def test_what_is_not_there_is_refused(name, settings, message, monkeypatch, saved):
    *_, folder = saved(name)
    pretend_installed(monkeypatch)
    with pytest.raises(InputError, match=message):
        Predictor(folder, **settings)
