"""AdamW, its clipping and its schedule against numpy loops and the original's numbers."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from electra_tf.config import ElectraConfig, OptimizerConfig, PretrainingConfig
from electra_tf.training.optimizer import ElectraAdamW, is_decayed, optimizer_for
from electra_tf.training.pretrainer import ElectraPretrainer
from electra_tf.training.schedules import WarmupDecay, layer_decay_factor
from tests.oracles.original import PretrainingFixture, our_name
from tests.oracles.shared import shared_path

SHAPES = {"encoder/embeddings/word_embeddings": (7, 3), "encoder/layer_0/attention/query/kernel": (3, 5),
          "encoder/layer_0/attention/query/bias": (5,), "encoder/layer_1/output_norm/gamma": (4,),
          "encoder/layer_1/output_norm/beta": (4,), "generator/head/output_bias": (6,), "head/kernel": (2, 4)}
DECAYED = {"encoder/embeddings/word_embeddings", "encoder/layer_0/attention/query/kernel", "head/kernel"}
LAYERS_ABOVE = {"encoder/embeddings/word_embeddings": 3, "encoder/layer_0/attention/query/kernel": 2,
                "encoder/layer_0/attention/query/bias": 2, "encoder/layer_1/output_norm/gamma": 1,
                "encoder/layer_1/output_norm/beta": 1, "generator/head/output_bias": 0, "head/kernel": 0}


class NumpyAdamW:
    """The recipe in float64: moments, decoupled decay, clip by global norm, rate by layer."""

    def __init__(self, weights, config):
        self.config = config
        self.weights = {name: value.astype(np.float64) for name, value in weights.items()}
        self.m = {name: np.zeros_like(value) for name, value in self.weights.items()}
        self.v = {name: np.zeros_like(value) for name, value in self.weights.items()}
        self.updates = 0

    def update(self, gradients, rate):
        config = self.config
        self.updates += 1
        norm = np.sqrt(sum(np.sum(gradient.astype(np.float64) ** 2) for gradient in gradients.values()))
        for name, gradient in gradients.items():
            gradient = gradient * min(1.0, config.clip_norm / norm)
            self.m[name] = config.beta_1 * self.m[name] + (1 - config.beta_1) * gradient
            self.v[name] = config.beta_2 * self.v[name] + (1 - config.beta_2) * gradient ** 2
            m, v = self.m[name], self.v[name]
            if config.bias_correction:
                # TensorFlow's form, in which epsilon is added to the uncorrected root.
                step = m * np.sqrt(1 - config.beta_2 ** self.updates) / (1 - config.beta_1 ** self.updates)
                step = step / (np.sqrt(v) + config.epsilon)
            else:
                step = m / (np.sqrt(v) + config.epsilon)
            decay = config.weight_decay if name in DECAYED else 0.0
            levels = LAYERS_ABOVE[name]
            factor = config.layer_decay ** (levels and levels + config.layer_decay_offset - 1)
            if name.endswith("word_embeddings"):
                factor *= config.word_embeddings_rate
            self.weights[name] -= rate * factor * (step + decay * self.weights[name])


def make_variables(seed=0):
    random = np.random.default_rng(seed)
    variables = {}
    for name, shape in SHAPES.items():
        variable = keras.Variable(random.normal(size=shape).astype(np.float32), name=name.replace("/", "_"))
        variable._path = name  # layers give the path; a lone variable has none
        variables[name] = variable
    return variables


def random_gradients(step, *, scale):
    random = np.random.default_rng(100 + step)
    return {name: random.normal(scale=scale, size=shape).astype(np.float32) for name, shape in SHAPES.items()}


@pytest.mark.parametrize(("settings", "scale"), [
    ({}, 1.0),                                  # clipped in every update
    ({}, 0.01),                                 # never clipped
    ({"clip_norm": 1e9}, 1.0),
    ({"weight_decay": 0.3}, 1.0),
    ({"layer_decay": 0.7, "weight_decay": 0.1}, 1.0),
    ({"layer_decay": 0.7, "word_embeddings_rate": 0.25}, 1.0),
    ({"word_embeddings_rate": 0.0, "weight_decay": 0.1}, 1.0),
    ({"bias_correction": True}, 1.0),
    ({"beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-2}, 0.1),
    ({"decay_power": 2.0}, 1.0),
    ({"first_step": 1}, 1.0),
    ({"layer_decay": 0.7, "layer_decay_offset": 2}, 1.0),
])
def test_updates_follow_the_recipe(settings, scale):
    config = OptimizerConfig(learning_rate=0.1, warmup_steps=2, **settings)
    variables = make_variables()
    expected = NumpyAdamW({name: variable.numpy() for name, variable in variables.items()}, config)
    optimizer = optimizer_for(config, train_steps=9, num_layers=2)
    optimizer.build(list(variables.values()))
    for step in range(6):
        gradients = random_gradients(step, scale=scale)
        optimizer.apply([keras.ops.convert_to_tensor(gradients[name]) for name in variables], list(variables.values()))
        number = step + config.first_step
        expected.update(gradients, rate=0.1 * (1 - number / 9) ** config.decay_power * min(1, number / 2))
    for name, variable in variables.items():
        np.testing.assert_allclose(variable.numpy(), expected.weights[name], rtol=2e-5, atol=2e-6, err_msg=name)
    state = optimizer.state_by_name(variables)
    assert int(state["iterations"].numpy()) == 6
    for name in variables:
        np.testing.assert_allclose(state[f"momentum/{name}"].numpy(), expected.m[name], rtol=2e-5, atol=1e-8)
        np.testing.assert_allclose(state[f"velocity/{name}"].numpy(), expected.v[name], rtol=2e-5, atol=1e-10)


def test_an_update_that_is_not_finite_is_left_out_and_its_variable_named():
    variables = make_variables()
    optimizer = optimizer_for(OptimizerConfig(learning_rate=0.1, warmup_steps=0), train_steps=9)
    optimizer.build(list(variables.values()))

    def apply(gradients):
        optimizer.apply([keras.ops.convert_to_tensor(gradients[name]) for name in variables], list(variables.values()))
        return {name: variable.numpy() for name, variable in
                {**variables, **optimizer.state_by_name(variables)}.items() if name != "iterations"}

    before = apply(random_gradients(0, scale=1.0))
    assert optimizer.first_not_finite() is None
    bad = random_gradients(1, scale=1.0)
    bad["encoder/layer_1/output_norm/gamma"][2] = np.nan
    bad["head/kernel"][1, 3] = np.inf
    after = apply(bad)
    assert list(variables)[optimizer.first_not_finite()] == "encoder/layer_1/output_norm/gamma"
    for name, value in before.items():
        np.testing.assert_array_equal(after[name], value, err_msg=name)
    assert int(optimizer.iterations.numpy()) == 2
    moved = apply(random_gradients(2, scale=1.0))
    assert optimizer.first_not_finite() is None
    assert all((moved[name] != value).any() for name, value in before.items())


@pytest.mark.parametrize("clip_rows", ["merged", "separate"])
def test_repeated_rows_enter_the_norm_for_clipping_merged_or_separate(clip_rows):
    """The original's norm for a sparse gradient is over the rows as they come; the update is that of their sum."""
    variables = make_variables()
    config = OptimizerConfig(learning_rate=0.1, warmup_steps=0, clip_rows=clip_rows)
    optimizer = ElectraAdamW(0.1, config=config)
    optimizer.build(list(variables.values()))
    random = np.random.default_rng(9)
    gradients = {name: random.normal(size=shape).astype(np.float32) for name, shape in SHAPES.items()}
    rows, places = random.normal(size=(4, 3)).astype(np.float32), [2, 5, 2, 2]
    dense = np.zeros((7, 3), np.float32)
    np.add.at(dense, places, rows)
    word = "encoder/embeddings/word_embeddings"
    others = sum((value ** 2).sum() for name, value in gradients.items() if name != word)
    norm = np.sqrt(others + ((rows if clip_rows == "separate" else dense) ** 2).sum())
    optimizer.apply([tf.IndexedSlices(rows, places, dense_shape=(7, 3)) if name == word else gradients[name]
                     for name in variables], list(variables.values()))
    np.testing.assert_allclose(optimizer.gradient_norm, norm, rtol=1e-6)
    momentum = optimizer.state_by_name(variables)[f"momentum/{word}"].numpy()
    np.testing.assert_allclose(momentum, 0.1 * dense / max(1, norm), rtol=1e-5)


