"""Every engine answers as Keras does, within what is told of it; one that cannot is refused in a sentence."""

import numpy as np
import pytest
import tensorflow as tf

from electra_tf.errors import InputError
from electra_tf.model.encoder import ElectraEncoder
from electra_tf.serving import engines, onnx_engine, openvino_engine
from electra_tf.serving.engines import LARGEST_DIFFERENCES, choose_engine
from electra_tf.serving.ids_network import IDS_SIGNATURE, save_ids_network
from electra_tf.serving.predictor import Predictor
from electra_tf.tasks.ensemble import ElectraEnsemble
from electra_tf.tasks.multi_label_classification import ElectraMultiLabelClassifier
from electra_tf.tasks.text_batches import FEATURES
from electra_tf.tasks.text_classification import ElectraTextClassifier
from electra_tf.tasks.text_regression import ElectraTextRegressor
from electra_tf.text.preprocessor import TextPreprocessor
from tests.serving.optional_engines import has_bfloat16, pretend_installed, start_as_keras
from tests.tasks.tiny import scatter_weights, tiny_config, tiny_vocabulary

TEXTS = ["a good film!", "", "the plot was dull and the film was very awful and bad " * 3, "x", "fine"]
PAIRS = [(text, other) for text, other in zip(TEXTS, reversed(TEXTS), strict=True)]
LABELS = ("no", "perhaps", "yes")


def made(kind, *, seed=1, config=None, **settings):
    model = kind(ElectraEncoder(config or tiny_config()), **settings,
                 preprocessor=TextPreprocessor(tiny_vocabulary(), sequence_length=12))
    scatter_weights(model, seed=seed)
    return model


MODELS = {
    "classifier": lambda: made(ElectraTextClassifier, labels=LABELS, head_hidden_layer=True),
    "without a projection": lambda: made(
        ElectraTextClassifier, config=tiny_config(embedding_size=18, num_layers=1), labels=LABELS),
    "pairs": lambda: made(ElectraTextClassifier, labels=LABELS, pairs=True),
    "mean of windows": lambda: made(ElectraTextClassifier, labels=LABELS, long_text="mean", stride=4),
    "first window": lambda: made(ElectraTextClassifier, labels=LABELS, long_text="first"),
    "several labels": lambda: made(ElectraMultiLabelClassifier, labels=LABELS),
    "regressor": lambda: made(ElectraTextRegressor, score_range=(-3, 8), pairs=True),
    "ensemble": lambda: ElectraEnsemble([
        made(ElectraTextClassifier, seed=seed, labels=LABELS, long_text="max", pairs=True) for seed in (1, 2, 3)])}


def test_short_single_texts_of_every_length_are_answered_as_by_keras(engine, tmp_path):
    """OpenVINO has programs of their own for them."""
    model = ElectraTextClassifier(ElectraEncoder(tiny_config(max_positions=80)), labels=LABELS,
                                  preprocessor=TextPreprocessor(tiny_vocabulary(), sequence_length=80))
    scatter_weights(model, seed=1)
    model.save_to_preset(tmp_path / "model")
    predictor = Predictor(tmp_path / "model", engine=engine)
    texts = ["film " * words for words in (1, 13, 14, 15, 30, 45, 62, 63, 78, 200, 3)]
    found = [list(predictor.predict([text])[0].probabilities.values()) for text in texts]
    np.testing.assert_allclose(found, model.predict(texts, verbose=0), atol=2e-5)


@pytest.mark.parametrize("name", MODELS)
def test_texts_are_answered_as_by_keras(name, engine, tmp_path):
    model = MODELS[name]()
    model.save_to_preset(tmp_path / "model")
    predictor = Predictor(tmp_path / "model", engine=engine)
    texts = PAIRS if model.pairs else TEXTS
    expected = model.predict(texts, verbose=0)
    answers = predictor.predict(texts)
    found = [answer.score if name == "regressor" else list(answer.probabilities.values()) for answer in answers]
    np.testing.assert_allclose(found, expected, atol=2e-5)
    np.testing.assert_allclose(found[3], list(predictor.predict(texts[3:4])[0].probabilities.values())
                               if name != "regressor" else predictor.predict(texts[3:4])[0].score, atol=2e-5)
    assert predictor.engine.name == engine and predictor.engine.precision == "float32"
    assert 0 <= predictor.engine.largest_difference <= 1e-5
    assert predictor.takes_pairs == model.pairs


