"""An ONNX file answers token ids of any batch size and length as Keras does."""

import json

import numpy as np
import pytest

from electra_tf.errors import InputError
from electra_tf.serving import onnx_engine
from electra_tf.serving.ids_network import served_numbers
from electra_tf.serving.onnx_export import export_onnx
from tests.serving.conftest import LABELS

TEXTS = ["a good film!", "", "the plot was dull and the film was very awful and bad", "x"]


@pytest.fixture(scope="module")
def onnxruntime():
    if not onnx_engine.version():
        pytest.skip("onnxruntime or its converter is not installed; `make engines` installs them")
    return onnx_engine.onnxruntime


def test_answers_are_those_of_keras_at_any_size(onnxruntime, models, single, tmp_path):
    path = tmp_path / "model.onnx"
    told = export_onnx(models / "single", path)
    session = onnxruntime.InferenceSession(path)
    features = {name: values.numpy() for name, values in single.preprocessor(TEXTS).items()}
    expected = single.predict(TEXTS, verbose=0)
    for rows, length in ((slice(0, 4), 17), (slice(0, 1), 9), (slice(3, 4), 17)):
        probabilities, logits = session.run(["probabilities", "logits"], {
            name: values[rows, :length] for name, values in features.items()})
        np.testing.assert_allclose(probabilities, expected[rows], atol=1e-5)
        shares = np.exp(logits - logits.max(axis=1, keepdims=True))
        np.testing.assert_allclose(shares / shares.sum(axis=1, keepdims=True), probabilities, atol=1e-5)
    description = json.loads(path.with_name("model.onnx.json").read_text())
    assert description["labels"] == list(LABELS) and description["largest_difference_from_keras"] == told <= 1e-5
    assert set(description["outputs"]) == {"probabilities", "logits"}


def test_a_conversion_that_went_wrong_is_not_left_behind(models, single, tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_engine, "version", lambda: "1.2.3")
    monkeypatch.setattr(onnx_engine, "onnx_bytes", lambda network: b"")
    monkeypatch.setattr(onnx_engine, "answers_of", lambda content, features: {
        name: values + np.float32(1e-3) for name, values in served_numbers(single, single(features)).items()})
    with pytest.raises(InputError, match="probabilities differ from Keras by 1.0e-03 on sample texts, more than 1e-04"):
        export_onnx(models / "single", tmp_path / "a.onnx")
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_written_is_refused(models, tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_engine, "version", lambda: None)
    with pytest.raises(InputError, match="engine='onnx' is not installed; install it with `pip install onnx onnxrunt"):
        export_onnx(models / "single", tmp_path / "a.onnx")
    monkeypatch.setattr(onnx_engine, "version", lambda: "1.2.3")
    (tmp_path / "a.onnx").write_bytes(b"mine")
    with pytest.raises(InputError, match="a.onnx exists already and is never overwritten"):
        export_onnx(models / "single", tmp_path / "a.onnx")
    with pytest.raises(InputError, match="holds a model of kind 'generator'"):
        export_onnx(models / "generator", tmp_path / "b.onnx")
    assert (tmp_path / "a.onnx").read_bytes() == b"mine"
