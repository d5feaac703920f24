"""Every objective trains, in micro-batches as in one piece, and goes on from a checkpoint; each setting is alive."""

from typing import NamedTuple

import numpy as np
import pytest
import tensorflow as tf

from electra_tf.config import ObjectiveConfig, generator_of, replace
from electra_tf.errors import InputError
from electra_tf.model.encoder import ElectraEncoder
from electra_tf.model.model_folder import load_model_folder
from electra_tf.objective.sampling import sample_replacements
from electra_tf.records.dataset import pretraining_dataset
from electra_tf.training import initial_weights
from electra_tf.training.checkpoint import (
    TrainingState,
    latest_checkpoint,
    restore_checkpoint,
    save_checkpoint,
    training_variables,
)
from electra_tf.training.distribution import strategy_for
from electra_tf.training.pretrain import new_pretrainer
from electra_tf.training.pretrainer import ElectraPretrainer
from electra_tf.training.run_weights import RunWeights, save_networks
from tests.training.tiny_run import tiny_config, tiny_vocabulary, write_records

OBJECTIVES = {
    "electra": {}, "electra_15": {"name": "electra_15"}, "mlm": {"name": "mlm"},
    "electric": {"name": "electric", "generator": "two_tower"}, "replace_mlm": {"name": "replace_mlm"},
    "all_tokens_mlm": {"name": "all_tokens_mlm"}, "adversarial": {"name": "adversarial"},
    "two_tower": {"generator": "two_tower"}, "uniform": {"generator": "uniform"},
    "token_position": {"shared": "token_position"}, "nothing_shared": {"shared": "nothing"},
    "everything_shared": {"shared": "everything"}, "frozen": {"shared": "nothing", "freeze_generator": True},
    "smoothed": {"label_smoothing": 0.1}, "reordered": {"reorder_rate": 0.2}}
QUICK = ("electra_15", "adversarial", "frozen")  # the others take longer together than a test file should


def each(names):
    return [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in names]


@pytest.fixture(scope="module")
def batches(tmp_path_factory):
    records = write_records(tmp_path_factory.mktemp("data"))
    return list(pretraining_dataset(records, batch_size=8, seed=7).take(2))


def make(objective, **settings):
    config = tiny_config(model={"num_layers": 1}, objective=ObjectiveConfig(**OBJECTIVES[objective]), **settings)
    return new_pretrainer(config, tiny_vocabulary(), strategy_for("one_device"))


def values(pretrainer):
    return {name: variable.numpy() for name, variable in training_variables(pretrainer).items()}


class Trained(NamedTuple):
    """An objective's pretrainer after two updates: its variables before, after one and after two, and a checkpoint."""

    pretrainer: object
    before: dict
    after_one: dict
    after_two: dict
    logs: dict
    checkpoints: object


@pytest.fixture(scope="module")
def trained(batches, tmp_path_factory):
    """Function of an objective's name: Trained."""
    found = {}

    def train(name):
        if name not in found:
            pretrainer, folder = make(name), tmp_path_factory.mktemp(name)
            before = values(pretrainer)
            logs = {key: float(value) for key, value in pretrainer.train_step(batches[0]).items()}
            after_one = values(pretrainer)
            save_checkpoint(folder, training_variables(pretrainer), state=TrainingState(1, 8, 7), keep=1)
            pretrainer.train_step(batches[1])
            found[name] = Trained(pretrainer, before, after_one, values(pretrainer), logs, folder)
        return found[name]
    return train


@pytest.mark.parametrize("name", each(OBJECTIVES))
def test_an_update_moves_all_that_is_trained_and_names_all_variables(name, trained):
    pretrainer, before, after, _, logs, _ = trained(name)
    names = pretrainer.weights_by_name()
    assert {id(variable) for variable in names.values()} == {id(variable) for variable in pretrainer.weights
                                                             if "seed" not in variable.path}
    still = {weight for weight, variable in names.items()
             if (before[f"weights/{weight}"] == after[f"weights/{weight}"]).all()}
    frozen = {weight for weight in names if weight.startswith("generator/")} if name == "frozen" else set()
    assert still == frozen
    assert np.isfinite(list(logs.values())).all()
    assert logs["generator_loss"] != 0 and (logs["discriminator_loss"] > 0) == (name != "mlm")