def test_the_first_update_of_the_original_leaves_the_same_moments():
    fixture = PretrainingFixture("proj")
    names = [name for name in fixture.weights if name in fixture.gradients]
    variables = {name: keras.Variable(fixture.weights[name], name=name.replace("/", "_")) for name in names}
    optimizer = ElectraAdamW(0.0)
    optimizer.build(list(variables.values()))
    optimizer.apply([keras.ops.convert_to_tensor(fixture.gradients[name]) for name in names], list(variables.values()))
    np.testing.assert_allclose(float(optimizer.gradient_norm), fixture["grad_global_norm"], rtol=1e-5)
    state = optimizer.state_by_name(variables)
    slots = {our_name(name.removeprefix("after1/slots/").rpartition("/")[0]) + name[-2:]: value
             for name, value in fixture.arrays.items() if name.startswith("after1/slots/")}
    assert len(slots) == 2 * len(names)
    for name in names:
        np.testing.assert_allclose(state[f"momentum/{name}"].numpy(), slots[f"{name}_m"], rtol=1e-4, atol=1e-8)
        np.testing.assert_allclose(state[f"velocity/{name}"].numpy(), slots[f"{name}_v"], rtol=1e-4, atol=1e-10)


def test_weight_decay_leaves_out_what_the_original_leaves_out():
    layerwise = json.loads(shared_path("oracles/original/schedules.json").read_text())["layerwise"]
    for size in layerwise:
        for name, decays in size["weight_decay_applies"].items():
            if not name.startswith("task_specific/"):
                assert is_decayed(our_name(name)) == decays, name


