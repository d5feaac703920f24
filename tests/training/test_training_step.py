"""The training step: micro-batches, XLA, and plain Keras."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from electra_tf.records.dataset import pretraining_dataset
from electra_tf.training.checkpoint import training_variables
from electra_tf.training.distribution import strategy_for
from electra_tf.training.pretrain import new_pretrainer
from tests.training.tiny_run import tiny_config, tiny_vocabulary, write_records

STEPS = 3


@pytest.fixture(scope="module")
def batches(tmp_path_factory):
    """The first batches of a run: rows of very different lengths."""
    records = write_records(tmp_path_factory.mktemp("data"))
    return list(pretraining_dataset(records, batch_size=8, seed=7).take(STEPS))


def make(**settings):
    return new_pretrainer(tiny_config(model={"num_layers": 1}, **settings), tiny_vocabulary(),
                          strategy_for("one_device"))


def train(pretrainer, batches, *, step=None):
    """Name -> array after a step on each batch, and the last metrics."""
    for batch in batches:
        logs = (step or pretrainer.train_step)(batch)
    return ({name: variable.numpy() for name, variable in training_variables(pretrainer).items()},
            {name: float(value) for name, value in logs.items()})


@pytest.fixture(scope="module")
def in_one_piece(batches):
    return train(make(), batches)


def test_the_micro_batches_of_these_tests_hold_different_numbers_of_tokens(batches):
    tokens = batches[0]["padding_mask"].numpy().reshape(4, 2, 12).sum(axis=(1, 2))
    assert len(set(tokens)) > 1


def test_four_micro_batches_make_the_weights_of_one(batches, in_one_piece):
    arrays, logs = train(make(accumulation_steps=4), batches)
    expected, expected_logs = in_one_piece
    for name in expected:
        np.testing.assert_allclose(arrays[name], expected[name], rtol=1e-5, atol=1e-6, err_msg=name)
    for name in expected_logs:
        np.testing.assert_allclose(logs[name], expected_logs[name], rtol=1e-5, atol=1e-6, err_msg=name)


def test_xla_makes_the_weights_of_plain_tensorflow(batches, in_one_piece):
    pretrainer = make()
    pretrainer.kernels = "off"  # XLA knows TensorFlow's own operations only
    arrays, logs = train(pretrainer, batches, step=tf.function(pretrainer.train_step, jit_compile=True))
    expected, expected_logs = in_one_piece
    for name in expected:
        np.testing.assert_allclose(arrays[name], expected[name], rtol=1e-4, atol=1e-6, err_msg=name)
    for name in expected_logs:
        np.testing.assert_allclose(logs[name], expected_logs[name], rtol=1e-4, atol=1e-6, err_msg=name)


def test_plain_compile_and_fit_train_and_evaluate(batches):
    pretrainer = make(optimizer={"learning_rate": 0.01})
    data = tf.data.Dataset.from_generator(lambda: iter(batches), output_signature=tf.nest.map_structure(
        tf.TensorSpec.from_tensor, batches[0]))
    logs = pretrainer.fit(data.repeat(), steps_per_epoch=6, epochs=2, validation_data=data, verbose=0).history
    assert logs["generator_loss"][1] < logs["generator_loss"][0]
    assert max(logs["val_generator_loss"]) < np.log(tiny_vocabulary().size)
    assert {"discriminator_loss", "discriminator_auc", "val_discriminator_recall", "gradient_norm"} <= logs.keys()
    assert int(pretrainer.optimizer.iterations.numpy()) == 12


def test_keras_own_optimizers_work_too(batches):
    pretrainer = make()
    before = pretrainer.discriminator.head.dense.kernel.numpy()
    pretrainer.compile(optimizer=keras.optimizers.SGD(0.1))
    pretrainer.train_step(batches[0])
    assert (pretrainer.discriminator.head.dense.kernel.numpy() != before).any()


@pytest.mark.parametrize(("settings", "read", "expected"), [
    ({"seed": 9}, lambda pretrainer: pretrainer.seed, 9),
    ({"masking": {"mask_rate": 0.3}}, lambda pretrainer: pretrainer.masking.mask_rate, 0.3),
    ({"generator_weight": 2.0}, lambda pretrainer: pretrainer.generator_weight, 2.0),
    ({"discriminator_weight": 7.0}, lambda pretrainer: pretrainer.discriminator_weight, 7.0),
    ({"accumulation_steps": 2}, lambda pretrainer: pretrainer.accumulation_steps, 2),
    ({"optimizer": {"learning_rate": 0.25}}, lambda pretrainer: pretrainer.optimizer.rate_of(0), 0.25),
    ({"train_steps": 4}, lambda pretrainer: pretrainer.optimizer.rate_of(3), 2.5e-4),
    ({"precision": "bfloat16"}, lambda pretrainer: pretrainer.generator.encoder.compute_dtype, "bfloat16"),
    ({"precision": "bfloat16"}, lambda pretrainer: pretrainer.generator.head.dense.kernel.dtype, "float32")])
def test_each_setting_reaches_the_pretrainer(settings, read, expected):
    assert read(make(**settings)) == (pytest.approx(expected) if isinstance(expected, float) else expected)


def test_the_seed_decides_the_first_weights():
    first, second, other = (make(seed=seed).generator.head.dense.kernel.numpy() for seed in (7, 7, 8))
    np.testing.assert_array_equal(first, second)
    assert (first != other).any()
