"""Training with the fused operations: the same course as without, bit for bit again, and plain models at the end."""

import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from electra_tf import kernels
from electra_tf.config import ElectraConfig, FineTuningConfig, OptimizerConfig
from electra_tf.kernels import build
from electra_tf.model.encoder import ElectraEncoder
from electra_tf.tasks.text_classification import ElectraTextClassifier
from electra_tf.training.optimizer import ElectraAdamW
from electra_tf.training.pretrainer import ElectraPretrainer

needs_kernels = pytest.mark.skipif(kernels.why_not("float32") is not None, reason=f"{kernels.why_not('float32')}")
CONFIG = ElectraConfig(vocabulary_size=300, embedding_size=24, hidden_size=32, num_layers=2, num_heads=2,
                       intermediate_size=64, max_positions=40)


def trained(setting, *, steps, config=CONFIG, dtype="float32", clip_norm=1.0):
    """(weights by name, losses of every step) after some updates on made-up rows."""
    keras.utils.set_random_seed(0)
    pretrainer = ElectraPretrainer(config, kernels=setting, seed=3, dtype=dtype)
    pretrainer.compile(optimizer=ElectraAdamW(
        1e-3, config=OptimizerConfig(clip_norm=clip_norm), num_layers=config.num_layers))
    step, generator = tf.function(pretrainer.train_step, autograph=False), np.random.default_rng(1)
    losses = []
    for number in range(steps):
        token_ids = generator.integers(5, config.vocabulary_size, size=(6, 20)).astype(np.int32)
        lengths = generator.integers(6, 21, size=6)
        pretrainer.reset_metrics()
        logs = step({"token_ids": tf.constant(token_ids), "segment_ids": tf.zeros([6, 20], tf.int32),
                     "padding_mask": tf.cast(tf.range(20)[None] < lengths[:, None], tf.int32),
                     "example_index": tf.range(6, dtype=tf.int64) + 6 * number})
        losses.append([float(logs["generator_loss"]), float(logs["discriminator_loss"]), float(logs["gradient_norm"])])
    return {name: variable.numpy() for name, variable in pretrainer.weights_by_name().items()}, np.array(losses)


@needs_kernels
def test_a_hundred_updates_are_those_of_plain_tensorflow():
    fused, fused_losses = trained("auto", steps=100)
    plain, plain_losses = trained("off", steps=100)
    np.testing.assert_allclose(fused_losses[:, :2], plain_losses[:, :2], rtol=2e-3)
    np.testing.assert_allclose(fused_losses[:3], plain_losses[:3], rtol=1e-5)
    moved = sum(np.abs(values - trained_values).max() > 1e-3 for values, trained_values in zip(
        trained("off", steps=1)[0].values(), fused.values(), strict=True))
    assert moved > len(fused) / 2
    for name, values in fused.items():
        assert np.abs(values - plain[name]).max() < 0.02, name


@needs_kernels
@pytest.mark.skipif(not build.has_instructions("bfloat16"), reason="the processor has no bfloat16 products")
def test_in_bfloat16_the_losses_follow_those_of_float32():
    _, losses = trained("auto", steps=40, dtype="mixed_bfloat16")
    _, plain = trained("off", steps=40)
    np.testing.assert_allclose(losses[:, :2].mean(axis=0), plain[:, :2].mean(axis=0), rtol=0.02)


@needs_kernels
def test_the_same_run_again_gives_the_same_bits():
    first, _ = trained("auto", steps=8)
    second, _ = trained("auto", steps=8)
    for name, values in first.items():
        np.testing.assert_array_equal(values, second[name], err_msg=name)


@needs_kernels
def test_an_update_that_is_not_finite_changes_nothing():
    variable = keras.Variable(np.ones(5, np.float32), name="kernel")
    optimizer = ElectraAdamW(1e-2)
    optimizer.build([variable])
    with kernels.used(True):
        optimizer.apply([tf.constant([1.0, 2.0, float("inf"), 0.0, 0.0])], [variable])
    np.testing.assert_array_equal(variable.numpy(), np.ones(5))
    assert optimizer.first_not_finite() == 0 and int(optimizer.iterations) == 1


