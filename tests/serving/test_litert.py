"""A LiteRT file answers token ids of any batch size and length as Keras does, within what its numbers allow."""

import json

import numpy as np
import pytest
import tensorflow as tf

from electra_tf.errors import InputError
from electra_tf.serving import litert
from electra_tf.serving.litert import export_litert
from tests.serving.conftest import LABELS

pytestmark = pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated")

TEXTS = ["a good film!", "", "the plot was dull and the film was very awful and bad", "x"]


@pytest.fixture(scope="module")
def files(models, tmp_path_factory):
    """(file, difference that was told) by quantization."""
    folder = tmp_path_factory.mktemp("litert")
    told = {form: export_litert(models / "single", folder / f"{form}.tflite", quantization=form)
            for form in ("float32", "float16", "int8")}
    return {form: (folder / f"{form}.tflite", difference) for form, difference in told.items()}


@pytest.mark.parametrize("form, tolerance", [("float32", 1e-5), ("float16", 5e-3), ("int8", 0.15)])
def test_answers_are_those_of_keras_at_any_size(files, single, form, tolerance):
    path, told = files[form]
    runner = tf.lite.Interpreter(model_path=str(path)).get_signature_runner("token_ids")
    features = {name: values.numpy() for name, values in single.preprocessor(TEXTS).items()}
    expected = single.predict(TEXTS, verbose=0)
    for rows, length in ((slice(0, 4), 17), (slice(0, 1), 9), (slice(3, 4), 17)):
        answers = runner(**{name: values[rows, :length] for name, values in features.items()})
        np.testing.assert_allclose(answers["probabilities"], expected[rows], atol=tolerance)
        np.testing.assert_allclose(tf.nn.softmax(answers["logits"]), answers["probabilities"], atol=1e-5)
    assert 0 <= told <= tolerance


def test_fewer_bits_make_it_smaller(files):
    sizes = {form: path.stat().st_size for form, (path, _) in files.items()}
    assert sizes["int8"] < sizes["float16"] < sizes["float32"]


def test_the_description_lies_beside_the_file(files):
    path, told = files["int8"]
    description = json.loads(path.with_name("int8.tflite.json").read_text())
    assert description["labels"] == list(LABELS) and description["quantization"] == "int8"
    assert description["largest_difference_from_keras"] == told


def test_a_conversion_that_went_wrong_is_not_left_behind(files, models, tmp_path, monkeypatch):
    monkeypatch.setattr(litert, "_converted", lambda classifier, quantization: files["int8"][0].read_bytes())
    with pytest.raises(InputError, match="probabilities differ from Keras by .* more than 1e-05 for float32"):
        export_litert(models / "single", tmp_path / "a.tflite", quantization="float32")
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_written_is_refused(models, tmp_path):
    with pytest.raises(InputError, match="quantization='int4' is not known; choose one of float32, float16, int8"):
        export_litert(models / "single", tmp_path / "a.tflite", quantization="int4")
    (tmp_path / "a.tflite").write_bytes(b"mine")
    with pytest.raises(InputError, match="a.tflite exists already and is never overwritten"):
        export_litert(models / "single", tmp_path / "a.tflite")
    with pytest.raises(InputError, match="holds a model of kind 'generator'"):
        export_litert(models / "generator", tmp_path / "b.tflite")
    assert (tmp_path / "a.tflite").read_bytes() == b"mine"