def test_every_variable_of_a_pretrainer_is_decayed_by_its_kind():
    pretrainer = ElectraPretrainer(ElectraConfig(
        vocabulary_size=31, embedding_size=6, hidden_size=12, num_layers=2, num_heads=3, intermediate_size=20,
        max_positions=9, generator_size=0.5))
    named = pretrainer.weights_by_name()
    assert {id(variable) for variable in named.values()} == {
        id(variable) for variable in pretrainer.trainable_variables}
    for name, variable in named.items():
        assert is_decayed(variable.path) == is_decayed(name) == (len(variable.shape) == 2), name


def test_layer_decay_is_the_originals_without_the_layer_that_electra_does_not_have():
    layerwise = json.loads(shared_path("oracles/original/schedules.json").read_text())["layerwise"]
    for size in layerwise:
        decay, layers = size["layerwise_lr_decay"], size["n_layers"]
        for key, factor in size["by_key"].items():
            ours = layer_decay_factor(f"x/{key.strip('/')}/kernel", num_layers=layers, decay=decay)
            np.testing.assert_allclose(ours, factor if key == "task_specific/" else factor / decay, rtol=1e-12)
            as_there = layer_decay_factor(f"x/{key.strip('/')}/kernel", num_layers=layers, decay=decay, offset=2)
            np.testing.assert_allclose(as_there, factor, rtol=1e-12)
        for name, factor in size["by_variable"].items():
            name = "dense/kernel" if name.startswith("task_specific/") else our_name(name)
            np.testing.assert_allclose(
                layer_decay_factor(name, num_layers=layers, decay=decay, offset=2), factor, rtol=1e-12, err_msg=name)


def test_learning_rates_are_the_originals():
    stored = json.loads(shared_path("oracles/original/schedules.json").read_text())["schedules"]
    compared = 0
    for schedule in stored:
        steps, peak = schedule["num_train_steps"], schedule["learning_rate"]
        warmup = max(steps * schedule["warmup_proportion"], schedule["warmup_steps_arg"])
        ours = WarmupDecay(peak, train_steps=steps, warmup_steps=warmup,
                           power=schedule["lr_decay_power"])
        for step, rate in zip(schedule["global_step"], schedule["lr"], strict=True):
            np.testing.assert_allclose(float(ours(step)), rate, rtol=0, atol=4e-6 * peak, err_msg=schedule["name"])
            compared += 1
    assert compared > 250