@needs_kernels
@pytest.mark.parametrize("size", [1, 17, 40000])
def test_the_fused_update_is_that_of_the_plain_optimizer(size):
    answers = []
    for is_fused in (True, False):
        variable = keras.Variable(np.linspace(-1, 1, size, dtype=np.float32), name="kernel")
        optimizer = ElectraAdamW(1e-2, config=OptimizerConfig(clip_norm=0.5, weight_decay=0.1))
        optimizer.build([variable])
        for step in range(4):
            gradient = tf.constant(np.random.default_rng(step).normal(size=size), tf.float32)
            with kernels.used(is_fused):
                optimizer.apply([gradient], [variable])
        answers.append(variable.numpy())
    np.testing.assert_allclose(*answers, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("device", ["GPU", "TPU"])
def test_beside_an_accelerator_the_operations_are_off(monkeypatch, device):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [kind] if kind == device else [])
    kernels.why_not.cache_clear()
    try:
        assert kernels.why_not("float32") == f"there is a {device}, and they are for the CPU"
    finally:
        kernels.why_not.cache_clear()


def test_without_a_compiler_the_plain_path_trains(monkeypatch, tmp_path):
    monkeypatch.setattr(build, "compiler", lambda: None)
    monkeypatch.setattr(build, "library_path", lambda: tmp_path / "libelectra.so")
    kernels.why_not.cache_clear()
    try:
        assert "no C++ compiler" in kernels.why_not("float32")
        _, losses = trained("auto", steps=1)
        assert np.isfinite(losses).all()
    finally:
        kernels.why_not.cache_clear()


@needs_kernels
def test_a_library_that_is_built_needs_no_compiler(monkeypatch):
    monkeypatch.setattr(build, "compiler", lambda: None)
    kernels.why_not.cache_clear()
    try:
        assert kernels.why_not("float32") is None
    finally:
        kernels.why_not.cache_clear()


def test_a_build_that_fails_says_why(monkeypatch, tmp_path):
    monkeypatch.setattr(build, "library_path", lambda: tmp_path / "built" / "libelectra.so")
    monkeypatch.setattr(build, "compiler", lambda: "false")
    with pytest.raises(RuntimeError, match="cannot be built: false failed"):
        build.build()
    assert not list((tmp_path / "built").iterdir())


def test_under_xla_and_when_switched_off_they_are_not_used():
    for setting, compiled in (("auto", True), ("off", False)):
        pretrainer = ElectraPretrainer(CONFIG, kernels=setting)
        pretrainer.compile(optimizer=ElectraAdamW(1e-3), jit_compile=compiled)
        assert not pretrainer.uses_kernels


@needs_kernels
def test_outside_a_training_step_the_graph_is_plain_tensorflow():
    pretrainer = ElectraPretrainer(CONFIG)
    pretrainer.compile(optimizer=ElectraAdamW(1e-3))
    assert pretrainer.uses_kernels
    specification = {name: tf.TensorSpec([2, 8], tf.int32) for name in ("token_ids", "segment_ids", "padding_mask")}
    def operations_of(function):
        graph = tf.function(function, autograph=False).get_concrete_function(specification).graph
        return {operation.type for operation in graph.get_operations() if operation.type.startswith("Electra")}
    assert "ElectraAttention" in operations_of(pretrainer.train_step)
    assert not operations_of(pretrainer.test_step) and not operations_of(pretrainer.discriminator)


@needs_kernels
def test_scores_and_answers_of_a_task_are_fused_and_a_call_of_the_model_is_plain():
    classifier = ElectraTextClassifier(ElectraEncoder(CONFIG), labels=("no", "yes"))
    classifier.compile()
    features = {name: tf.ones([2, 8], tf.int32) for name in ("token_ids", "segment_ids", "padding_mask")}
    labels = tf.constant([0, 1])

    def operations_of(function):
        graph = tf.function(function, autograph=False).get_concrete_function().graph
        return {operation.type for operation in graph.get_operations() if operation.type.startswith("Electra")}
    assert "ElectraAttention" in operations_of(lambda: classifier.predict_step((features, labels)))
    assert "ElectraAttention" in operations_of(lambda: classifier.test_step((features, labels)))
    assert not operations_of(lambda: classifier(features))
    classifier.compile(settings=FineTuningConfig(kernels="off"))
    assert not operations_of(lambda: classifier.predict_step((features, labels)))


def test_one_answer_waits_for_no_compiler(monkeypatch, tmp_path):
    monkeypatch.setattr(build, "library_path", lambda: tmp_path / "libelectra.so")
    monkeypatch.setattr(kernels, "why_not", lambda dtype: pytest.fail("this would build them"))
    classifier = ElectraTextClassifier(ElectraEncoder(CONFIG), labels=("no", "yes"))
    assert not kernels.are_ready("float32") and not kernels.fit(classifier, builds=False)


def test_the_processor_is_asked_at_run_time():
    code = "from electra_tf.kernels import build; print(build.has_instructions('float32'))"
    answer = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert answer.strip() == str({"avx2", "fma"} <= build.processor_flags())
