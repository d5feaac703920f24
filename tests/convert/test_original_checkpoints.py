"""Checkpoints of the original implementation through the converter: its own values, and outputs of its graphs."""

import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

from electra_tf.convert import original
from electra_tf.errors import InputError
from electra_tf.model.convert_checkpoint import convert_checkpoint
from electra_tf.model.encoder import ElectraEncoder
from electra_tf.model.model_folder import load_model_folder
from electra_tf.model.networks import ElectraDiscriminator, ElectraGenerator
from electra_tf.tasks.text_classification import ElectraTextClassifier
from tests.convert.checkpoints import variables_of, write_checkpoint
from tests.oracles.original import PretrainingFixture, our_name
from tests.oracles.shared import shared_path

TOLERANCE = 1e-5
VOCABULARY = "oracles/original/tiny_vocab.txt"


def fixture_arrays(fixture, group):
    return {name.removeprefix(f"{group}/"): array for name, array in fixture.arrays.items()
            if name.startswith(f"{group}/") and "/slots/" not in name}


def checkpoint_of(variant, tmp_path):
    """A fixture's own checkpoint, with the settings that it lacks beside it."""
    shutil.copytree(shared_path(f"oracles/original/ckpt_{variant}"), tmp_path / variant)
    for path in (tmp_path / variant, *(tmp_path / variant).iterdir()):
        path.chmod(0o755)
    (tmp_path / variant / "variables.json").unlink()
    settings = PretrainingFixture(variant).settings["bert_config"]
    (tmp_path / variant / "bert_config.json").write_text(json.dumps(settings))
    shutil.copy(shared_path(VOCABULARY), tmp_path / variant / "vocab.txt")
    return tmp_path / variant


@pytest.mark.parametrize("variant", ["proj", "noproj"])
def test_every_variable_of_a_checkpoint_arrives_unchanged(variant, tmp_path):
    fixture = PretrainingFixture(variant)
    discriminator, generator = original.read(checkpoint_of(variant, tmp_path))
    arrived = {**{f"discriminator/{name}": array for name, array in discriminator.weights.items()},
               **{f"generator/{name}": array for name, array in generator.weights.items()
                  if not name.startswith("encoder/embeddings/")}}
    expected = {our_name(name): array for name, array in fixture_arrays(fixture, "after6").items()}
    assert arrived.keys() == expected.keys() == fixture.weights.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(arrived[name], array, err_msg=name)
    assert discriminator.config.generator == generator.config
    assert (discriminator.kind, generator.kind, discriminator.vocabulary.size) == ("discriminator", "generator", 160)
    slots = 2 * len(expected) + 1
    assert f"Skipped {slots} variables of the optimizer" in " ".join(discriminator.told)


@pytest.mark.parametrize("variant", ["proj", "noproj"])
def test_layers_and_logits_of_both_networks_are_those_of_the_original_graph(variant, tmp_path):
    fixture = PretrainingFixture(variant)
    folder = write_checkpoint(tmp_path / "ckpt", fixture_arrays(fixture, "init"),
                              settings=fixture.settings["bert_config"], vocabulary=shared_path(VOCABULARY))
    others = {"segment_ids": fixture["step0/in/segment_ids"], "padding_mask": fixture["step0/in/input_mask"]}
    discriminator, generator = ElectraDiscriminator.from_preset(folder), ElectraGenerator.from_preset(folder)
    for encoder, scope, token_ids in (
            (generator.encoder, "enc0_generator", fixture["out/masked/input_ids"]),
            (ElectraEncoder.from_preset(folder), "enc1_electra", fixture["out/fake/input_ids"])):
        states = encoder.layer_outputs(token_ids, **others)
        np.testing.assert_allclose(
            states[0], fixture[f"out/{scope}/embedding_output_after_projection"], atol=TOLERANCE)
        for state, expected in zip(states[1:], fixture[f"out/{scope}/layers"], strict=True):
            np.testing.assert_allclose(state, expected, atol=TOLERANCE)
    np.testing.assert_allclose(discriminator(fixture["out/fake/input_ids"], **others), fixture["out/disc/logits"],
                               atol=TOLERANCE)
    logits = generator(fixture["out/masked/input_ids"], positions=fixture["out/masked/masked_lm_positions"], **others)
    np.testing.assert_allclose(logits, fixture["out/gen/logits"], atol=TOLERANCE)


