"""What is refused, each in one sentence: pickled code, old and damaged files, other builds, mixed-up kinds."""

import json
import shutil
import zipfile

import numpy as np
import pytest
import safetensors.numpy

from electra_tf.convert.torch_file import read_torch_file
from electra_tf.errors import InputError
from electra_tf.model.encoder import ElectraEncoder
from electra_tf.model.model_folder import load_model_folder
from electra_tf.model.networks import ElectraDiscriminator, ElectraGenerator
from electra_tf.tasks.text_classification import ElectraTextClassifier
from tests.oracles.hugging_face import folder_of


@pytest.fixture
def folder(tmp_path):
    """A copy of the discriminator's folder that a test may change."""
    return copy_of("discriminator", tmp_path)


def copy_of(name, tmp_path):
    shutil.copytree(folder_of(name), tmp_path / name)
    for path in (tmp_path / name, *(tmp_path / name).iterdir()):
        path.chmod(0o755)
    return tmp_path / name


def change_settings(folder, **changes):
    settings = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**settings, **changes}))


def change_weights(folder, change):
    arrays = safetensors.numpy.load_file(folder / "model.safetensors")
    change(arrays)
    safetensors.numpy.save_file(arrays, folder / "model.safetensors")


def test_pickled_code_is_refused_and_not_run(capsys):
    with pytest.raises(InputError, match="would run __builtin__.print when it is unpickled, so it is not read"):
        ElectraDiscriminator.from_preset(folder_of("refuse_pickle"))
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("function", ["os.system", "builtins.exec", "torch.load", "numpy.load"])
def test_every_other_name_in_a_pickle_is_refused(function, tmp_path):
    module, name = function.split(".")
    code = f"c{module}\n{name}\n(X\x01\x00\x00\x00xtR.".encode()
    with zipfile.ZipFile(tmp_path / "pytorch_model.bin", "w") as archive:
        archive.writestr("pytorch_model/data.pkl", b"\x80\x02" + code)
    with pytest.raises(InputError, match=f"would run {module}.{name}"):
        read_torch_file(tmp_path / "pytorch_model.bin")


def test_a_tensor_beyond_its_storage_is_refused(tmp_path):
    # A state dict by hand: what torch pickles, with a stride that leads out of the four numbers.
    body = (b"\x80\x02}X\x01\x00\x00\x00wctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\n"
            b"FloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x04tQK\x00K\x02K\x02\x86K\x64K\x01\x86\x89}tRs.")
    with zipfile.ZipFile(tmp_path / "pytorch_model.bin", "w") as archive:
        archive.writestr("pytorch_model/data.pkl", body)
        archive.writestr("pytorch_model/data/0", np.zeros(4, np.float32).tobytes())
    with pytest.raises(InputError, match="is damaged or no file of PyTorch .a tensor beyond the end of its storage"):
        read_torch_file(tmp_path / "pytorch_model.bin")


def test_the_format_before_pytorch_1_6_is_refused_with_the_remedy():
    with pytest.raises(InputError, match="format that PyTorch wrote before version 1.6; read it with torch.load and"):
        load_model_folder(folder_of("discriminator_bin_legacy"))


@pytest.mark.parametrize("content", [b"", b"no zip at all", b"PK\x03\x04 torn"])
def test_a_file_that_is_none_of_pytorch_is_refused(content, tmp_path):
    (tmp_path / "pytorch_model.bin").write_bytes(content)
    with pytest.raises(InputError, match="is damaged or no file of PyTorch"):
        read_torch_file(tmp_path / "pytorch_model.bin")


def test_a_generator_is_no_classifier_and_no_discriminator():
    with pytest.raises(InputError, match="kind 'generator', which only proposes words .*; give the discriminator"):
        ElectraTextClassifier.from_preset(folder_of("generator"), labels=["a", "b"])
    with pytest.raises(InputError, match="holds a model of kind 'generator'"):
        ElectraTextClassifier.from_preset(folder_of("generator"))
    with pytest.raises(InputError, match="kind 'generator', not 'discriminator'"):
        ElectraDiscriminator.from_preset(folder_of("generator"))
    with pytest.raises(InputError, match="kind 'discriminator', not 'generator'"):
        ElectraGenerator.from_preset(folder_of("discriminator"))


def test_settings_of_a_generator_on_a_discriminator_are_refused(folder):
    """The commonest mix-up: config.json of one beside the weights of the other."""
    shutil.copy(folder_of("generator") / "config.json", folder / "config.json")
    with pytest.raises(InputError, match=("missing: generator_predictions.dense.weight, .*; without a place: "
                                          "discriminator_predictions.dense.bias")):
        load_model_folder(folder)