def test_without_warmup_the_first_update_has_the_peak_rate():
    schedule = WarmupDecay(0.5, train_steps=10, warmup_steps=0)
    np.testing.assert_allclose([float(schedule(step)) for step in (0, 1, 10, 11)], [0.5, 0.45, 0, 0], atol=1e-7)


@pytest.mark.parametrize("schedule, at", [
    ("linear", lambda share: 1 - share), ("constant", lambda share: 1.0),
    ("cosine", lambda share: 0.5 * (1 + np.cos(np.pi * share)))])
def test_a_schedule_is_multiplied_by_the_warmup(schedule, at):
    rate = optimizer_for(OptimizerConfig(learning_rate=0.3, warmup_steps=4), train_steps=20, schedule=schedule).rate_of
    expected = [0.3 * at(min(step, 20) / 20) * min(1, step / 4) for step in range(23)]
    np.testing.assert_allclose([rate(step) for step in range(23)], expected, atol=1e-7)


@pytest.mark.parametrize("warmup_steps", [0, 5, 1000])
def test_with_a_time_budget_the_rate_follows_the_clock(warmup_steps):
    config = PretrainingConfig(optimizer=OptimizerConfig(learning_rate=0.3, warmup_steps=warmup_steps, decay_power=2.0),
                               time_budget="30m")
    optimizer = optimizer_for(config)
    for used in (0.0, 0.01, 0.05, 0.1, 0.6, 1.0):
        optimizer.tell_time(used)
        for step in (0, 2, 7, 2000):
            warmth = min(1, max(step / warmup_steps, used / 0.1)) if warmup_steps else 1
            assert optimizer.rate_of(step) == pytest.approx(0.3 * (1 - used) ** 2 * warmth, abs=1e-7)
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    again.tell_time(0.5)
    assert again.rate_of(2000) == pytest.approx(0.3 * 0.25)


def test_updates_that_are_given_go_before_a_time_budget():
    config = PretrainingConfig(optimizer=OptimizerConfig(learning_rate=0.3, warmup_steps=0), time_budget="30m")
    assert optimizer_for(config, train_steps=4).rate_of(2) == pytest.approx(0.15)


def test_rate_of_tells_the_rate_of_a_numbered_update():
    optimizer = optimizer_for(OptimizerConfig(learning_rate=1.0, warmup_steps=4), train_steps=10)
    np.testing.assert_allclose([optimizer.rate_of(0), optimizer.rate_of(2), optimizer.rate_of(5)], [0, 0.4, 0.5],
                               atol=1e-7)
    assert ElectraAdamW(0.25).rate_of(3) == 0.25


def test_an_architecture_gets_the_optimizer_of_its_preset():
    optimizer = optimizer_for(ElectraConfig.from_preset("base", vocabulary_size=31), train_steps=1000)
    assert optimizer.config.learning_rate == 2e-4
    assert optimizer.config.warmup_steps == 100
    for name, rate in (("mini", 7e-4), ("half_hour", 2.5e-4)):  # of the same depth and width
        config = ElectraConfig.from_preset(name, vocabulary_size=31)
        assert optimizer_for(config, train_steps=1000).config.learning_rate == rate
    config = PretrainingConfig(optimizer=OptimizerConfig(learning_rate=0.3, warmup_steps=0), train_steps=4)
    assert optimizer_for(config).rate_of(2) == pytest.approx(0.15)


def test_keras_brings_an_optimizer_back_from_its_config():
    config = OptimizerConfig(learning_rate=3e-4, warmup_steps=7, weight_decay=0.1, clip_norm=2.0, layer_decay=0.9)
    optimizer = optimizer_for(config, train_steps=50, num_layers=2, schedule="cosine")
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert isinstance(again, ElectraAdamW)
    assert (again.config, again.num_layers) == (config, 2)
    assert again.rate_of(20) == optimizer.rate_of(20) > 0