@pytest.mark.parametrize("variant, kinds", [
    ("untied_embeddings", ["discriminator", "generator"]), ("tied_all", ["discriminator", "generator"]),
    ("mlm_only", ["generator"]), ("uniform_generator", ["discriminator"])])
def test_checkpoints_of_the_other_objectives_hold_the_networks_that_they_trained(variant, kinds, tmp_path):
    fixture = PretrainingFixture(variant)
    folder = write_checkpoint(tmp_path / "ckpt", fixture_arrays(fixture, "init"),
                              settings=fixture.settings["bert_config"])
    models = original.read(folder)
    assert [model.kind for model in models] == kinds
    assert len({name for model in models for name in model.weights}) > 30
    others = {"segment_ids": fixture["step0/in/segment_ids"], "padding_mask": fixture["step0/in/input_mask"]}
    if "generator" in kinds:
        generator = ElectraGenerator.from_preset(folder)
        logits = generator(fixture["out/masked/input_ids"], positions=fixture["out/masked/masked_lm_positions"],
                           **others)
        np.testing.assert_allclose(logits, fixture["out/gen/logits"], atol=TOLERANCE)
    if "discriminator" in kinds:
        logits = ElectraDiscriminator.from_preset(folder)(fixture["out/fake/input_ids"], **others)
        np.testing.assert_allclose(logits, fixture["out/disc/logits"], atol=TOLERANCE)


def test_variables_without_a_place_are_named(tmp_path):
    fixture = PretrainingFixture("electric")
    folder = write_checkpoint(tmp_path / "ckpt", fixture_arrays(fixture, "init"),
                              settings=fixture.settings["bert_config"])
    with pytest.raises(InputError, match="without a place: cloze_predictions/LayerNorm/beta, .* more"):
        original.read(folder)


def test_a_missing_variable_and_settings_that_do_not_fit_are_named(tmp_path):
    fixture = PretrainingFixture("proj")
    arrays, settings = fixture_arrays(fixture, "init"), fixture.settings["bert_config"]
    lacking = {name: array for name, array in arrays.items() if name != "electra/encoder/layer_1/output/dense/bias"}
    with pytest.raises(InputError, match="missing: electra/encoder/layer_1/output/dense/bias"):
        original.read(write_checkpoint(tmp_path / "lacking", lacking, settings=settings))
    folder = write_checkpoint(tmp_path / "other", arrays, settings={**settings, "intermediate_size": 65})
    with pytest.raises(InputError, match="intermediate_size is 65 there and 64 in the weights"):
        original.read(folder)


def test_without_settings_the_heads_follow_the_originals_rule(tmp_path):
    folder = write_checkpoint(tmp_path / "ckpt", fixture_arrays(PretrainingFixture("proj"), "init"))
    discriminator, _ = original.read(folder)
    assert discriminator.config.num_heads == 1  # 32 wide
    assert any("No bert_config.json says how many heads" in sentence for sentence in discriminator.told)
    assert discriminator.vocabulary is None
    done = convert_checkpoint(folder, tmp_path / "ours", to="electra_tf", num_heads=4, part="discriminator",
                              vocabulary=shared_path(VOCABULARY))
    saved = load_model_folder(tmp_path / "ours")
    assert (saved.config.num_heads, saved.config.generator.num_heads, saved.vocabulary.size) == (4, 1, 160)
    assert "The number of heads is 4, as given." in done.told


def test_one_of_several_checkpoints_must_be_named(tmp_path):
    arrays = fixture_arrays(PretrainingFixture("proj"), "init")
    for name in ("model.ckpt-0", "model.ckpt-6"):
        write_checkpoint(tmp_path, arrays, name=name)
    with pytest.raises(InputError, match="holds 2 checkpoints .*; name one, such as .*model.ckpt-0"):
        load_model_folder(tmp_path)
    assert load_model_folder(tmp_path / "model.ckpt-6").kind == "discriminator"
    assert load_model_folder(tmp_path / "model.ckpt-6", network="generator").kind == "generator"
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "model.ckpt-6"\n')
    assert original.checkpoint_prefix(tmp_path).name == "model.ckpt-6"