def test_words_are_judged_as_by_keras(engine, models):
    expected = Predictor(models / "discriminator", engine="tensorflow").predict(TEXTS)
    predictor = Predictor(models / "discriminator", engine=engine)
    for answer, wanted in zip(predictor.predict(TEXTS), expected, strict=True):
        assert [word.word for word in answer.words] == [word.word for word in wanted.words]
        assert [word.probability for word in answer.words] == pytest.approx(
            [word.probability for word in wanted.words], abs=1e-5)
    assert predictor.engine.name == engine
    run = Predictor(models, engine=engine)
    assert run.engine.name == engine and run.predict(["a [MASK]"])[0].masks


def test_bfloat16_tells_a_larger_difference(models):
    if not has_bfloat16():
        pytest.skip("openvino (`make engines` installs it) or the processor's instructions for bfloat16 are missing")
    exact, rounded = (Predictor(models / "single", engine="openvino", precision=precision)
                      for precision in ("float32", "bfloat16"))
    assert exact.engine.largest_difference < 1e-5 < rounded.engine.largest_difference < 0.05
    assert str(rounded.engine).startswith(f"openvino {openvino_engine.version()} in bfloat16, within ")
    for first, second in zip(exact.predict(TEXTS), rounded.predict(TEXTS), strict=True):
        assert first.probabilities != second.probabilities
        assert first.probabilities == pytest.approx(second.probabilities, abs=0.05)


def test_bfloat16_is_refused_where_the_processor_lacks_it(monkeypatch, models):
    class Core:
        def get_property(self, device, name):
            return ["FP32", "INT8"]
    monkeypatch.setattr(openvino_engine, "openvino", type("Package", (), {"Core": Core, "__version__": "1.2-3"}))
    with pytest.raises(InputError, match="precision='bfloat16': OpenVINO finds no bfloat16 instructions in this"):
        Predictor(models / "single", engine="openvino", precision="bfloat16")


@pytest.mark.parametrize("there, precision, expected", [
    (("openvino", "onnx"), "float32", "openvino"), (("onnx",), "float32", "onnx"), ((), "float32", "tensorflow"),
    (("openvino", "onnx"), "bfloat16", "openvino")])
def test_auto_takes_the_fastest_that_is_installed(monkeypatch, there, precision, expected):
    pretend_installed(monkeypatch, *there)
    assert choose_engine("auto", precision) == expected


def test_auto_leaves_a_gpu_to_tensorflow(monkeypatch):
    pretend_installed(monkeypatch, "openvino")
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [kind])
    assert choose_engine("auto", "float32") == "tensorflow"
    assert choose_engine("auto", "bfloat16") == choose_engine("openvino", "float32") == "openvino"


@pytest.mark.parametrize("engine, precision, message", [
    ("openvino", "float32", "engine='openvino' is not installed; install it with `pip install openvino`, or take "
                            "engine='tensorflow'"),
    ("onnx", "float32", "engine='onnx' is not installed; install it with `pip install onnx onnxruntime tf2onnx`"),
    ("auto", "bfloat16", "engine='openvino' is not installed; install it with `pip install openvino`, or take "
                         "precision='float32'"),
    ("onnx", "bfloat16", "engine='onnx' computes in float32 alone; take precision='float32', or engine='openvino'"),
    ("tensorflow", "bfloat16", "engine='tensorflow' computes in float32 alone"),
    ("tensorrt", "float32", "engine='tensorrt' is not known; choose one of auto, openvino, onnx, tensorflow"),
    ("auto", "float16", "precision='float16' is not known; choose one of float32, bfloat16")])
