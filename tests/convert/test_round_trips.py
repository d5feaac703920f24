"""There and back: what is written in a format and read again is bit for bit what it was."""

import dataclasses
import json

import numpy as np
import pytest
import safetensors.numpy

from electra_tf.convert import hugging_face
from electra_tf.convert.formats import recognize
from electra_tf.convert.names import HUGGING_FACE, KERAS_HUB, ORIGINAL, encoder_entries, head_entries
from electra_tf.errors import InputError
from electra_tf.model.convert_checkpoint import convert_checkpoint
from electra_tf.model.encoder import ElectraEncoder
from electra_tf.model.model_folder import load_model_folder, save_model_folder
from electra_tf.model.networks import ElectraDiscriminator, ElectraGenerator
from electra_tf.tasks.text_classification import ElectraTextClassifier
from tests.oracles.hugging_face import folder_of
from tests.oracles.keras_hub import folder_of as keras_hub_folder_of
from tests.tasks.tiny import save_networks, scatter_weights, tiny_config, tiny_vocabulary

HUGGING_FACE_FIXTURES = (
    "model", "model_equal", "discriminator", "discriminator_equal", "discriminator_gelu_new", "generator",
    "generator_narrow", "generator_equal", "generator_gelu_new", "generator_untied", "sequence_classification_2",
    "sequence_classification_3_equal_gelu_new", "sequence_regression", "sequence_multilabel", "token_classification",
    "question_answering", "question_answering_equal", "multiple_choice")


def assert_same_model(one, other):
    assert (one.kind, one.config, one.vocabulary) == (other.kind, other.config, other.vocabulary)
    assert one.weights.keys() == other.weights.keys()
    for name, array in one.weights.items():
        assert array.dtype == other.weights[name].dtype == np.float32
        np.testing.assert_array_equal(array, other.weights[name], err_msg=name)


@pytest.mark.parametrize("name", HUGGING_FACE_FIXTURES)
def test_a_hugging_face_folder_comes_back_bit_for_bit(name, tmp_path):
    convert_checkpoint(folder_of(name), tmp_path / "ours", to="electra_tf")
    done = convert_checkpoint(tmp_path / "ours", tmp_path / "theirs", to="huggingface")
    assert list(done.folders.values()) == [tmp_path / "theirs"] and done.source == "electra_tf"
    before, after = (safetensors.numpy.load_file(folder / "model.safetensors")
                     for folder in (folder_of(name), tmp_path / "theirs"))
    assert before.keys() == after.keys()
    for key, array in before.items():
        np.testing.assert_array_equal(array, after[key], err_msg=key)
    settings_before, settings_after = (json.loads((folder / "config.json").read_text())
                                       for folder in (folder_of(name), tmp_path / "theirs"))
    ignored = {"transformers_version", "add_cross_attention", "is_decoder", "use_cache", "bos_token_id",
               "eos_token_id", "summary_last_dropout", "classifier_dropout"}
    defaults = {"problem_type", "id2label", "label2id"}  # the library leaves them out where they are usual
    for key, value in settings_before.items():
        assert key in ignored or settings_after[key] == value, key
    assert settings_after.keys() - settings_before.keys() <= defaults
    assert (tmp_path / "theirs/vocab.txt").read_text() == (folder_of(name) / "vocab.txt").read_text()
    assert_same_model(load_model_folder(tmp_path / "theirs"), load_model_folder(tmp_path / "ours"))


@pytest.mark.parametrize("name", ["discriminator_bfloat16", "discriminator_float16", "discriminator_bin",
                                  "discriminator_sharded", "generator_bin_tied_views", "generator_sharded"])
def test_other_forms_of_storage_become_one_plain_file(name, tmp_path):
    convert_checkpoint(folder_of(name), tmp_path / "again", to="huggingface")
    assert_same_model(load_model_folder(folder_of(name)), load_model_folder(tmp_path / "again"))


@pytest.mark.parametrize("name", ["backbone", "backbone_equal"])
def test_a_keras_hub_preset_comes_back_with_its_pooler(name, tmp_path):
    convert_checkpoint(keras_hub_folder_of(name), tmp_path / "ours", to="electra_tf")
    done = convert_checkpoint(tmp_path / "ours", tmp_path / "theirs", to="keras_hub")
    assert done.told == ()
    assert_same_model(load_model_folder(tmp_path / "theirs"), load_model_folder(keras_hub_folder_of(name)))


