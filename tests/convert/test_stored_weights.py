import numpy as np
import pytest
import safetensors.numpy

from electra_tf.errors import InputError
from electra_tf.model.convert_checkpoint import convert_checkpoint
from electra_tf.model.encoder import ElectraEncoder
from electra_tf.model.model_folder import load_model_folder, save_model_folder
from tests.oracles.hugging_face import folder_of, inputs_of


def test_weights_stored_as_float16_take_half_the_space_and_come_back_as_float32(tmp_path):
    source = folder_of("discriminator")
    for dtype in ("float32", "float16"):
        convert_checkpoint(source, tmp_path / dtype, to="electra_tf", weights_dtype=dtype)
    sizes = [sum(array.nbytes for array in safetensors.numpy.load_file(tmp_path / dtype / "model.safetensors").values())
             for dtype in ("float32", "float16")]
    assert sizes[0] == 2 * sizes[1]
    before, after = (load_model_folder(tmp_path / dtype).weights for dtype in ("float32", "float16"))
    for name, array in before.items():
        assert after[name].dtype == np.float32
        np.testing.assert_allclose(after[name], array, rtol=2**-11, atol=2**-25)
    encoders = [ElectraEncoder.from_preset(tmp_path / dtype) for dtype in ("float32", "float16")]
    outputs = [encoder(inputs_of("discriminator")).numpy() for encoder in encoders]
    assert 0 < abs(outputs[0] - outputs[1]).max() < 0.02


@pytest.mark.parametrize(["settings", "sentence"], [
    ({"to": "electra_tf", "weights_dtype": "int8"}, "weights_dtype='int8' is not known; choose one of float32"),
    ({"to": "huggingface", "weights_dtype": "float16"}, "is for folders of electra_tf, not for to='huggingface'")])
def test_other_types_of_weights_are_refused_before_anything_is_read(settings, sentence, tmp_path):
    with pytest.raises(InputError, match=sentence):
        convert_checkpoint(tmp_path / "nothing", tmp_path / "out", **settings)


def test_weights_that_float16_cannot_hold_are_named_and_nothing_is_written(tmp_path):
    model = load_model_folder(folder_of("discriminator"))
    name = "encoder/embeddings/position_embeddings"
    weights = model.weights | {name: np.full_like(model.weights[name], 7e4)}
    with pytest.raises(InputError, match=f"{name} holds numbers beyond 65,504"):
        save_model_folder(tmp_path / "out", kind=model.kind, config=model.config, weights=weights,
                          vocabulary=model.vocabulary, weights_dtype="float16")
    assert not (tmp_path / "out").exists()


def test_a_model_folder_can_be_read_by_the_user_that_a_server_runs_as(tmp_path):
    convert_checkpoint(folder_of("discriminator"), tmp_path / "model", to="electra_tf")
    (tmp_path / "plain").touch()
    expected = (tmp_path / "plain").stat().st_mode  # what the umask of this process leaves
    assert {path.stat().st_mode for path in (tmp_path / "model").rglob("*") if path.is_file()} == {expected}
