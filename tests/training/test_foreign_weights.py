"""--init_from with weights of other programs: both networks of an original checkpoint, padded tables, BERT encoders."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
import safetensors.numpy

from electra_tf.config import PretrainingConfig, replace
from electra_tf.errors import InputError
from electra_tf.model.convert_checkpoint import convert_checkpoint
from electra_tf.model.model_folder import load_model_folder
from electra_tf.model.networks import ElectraDiscriminator
from electra_tf.training.initial_weights import read_initial_weights
from electra_tf.training.pretrain import pretrain
from electra_tf.training.pretrainer import ElectraPretrainer
from electra_tf.training.run_weights import read_run_weights
from tests.oracles.hugging_face import folder_of
from tests.oracles.original import PretrainingFixture, our_name
from tests.oracles.shared import shared_path
from tests.training.tiny_run import tiny_config, tiny_vocabulary, write_records


@pytest.mark.parametrize("converted", [False, True])
def test_a_checkpoint_of_the_original_fills_both_networks(converted, tmp_path):
    fixture = PretrainingFixture("proj")
    folder = tmp_path / "ckpt"
    shutil.copytree(shared_path("oracles/original/ckpt_proj"), folder)
    folder.chmod(0o755)
    (folder / "bert_config.json").write_text(json.dumps(fixture.settings["bert_config"]))
    shutil.copy(shared_path("oracles/original/tiny_vocab.txt"), folder / "vocab.txt")
    vocabulary, config = load_model_folder(folder).vocabulary, fixture.config()
    if converted:
        convert_checkpoint(folder, tmp_path / "ours", to="electra_tf")
    initial = read_initial_weights(tmp_path / "ours" if converted else folder, config=PretrainingConfig(model=config),
                                   vocabulary=vocabulary, report=pytest.fail)
    assert initial.new == () and initial.told.startswith("Weights of both networks from")
    pretrainer = ElectraPretrainer(config)
    initial.assign_to(pretrainer)
    expected = {our_name(name.removeprefix("after6/")): array for name, array in fixture.arrays.items()
                if name.startswith("after6/") and "/slots/" not in name}
    for name, variable in pretrainer.weights_by_name().items():
        np.testing.assert_array_equal(variable.numpy(), expected[name], err_msg=name)
    with pytest.raises(InputError, match="the generator's hidden_size is 24 there and 16 here"):
        read_initial_weights(folder, config=PretrainingConfig(model=replace(config, generator_size=0.5)),
                             vocabulary=vocabulary, report=pytest.fail)


def padded_bert(folder):
    """A Hugging Face BERT of the tiny world: no projection, a pooler, a table padded to 200 rows for 195 pieces."""
    model = dataclasses.replace(tiny_config().model, embedding_size=16, vocabulary_size=200)
    random = np.random.default_rng(3)
    shutil.copytree(folder_of("model_equal"), folder)
    for path in (folder, *folder.iterdir()):
        path.chmod(0o755)
    source = safetensors.numpy.load_file(folder / "model.safetensors")
    sizes = {512: 200, 64: 24, 32: 16}
    arrays = {}
    for name, array in source.items():
        shape = [14 if name.endswith("position_embeddings.weight") and axis == 0 else sizes.get(size, size)
                 for axis, size in enumerate(array.shape)]
        arrays[f"bert.{name}"] = random.normal(0, 0.1, shape).astype(np.float32)
    arrays = {name: array for name, array in arrays.items() if ".layer.2." not in name}
    arrays["bert.pooler.dense.weight"] = np.ones((16, 16), np.float32)
    arrays["cls.predictions.bias"] = np.ones(200, np.float32)
    safetensors.numpy.save_file(arrays, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({
        "model_type": "bert", "architectures": ["BertForPreTraining"], "vocab_size": 200, "hidden_size": 16,
        "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24, "max_position_embeddings": 14,
        "hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1, "hidden_act": "gelu"}))
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": True}))
    (folder / "vocab.txt").write_text("".join(f"{piece}\n" for piece in (*tiny_vocabulary().pieces[:-1], "##ya")))
    return folder, model, arrays


def test_a_padded_bert_starts_the_discriminator_and_its_pooler_is_left_out(tmp_path):
    folder, model, arrays = padded_bert(tmp_path / "bert")
    saved = load_model_folder(folder)
    assert (saved.vocabulary.size, saved.config.vocabulary_size) == (195, 200)
    assert "Left out: bert.pooler.dense.weight, cls.predictions.bias." in saved.told
    config = replace(model, vocabulary_size=195)
    initial = read_initial_weights(folder, config=PretrainingConfig(model=config), vocabulary=saved.vocabulary,
                                   report=pytest.fail)
    assert initial.new == ("generator/", "discriminator/head/")
    pretrainer = ElectraPretrainer(config)
    initial.assign_to(pretrainer)
    weights = pretrainer.weights_by_name()
    np.testing.assert_array_equal(weights["discriminator/encoder/embeddings/word_embeddings"].numpy(),
                                  arrays["bert.embeddings.word_embeddings.weight"][:195])
    np.testing.assert_array_equal(weights["discriminator/encoder/layer_1/attention/key/kernel"].numpy(),
                                  arrays["bert.encoder.layer.1.attention.self.key.weight"].T)


def test_a_run_goes_on_from_a_hugging_face_folder(tmp_path):
    config = tiny_config(train_steps=3, evaluation_steps=3)
    discriminator = ElectraDiscriminator(config.model)
    discriminator.save_to_preset(tmp_path / "ours", vocabulary=tiny_vocabulary())
    convert_checkpoint(tmp_path / "ours", tmp_path / "theirs", to="huggingface")
    pretrain(config, data=write_records(tmp_path, documents=60), output=tmp_path / "run",
             init_from=str(tmp_path / "theirs"))
    moved = read_run_weights(tmp_path / "run").arrays
    for name, start in discriminator.weights_by_name().items():
        if name.endswith("/kernel"):
            assert 0 < abs(moved[f"discriminator/{name}"] - start.numpy()).max() < 0.02, name


def test_an_activation_that_differs_is_named(tmp_path):
    saved = load_model_folder(folder_of("discriminator_gelu_new"))
    config = PretrainingConfig(model=replace(saved.config, activation="gelu"))
    with pytest.raises(InputError, match="activation is gelu_tanh there and gelu here"):
        read_initial_weights(folder_of("discriminator_gelu_new"), config=config, vocabulary=saved.vocabulary,
                             report=pytest.fail)