@pytest.mark.parametrize("part", ["discriminator", "generator", "encoder"])
@pytest.mark.parametrize("to", ["original", "huggingface"])
def test_each_part_of_ours_survives_each_format(part, to, tmp_path):
    save_networks(tmp_path / "run")
    convert_checkpoint(tmp_path / "run", tmp_path / "ours", to="electra_tf", part=part)
    convert_checkpoint(tmp_path / "ours", tmp_path / "theirs", to=to)
    assert recognize(tmp_path / "theirs") == to
    again, before = load_model_folder(tmp_path / "theirs", network=part), load_model_folder(tmp_path / "ours")
    # How large the generator was is written nowhere there.
    sizes = {"generator_size": before.config.generator_size, "generator_depth": before.config.generator_depth}
    assert_same_model(dataclasses.replace(again, config=dataclasses.replace(again.config, **sizes)), before)


def test_both_networks_of_a_run_are_one_checkpoint_of_the_original(tmp_path):
    config = tiny_config()
    discriminator = ElectraDiscriminator(config)
    generator = ElectraGenerator(config.generator, embeddings=discriminator.encoder.embeddings)
    for network in (discriminator, generator):
        scatter_weights(network, seed=5)
    for network in (discriminator, generator):
        network.save_to_preset(tmp_path / "run" / network.KIND, vocabulary=tiny_vocabulary())
    convert_checkpoint(tmp_path / "run", tmp_path / "original", to="original")
    done = convert_checkpoint(tmp_path / "original", tmp_path / "again", to="electra_tf")
    assert done.folders == {kind: tmp_path / "again" / kind for kind in ("discriminator", "generator")}
    for kind in done.folders:
        assert_same_model(load_model_folder(tmp_path / "again" / kind), load_model_folder(tmp_path / "run" / kind))


def test_networks_that_share_no_embeddings_cannot_be_one_checkpoint(tmp_path):
    save_networks(tmp_path / "run")
    with pytest.raises(InputError, match="have different embeddings, which the original stores only where"):
        convert_checkpoint(tmp_path / "run", tmp_path / "original", to="original")
    assert not (tmp_path / "original").exists()


def classifier_folder(tmp_path, *, head_hidden_layer):
    save_networks(tmp_path / "run")
    classifier = ElectraTextClassifier.from_preset(
        tmp_path / "run/discriminator", labels=["neg", "pos", "other"], head_hidden_layer=head_hidden_layer)
    scatter_weights(classifier, seed=6)
    classifier.save_to_preset(tmp_path / "tuned/model")
    return tmp_path / "tuned"


def test_a_classifier_with_two_layers_goes_to_hugging_face_alone(tmp_path):
    folder = classifier_folder(tmp_path, head_hidden_layer=True)
    convert_checkpoint(folder, tmp_path / "theirs", to="huggingface")
    again = load_model_folder(tmp_path / "theirs")
    assert again.extra["labels"] == ["neg", "pos", "other"] and again.extra["head_hidden_layer"]
    before = load_model_folder(folder / "model")
    for name, array in before.weights.items():
        np.testing.assert_array_equal(array, again.weights[name], err_msg=name)
    with pytest.raises(InputError, match="cannot be written as a checkpoint of the original: its head has two layers"):
        convert_checkpoint(folder, tmp_path / "original", to="original")


def test_a_classifier_with_one_layer_goes_to_the_original_alone(tmp_path):
    folder = classifier_folder(tmp_path, head_hidden_layer=False)
    convert_checkpoint(folder, tmp_path / "original", to="original")
    again, before = load_model_folder(tmp_path / "original"), load_model_folder(folder / "model")
    assert again.kind == "text_classifier"
    for name, array in before.weights.items():
        np.testing.assert_array_equal(array, again.weights[name], err_msg=name)
    with pytest.raises(InputError, match="cannot be written as a Hugging Face folder: its head has one layer"):
        convert_checkpoint(folder, tmp_path / "theirs", to="huggingface")
    convert_checkpoint(folder, tmp_path / "encoder", to="huggingface", part="encoder")
    assert load_model_folder(tmp_path / "encoder").kind == "encoder"