@pytest.mark.parametrize("name", each(OBJECTIVES))
def test_two_micro_batches_make_one_update_and_a_checkpoint_is_gone_on_from(name, trained, batches):
    """Bit for bit from a checkpoint; then, from the start again, in two halves."""
    _, before, after_one, after_two, expected_logs, checkpoints = trained(name)
    pretrainer = make(name)
    variables = training_variables(pretrainer)
    restore_checkpoint(latest_checkpoint(checkpoints, report=pytest.fail), variables)
    pretrainer.train_step(batches[1])
    for key, variable in variables.items():
        np.testing.assert_array_equal(variable.numpy(), after_two[key], err_msg=key)
        variable.assign(before[key])
    pretrainer.reset_metrics()
    pretrainer.accumulation_steps = 2
    logs = pretrainer.train_step(batches[0])
    for key, variable in variables.items():
        if key.startswith("optimizer/momentum"):
            np.testing.assert_allclose(variable.numpy(), after_one[key], rtol=1e-4, atol=1e-6, err_msg=key)
    for key, value in expected_logs.items():
        np.testing.assert_allclose(logs[key], value, rtol=1e-4, atol=1e-5, err_msg=key)


@pytest.mark.slow
@pytest.mark.parametrize("name", OBJECTIVES)
def test_xla_makes_the_weights_of_plain_tensorflow(name, trained, batches):
    _, before, after_one, _, expected_logs, _ = trained(name)
    pretrainer = make(name)
    pretrainer.kernels = "off"
    variables = training_variables(pretrainer)
    step = tf.function(pretrainer.train_step, jit_compile=True)
    logs = step(batches[0])
    for key, variable in variables.items():
        # The first update is close to the gradient's sign times the rate, so what is nearly 0 may turn either way.
        if key.startswith("optimizer/momentum"):
            np.testing.assert_allclose(variable.numpy(), after_one[key], rtol=1e-3, atol=1e-5, err_msg=key)
    assert any((variable.numpy() != before[key]).any() for key, variable in variables.items())
    for key, value in expected_logs.items():
        np.testing.assert_allclose(logs[key], value, rtol=1e-4, atol=1e-5, err_msg=key)


@pytest.mark.parametrize("name", each(name for name in OBJECTIVES if name != "electra"))
def test_each_objective_is_another_one(name, trained):
    logs, plain = trained(name).logs, trained("electra").logs
    if name == "frozen":  # its generator did not move; the losses of the first step are those of nothing_shared
        plain = trained("nothing_shared").logs
        assert logs["gradient_norm"] != plain["gradient_norm"]
    else:
        assert any(logs[key] != plain[key] for key in ("generator_loss", "discriminator_loss"))


@pytest.mark.parametrize(("model", "expected"), [
    ({"position_type": "relative"}, True), ({"position_type": "sinusoidal"}, True), ({"embedding_gate": True}, True),
    ({"drop_connect": 0.2}, True), ({}, False)])
def test_each_variant_of_the_encoder_changes_the_losses(model, expected, batches, trained):
    config = tiny_config(model={"num_layers": 1, **model})
    pretrainer = new_pretrainer(config, tiny_vocabulary(), strategy_for("one_device"))
    logs = pretrainer.train_step(batches[0])
    assert (float(logs["discriminator_loss"]) != trained("electra").logs["discriminator_loss"]) == expected


def test_electra_15_asks_about_masked_tokens_only(trained, batches):
    pretrainer = trained("electra_15").pretrainer
    rows = pretrainer._masked_batch(batches[1])
    forward = pretrainer._forward(rows, training=False)
    logits, labels = forward.discriminator_logits.numpy().astype(np.float64), forward.is_replaced.numpy()
    places = np.zeros_like(labels)
    for row, (positions, used) in enumerate(zip(rows.masked.positions.numpy(), rows.masked.is_masked.numpy())):
        places[row, positions[used]] = True
    losses = np.log1p(np.exp(np.where(labels, -logits, logits)))
    np.testing.assert_allclose(forward.discriminator_loss_sum, losses[places].sum(), rtol=1e-5)
    np.testing.assert_array_equal(rows.is_place, places)
    pretrainer.reset_metrics()
    pretrainer.test_step(batches[1])
    scores = pretrainer.scores
    assert scores.originals.numpy().sum() + scores.replaced.numpy().sum() == places.sum()