def test_shapes_are_read_from_the_weights_and_compared(folder):
    change_settings(folder, hidden_size=64, embedding_size=32)
    with pytest.raises(InputError, match=r"of another shape: electra.embeddings.word_embeddings.weight is \[512, 16\], "
                                         r"expected \[512, 32\]"):
        load_model_folder(folder)


def test_a_surplus_variable_and_a_missing_one_are_named(folder):
    def change(arrays):
        arrays["electra.pooler.dense.weight"] = arrays.pop("electra.encoder.layer.2.output.dense.bias")
    change_weights(folder, change)
    with pytest.raises(InputError, match="missing: electra.encoder.layer.2.output.dense.bias; without a place: "
                                         "electra.pooler.dense.weight"):
        load_model_folder(folder)


@pytest.mark.parametrize("changes, message", [
    ({"model_type": "roberta"}, "model_type 'roberta'; only 'electra' and 'bert'"),
    ({"hidden_act": "relu"}, "hidden_act='relu' is not known here"),
    ({"position_embedding_type": "relative_key"}, "position_embedding_type='relative_key' has no counterpart"),
    ({"architectures": ["ElectraForCausalLM"]}, "the class 'ElectraForCausalLM' has no counterpart"),
    ({"vocab_size": 500}, r"word_embeddings.weight is \[512, 16\], expected \[500, 16\]")])
def test_models_of_another_build_are_refused(changes, message, folder):
    change_settings(folder, **changes)
    with pytest.raises(InputError, match=message):
        load_model_folder(folder)


def test_an_untied_output_that_claims_to_be_tied_is_refused(tmp_path):
    folder = copy_of("generator_untied", tmp_path)
    change_settings(folder, tie_word_embeddings=True)
    with pytest.raises(InputError, match="generator_lm_head.weight differs from the word table"):
        load_model_folder(folder)


def test_missing_weights_and_missing_shards_are_named(folder, tmp_path):
    (folder / "model.safetensors").unlink()
    with pytest.raises(InputError, match="has no weights; expected model.safetensors, its shards"):
        load_model_folder(folder)
    sharded = copy_of("discriminator_sharded", tmp_path)
    (sharded / "model-00002-of-00003.safetensors").unlink()
    with pytest.raises(InputError, match="names model-00002-of-00003.safetensors, which is not there"):
        load_model_folder(sharded)


def test_a_torn_safetensors_file_is_refused(folder):
    content = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(content[:-10])
    with pytest.raises(InputError, match="model.safetensors is damaged"):
        load_model_folder(folder)


def test_a_vocabulary_with_more_pieces_than_rows_is_refused(folder):
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    tokenizer["model"]["vocab"]["##zzz"] = 512
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    with pytest.raises(InputError, match="the vocabulary has 513 pieces, the word table only 512 rows"):
        load_model_folder(folder)


def test_a_table_padded_to_a_multiple_of_8_is_understood(folder):
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    vocabulary = tokenizer["model"]["vocab"]
    kept = {piece: token_id for piece, token_id in vocabulary.items() if token_id < 509}
    tokenizer["model"]["vocab"] = kept
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    encoder = ElectraEncoder.from_preset(folder)
    assert (encoder.vocabulary.size, encoder.config.vocabulary_size) == (509, 512)
    assert encoder.embeddings.word_embeddings.shape[0] == 512


@pytest.mark.parametrize("file, changes, message", [
    ("tokenizer", {"normalizer": {"type": "Sequence", "normalizers": []}},
     "tokenizer.json: the normalizer is of type 'Sequence', and only BertNormalizer is known here"),
    ("tokenizer", {"pre_tokenizer": {"type": "Metaspace"}}, "the pre_tokenizer is of type 'Metaspace'"),
    ("tokenizer_config", {"word_tokenizer_type": "mecab"}, "tokenizer_config.json: words are found by 'mecab' there")])
def test_a_tokenizer_that_finds_other_words_is_refused(folder, file, changes, message):
    path = folder / f"{file}.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    with pytest.raises(InputError, match=message):
        load_model_folder(folder)


def test_a_tokenizer_of_another_kind_is_refused(folder):
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    (folder / "tokenizer.json").write_text(json.dumps({**tokenizer, "model": {"type": "BPE", "vocab": {}}}))
    with pytest.raises(InputError, match="holds a tokenizer of type 'BPE'; expected WordPiece"):
        load_model_folder(folder)