@pytest.mark.parametrize("fields", [{"activation": "gelu_tanh"}, {"has_tied_output": False}])
def test_what_the_original_has_not_is_refused_there(fields, tmp_path):
    generator = ElectraGenerator(dataclasses.replace(tiny_config(), **fields))
    generator.save_to_preset(tmp_path / "generator", vocabulary=tiny_vocabulary())
    with pytest.raises(InputError, match="activation='gelu_tanh', but the original|its output matrix is not the word"):
        convert_checkpoint(tmp_path / "generator", tmp_path / "original", to="original")


def test_an_exact_gelu_is_told_to_be_lost_in_keras_hub_with_its_size(tmp_path):
    done = convert_checkpoint(folder_of("model"), tmp_path / "preset", to="keras_hub")
    (told,) = [sentence for sentence in done.told if "cannot represent this model's exact GELU" in sentence]
    difference = float(told.split("differs by up to ")[1].split(" ")[0])
    assert 5e-4 < difference < 1e-2  # the oracles' README measured 2.1e-3 on other inputs
    assert load_model_folder(tmp_path / "preset").config.activation == "gelu_tanh"
    with pytest.raises(InputError, match="has layer_norm_epsilon=1e-05, but KerasHub's"):
        other = dataclasses.replace(load_model_folder(folder_of("model")).config, layer_norm_epsilon=1e-5)
        ElectraEncoder(other).save_to_preset(tmp_path / "other")
        convert_checkpoint(tmp_path / "other", tmp_path / "no", to="keras_hub")


@pytest.mark.parametrize("form", [ORIGINAL, HUGGING_FACE, KERAS_HUB])
@pytest.mark.parametrize("embedding_size", [10, 18])
def test_the_tables_of_names_cover_each_variable_of_the_networks_once(form, embedding_size):
    config = tiny_config(embedding_size=embedding_size)
    networks = {"discriminator": ElectraDiscriminator(config), "generator": ElectraGenerator(config)}
    for kind, network in networks.items():
        entries = encoder_entries(config, form)
        if form != KERAS_HUB:
            entries += head_entries(kind, config, form, {})
        wanted = {name: variable.shape for name, variable in network.weights_by_name().items()
                  if form != KERAS_HUB or name.startswith("encoder/")}
        assert {entry.ours: entry.our_shape for entry in entries} == wanted
        assert len({entry.theirs for entry in entries}) == len(entries)


def test_unknown_formats_and_parts_and_folders_are_refused(tmp_path):
    for arguments, message in (({"to": "onnx"}, "to='onnx' is not known"),
                               ({"to": "electra_tf", "part": "head"}, "part='head' is not known"),
                               ({"to": "electra_tf", "part": "generator"}, "holds no generator, only discriminator"),
                               ({"to": "electra_tf", "num_heads": 2}, "num_heads=2: the source says itself"),
                               ({"to": "electra_tf", "vocabulary": "x"}, "has a vocabulary of its own")):
        with pytest.raises(InputError, match=message):
            convert_checkpoint(folder_of("discriminator"), tmp_path / "out", **arguments)
    with pytest.raises(InputError, match="holds no checkpoint of a known format"):
        convert_checkpoint(tmp_path, tmp_path / "out", to="original")
    assert not (tmp_path / "out").exists()


def test_other_work_is_never_overwritten(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/notes").write_text("mine")
    with pytest.raises(InputError, match="holds other work"):
        convert_checkpoint(folder_of("discriminator"), tmp_path / "out", to="electra_tf")


def test_a_source_without_a_vocabulary_takes_one_by_name(tmp_path):
    save_model_folder(tmp_path / "bare", kind="encoder", config=tiny_config(),
                      weights=load_model_folder(save_networks(tmp_path / "run") / "discriminator").encoder_weights())
    tiny_vocabulary().save(tmp_path / "vocabulary")
    convert_checkpoint(tmp_path / "bare", tmp_path / "named", to="huggingface", vocabulary=tmp_path / "vocabulary")
    assert hugging_face.read(tmp_path / "named").vocabulary == tiny_vocabulary()