def test_what_is_not_there_is_refused(monkeypatch, models, engine, precision, message):
    pretend_installed(monkeypatch)
    for model in ("single", "discriminator"):
        with pytest.raises(InputError, match=message):
            Predictor(models / model, engine=engine, precision=precision)


def test_other_models_are_left_to_tensorflow(models, exports):
    for model, what in ((models / "generator", "a model of kind 'generator'"),
                        (exports / "single", "an exported SavedModel")):
        assert Predictor(model).engine.name == "tensorflow"
        for chosen in ({"engine": "openvino"}, {"precision": "bfloat16"}):
            with pytest.raises(InputError, match=f"is {what}, which TensorFlow alone answers, in float32; leave"):
                Predictor(model, **chosen)


def test_an_engine_that_answers_otherwise_is_refused(monkeypatch, models):
    pretend_installed(monkeypatch, "onnx")

    def start(network, weights, *, precision):
        run = start_as_keras(network, weights, precision=precision)
        return lambda features: {"logits": run(features)["logits"] + np.float32([0, 0, 2e-3])}
    monkeypatch.setattr(onnx_engine, "start", start)
    with pytest.raises(InputError, match="engine='onnx' in float32 differs from Keras by .*e-04 on sample inputs, more "
                                         "than 1e-04; take engine='tensorflow'."):
        Predictor(models / "single")


@pytest.mark.parametrize("precision, error", [("float32", 5e-5), ("bfloat16", 2e-2)])
def test_the_largest_difference_over_all_samples_is_told(monkeypatch, precision, error):
    pretend_installed(monkeypatch, "openvino")
    monkeypatch.setattr(openvino_engine, "start", lambda network, weights, *, precision: (
        lambda features: {"x": features["token_ids"][:, 0] + error * (len(features["token_ids"]) == 2)}))
    samples = [{name: np.zeros((rows, 4), np.int32) for name in ("token_ids", "segment_ids", "padding_mask")}
               for rows in (1, 2, 3)]
    run, told = engines.start_engine(
        lambda token_ids, *_: {"x": tf.cast(token_ids[:, 0], tf.float32)}, [], engine="auto", precision=precision,
        samples=samples,
        difference=lambda found, expected: float(np.abs(found["x"] - expected["x"]).max()))
    assert told.largest_difference == pytest.approx(error) and told.largest_difference <= LARGEST_DIFFERENCES[precision]
    assert (told.name, told.version, told.precision) == ("openvino", "1.2.3", precision)
    assert run(samples[1])["x"].tolist() == pytest.approx([error, error])


def test_a_network_is_traced_once_for_all_that_read_it(monkeypatch, tmp_path):
    """Tracing twelve layers takes seconds, which everybody who starts an engine waits for."""
    traces = []

    def outputs(token_ids, segment_ids, padding_mask):
        traces.append(1)
        return {"x": tf.cast(token_ids[:, 0] + segment_ids[:, 0] + padding_mask[:, 0], tf.float32)}
    pretend_installed(monkeypatch, "openvino")

    def start(network, weights, *, precision):
        save_ids_network(network, weights, tmp_path / "saved")
        return lambda features: {"x": np.float32(features["token_ids"][:, 0] * 3)}
    monkeypatch.setattr(openvino_engine, "start", start)
    samples = [{name: np.full((rows, 4), rows, np.int32) for name in FEATURES} for rows in (1, 2)]
    _, told = engines.start_engine(
        outputs, [], engine="openvino", precision="float32", samples=samples,
        difference=lambda found, expected: float(np.abs(found["x"] - expected["x"]).max()))
    assert told.largest_difference == 0 and len(traces) == 1
    read = tf.saved_model.load(str(tmp_path / "saved")).signatures[IDS_SIGNATURE]
    assert read(**{name: tf.constant(values) for name, values in samples[1].items()})["x"].numpy().tolist() == [6, 6]