def test_the_reward_of_an_adversarial_generator_is_the_discriminators_loss_at_its_samples(trained, batches):
    pretrainer = trained("adversarial").pretrainer
    rows = pretrainer._masked_batch(batches[1])
    forward = pretrainer._forward(rows, training=False)
    logits, labels = forward.discriminator_logits.numpy().astype(np.float64), forward.is_replaced.numpy()
    losses = np.log1p(np.exp(np.where(labels, -logits, logits)))
    positions, used = rows.masked.positions.numpy(), rows.masked.is_masked.numpy()
    rewards = np.take_along_axis(losses, positions, 1)
    rest = {"segment_ids": rows.segment_ids, "padding_mask": rows.padding_mask, "positions": positions}
    states = pretrainer.generator.states(rows.masked.token_ids, **rest).numpy()
    expected = (states @ pretrainer.baseline.kernel.numpy())[..., 0] + pretrainer.baseline.bias.numpy()
    error, chance = 1 - np.exp(-rewards), 1 / (1 + np.exp(-expected.astype(np.float64)))
    scores = pretrainer.generator(rows.masked.token_ids, **rest).numpy().astype(np.float64)
    sampled_originals = forward.sampled_originals.numpy()
    assert sampled_originals <= used.sum()
    baseline_loss = -(error * np.log(chance) + (1 - error) * np.log(1 - chance))
    corrupted = np.take_along_axis(scores - np.log(np.exp(scores).sum(-1, keepdims=True)), sampled_at(
        pretrainer, rows, scores)[..., None], -1)[..., 0]
    total = baseline_loss - (rewards + np.log(1 - chance)) * corrupted
    np.testing.assert_allclose(forward.generator_loss_sum, total[used].sum(), rtol=1e-4)


def sampled_at(pretrainer, rows, scores):
    from_numbers = tf.constant(scores, tf.float32)
    return sample_replacements(from_numbers, rows.masked.original_ids, masking=pretrainer.masking,
                              source=rows.source).numpy()


def test_reordered_tokens_count_as_replaced_and_the_generator_must_tell_what_stood_there(trained, batches):
    rows = trained("reordered").pretrainer._masked_batch(batches[1])
    moved = (rows.shown_ids != rows.token_ids).numpy()
    assert moved.any()
    forward = trained("reordered").pretrainer._forward(rows, training=False)
    places = rows.is_place.numpy()
    np.testing.assert_array_equal(forward.is_replaced.numpy()[~places], moved[~places])
    used = rows.masked.is_masked.numpy()
    expected = np.take_along_axis(rows.token_ids.numpy(), rows.masked.positions.numpy(), 1)
    np.testing.assert_array_equal(rows.masked.original_ids.numpy()[used], expected[used])


def test_what_is_shared_is_one_variable():
    def weights_of(name):
        return ElectraPretrainer(tiny_config().model, objective=ObjectiveConfig(**OBJECTIVES[name])).weights_by_name()
    named = {name: weights_of(name) for name in ("electra", "token_position", "nothing_shared", "everything_shared")}
    shared = {name: {weight.removeprefix("generator/") for weight in weights
                     if weight.startswith("generator/encoder/embeddings/")} for name, weights in named.items()}
    own = {"encoder/embeddings/segment_embeddings", "encoder/embeddings/norm/gamma", "encoder/embeddings/norm/beta"}
    assert shared["electra"] == shared["everything_shared"] == set()
    assert shared["token_position"] == own
    assert shared["nothing_shared"] == own | {
        "encoder/embeddings/word_embeddings", "encoder/embeddings/position_embeddings"}
    assert not any(weight.startswith("generator/encoder/") for weight in named["everything_shared"])