def test_a_tf2_checkpoint_and_a_torn_one_are_refused(tmp_path):
    tf.train.Checkpoint(value=tf.Variable(1.0)).write(str(tmp_path / "objects"))
    with pytest.raises(InputError, match="is a TensorFlow 2 checkpoint of objects"):
        original.read(tmp_path / "objects")
    folder = write_checkpoint(tmp_path / "torn", fixture_arrays(PretrainingFixture("proj"), "init"))
    next(folder.glob("*.data*")).write_bytes(b"")
    with pytest.raises(InputError, match="is damaged or not complete"):
        original.read(folder)


def test_both_networks_written_back_are_the_same_checkpoint(tmp_path):
    folder = checkpoint_of("proj", tmp_path)
    (tmp_path / "again").mkdir()
    original.write(tmp_path / "again", original.read(folder))
    before, after = variables_of(folder / "model.ckpt-6"), variables_of(tmp_path / "again/model.ckpt")
    assert after.keys() == {name for name in before if "adam_" not in name and name != "global_step"}
    for name, array in after.items():
        np.testing.assert_array_equal(array, before[name], err_msg=name)
    again = original.read(tmp_path / "again")
    assert [model.config for model in again] == [model.config for model in original.read(folder)]
    assert again[0].vocabulary == original.read(folder)[0].vocabulary


def test_a_fine_tuned_checkpoint_is_a_classifier_with_the_originals_logits(tmp_path):
    arrays = np.load(shared_path("oracles/original/finetune_cls2_mrpc.npz"))
    settings = json.loads(shared_path("oracles/original/finetune_cls2_mrpc.json").read_text())["bert_config"]
    start = {name.removeprefix("init/"): arrays[name] for name in arrays.files if name.startswith("init/")}
    folder = write_checkpoint(tmp_path / "mrpc", start, settings=settings, vocabulary=shared_path(VOCABULARY))
    classifier = ElectraTextClassifier.from_preset(folder)
    assert classifier.labels == ("0", "1") and classifier.pairs
    logits = classifier(arrays["step0/in/input_ids"], segment_ids=arrays["step0/in/segment_ids"],
                        padding_mask=arrays["step0/in/input_mask"])
    np.testing.assert_allclose(logits, arrays["out_eval/logits"], atol=TOLERANCE)
    (tmp_path / "again").mkdir()
    original.write(tmp_path / "again", original.read(folder))
    after = variables_of(tmp_path / "again/model.ckpt")
    assert after.keys() == start.keys()
    assert all(np.array_equal(after[name], start[name]) for name in start)


def test_the_original_bert_is_a_warm_start(tmp_path):
    fixture = PretrainingFixture("noproj")
    arrays = {name.replace("electra/", "bert/"): array for name, array in fixture_arrays(fixture, "init").items()
              if name.startswith("electra/")}
    arrays |= {"bert/pooler/dense/kernel": np.ones((32, 32), np.float32), "cls/seq_relationship/output_bias":
               np.ones(2, np.float32), "bert/pooler/dense/bias/adam_m": np.ones(32, np.float32)}
    folder = write_checkpoint(tmp_path / "bert", arrays, settings=fixture.settings["bert_config"])
    saved = load_model_folder(folder)
    assert saved.kind == "encoder" and saved.config.embedding_size == saved.config.hidden_size == 32
    assert "Left out: bert/pooler/dense/kernel, cls/seq_relationship/output_bias." in saved.told
    states = ElectraEncoder.from_preset(folder).layer_outputs(
        fixture["out/fake/input_ids"], fixture["step0/in/segment_ids"], fixture["step0/in/input_mask"])
    np.testing.assert_allclose(states[-1], fixture["out/enc1_electra/layers"][-1], atol=TOLERANCE)