@pytest.mark.parametrize(("name", "folders"), [
    ("electra", {"discriminator", "generator"}), ("mlm", {"encoder", "generator"}), ("electric", {"discriminator"}),
    ("replace_mlm", {"encoder", "generator"}), ("uniform", {"discriminator"}),
    ("token_position", {"discriminator", "generator"}), ("nothing_shared", {"discriminator", "generator"}),
    ("everything_shared", {"discriminator", "generator"})])
def test_a_run_leaves_folders_that_hold_its_networks_whole(name, folders, tmp_path):
    config = tiny_config(model={"num_layers": 1}, objective=ObjectiveConfig(**OBJECTIVES[name]))
    pretrainer = ElectraPretrainer(config.model, objective=config.objective)
    arrays = {key: variable.numpy() for key, variable in pretrainer.weights_by_name().items()}
    save_networks(RunWeights(config, tiny_vocabulary(), 1, arrays), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == folders
    token_ids = np.array([[2, 9, 10, 3]], np.int32)
    for folder in folders:
        saved = load_model_folder(tmp_path / folder)
        is_generator = folder == "generator" or name == "mlm"
        network = pretrainer.generator if is_generator else pretrainer.discriminator
        assert saved.config == (generator_of(config.model, config.objective) if folder == "generator" else config.model)
        np.testing.assert_array_equal(ElectraEncoder.from_preset(tmp_path / folder)(token_ids),
                                      network.encoder(token_ids))


def test_a_second_stage_trains_a_discriminator_that_starts_with_the_first_stages_generator(tmp_path, monkeypatch):
    """Two runs: the generator alone, as large as the discriminator; then the discriminator against it, frozen."""
    model = {"num_layers": 1, "generator_size": 1.0, "num_heads": 1, "intermediate_size": 64, "embedding_size": 16}
    first = tiny_config(model=model, objective=ObjectiveConfig(shared="nothing"), discriminator_weight=0.0)
    alone = new_pretrainer(first, tiny_vocabulary(), strategy_for("one_device"))
    arrays = {name: variable.numpy() + 1 for name, variable in alone.weights_by_name().items()}
    monkeypatch.setattr(initial_weights, "is_run", lambda folder: True)
    monkeypatch.setattr(initial_weights, "read_run_weights", lambda folder, report: RunWeights(
        first, tiny_vocabulary(), 12, arrays))
    second = replace(first, discriminator_weight=50.0, objective=ObjectiveConfig(shared="nothing",
                                                                                 freeze_generator=True))
    initial = initial_weights.read_initial_weights(
        tmp_path, config=second, vocabulary=tiny_vocabulary(), report=pytest.fail)
    pretrainer = new_pretrainer(second, tiny_vocabulary(), strategy_for("one_device"))
    initial.assign_to(pretrainer)
    weights = pretrainer.weights_by_name()
    for name, variable in weights.items():
        if name.startswith("discriminator/encoder/"):
            twin = arrays[name.replace("discriminator/", "generator/")]
            np.testing.assert_array_equal(variable.numpy(), twin, err_msg=name)


@pytest.mark.parametrize(("settings", "message"), [
    ({"name": "gan"}, "name='gan' must be one of electra, electra_15"),
    ({"generator": "human"}, "generator='human' must be one of masked, two_tower, uniform"),
    ({"shared": "all"}, "shared='all' must be one of embeddings, token_position"),
    ({"label_smoothing": 1.0}, "label_smoothing=1.0 must lie in"),
    ({"reorder_rate": -0.1}, "reorder_rate=-0.1 must lie in"),
    ({"name": "electric"}, "name='electric' needs generator='two_tower'"),
    ({"name": "mlm", "generator": "uniform"}, "name='mlm' needs generator='masked'"),
    ({"name": "adversarial", "generator": "two_tower"}, "name='adversarial' needs generator='masked'"),
    ({"shared": "everything", "generator": "uniform"}, "shared='everything' needs generator='masked'"),
    ({"freeze_generator": True}, "freeze_generator=True needs shared='nothing'")])
def test_objectives_that_cannot_be_are_refused(settings, message):
    with pytest.raises(InputError, match=message):
        ObjectiveConfig(**settings)
