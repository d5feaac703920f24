"""Each fused operation against the plain TensorFlow that it stands for: values, gradients, dropped elements."""

import numpy as np
import pytest
import tensorflow as tf

from electra_tf import kernels
from electra_tf.kernels import build, operations
from electra_tf.model.layers import Dropout, gelu, normalize
from electra_tf.objective.losses import masked_language_model_loss
from electra_tf.objective.random_bits import RandomSource, keep_mask
from electra_tf.objective.sampling import sample_tokens

DTYPES = [dtype for dtype in ("float32", "bfloat16") if build.has_instructions(dtype)]
pytestmark = pytest.mark.skipif(kernels.why_not("float32") is not None, reason=f"{kernels.why_not('float32')}")
# Sums of some hundred products of rounded numbers.
TOLERANCE = {"float32": 2e-5, "bfloat16": 2e-2}


def random_tensor(seed, *shape, dtype="float32"):
    return tf.cast(np.random.default_rng(seed).normal(size=shape), dtype)


def source(examples=(3, 2**40 + 5, 7, 1)):
    return RandomSource(tf.constant(11), tf.constant(examples, tf.int64))


def assert_equal_with_gradients(function, plain, inputs, *, dtype):
    """Both functions give the same outputs and the same gradients of a weighted sum of them."""
    answers = []
    for called in (function, plain):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            output = tf.cast(called(*inputs), tf.float32)
            loss = tf.reduce_sum(output * random_tensor(99, *output.shape))
        answers.append([output, *tape.gradient(loss, inputs)])
    for number, (ours, theirs) in enumerate(zip(*answers, strict=True)):
        ours, theirs = (np.asarray(tf.cast(values, tf.float64)) for values in (ours, theirs))
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=TOLERANCE[dtype] * np.abs(theirs).max(),
                                   err_msg=f"number {number}: the output first, then the gradients")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(2, 3, 64, 128), (1, 50, 33, 70), (3, 1, 7, 5), (2, 300, 16, 16)])
def test_linear(dtype, shape):
    batch, length, inputs, outputs = shape
    assert_equal_with_gradients(
        operations.linear, plain_linear,
        [random_tensor(0, batch, length, inputs, dtype=dtype), random_tensor(1, inputs, outputs),
         random_tensor(2, outputs)], dtype=dtype)


def plain_linear(x, kernel, bias):
    return tf.matmul(x, tf.cast(kernel, x.dtype)) + tf.cast(bias, x.dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(40, 64, 300), (100, 33, 71), (1, 8, 5), (70, 24, 2501)])
def test_product_with_an_embedding_table(dtype, shape):
    rows, width, pieces = shape
    assert_equal_with_gradients(
        operations.times_table, lambda x, table: tf.matmul(x, tf.cast(table, x.dtype), transpose_b=True),
        [random_tensor(0, rows, width, dtype=dtype), random_tensor(1, pieces, width)], dtype=dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(2, 40, 64, 128), (1, 50, 33, 70), (3, 1, 7, 5)])
def test_two_layers_with_gelu_between_them_and_the_residual(dtype, shape):
    batch, length, hidden, intermediate = shape
    def fused(x, widening, narrowing, *biases):
        return tf.concat(operations.feed_forward(x, (widening, narrowing), biases), axis=-1)
    def plain(x, widening, narrowing, first_bias, second_bias):
        wide = gelu(plain_linear(x, widening, first_bias))
        return tf.concat([plain_linear(wide, narrowing, second_bias), x], axis=-1)
    weights = [random_tensor(1, hidden, intermediate), random_tensor(2, intermediate, hidden),
               random_tensor(3, intermediate), random_tensor(4, hidden)]
    assert_equal_with_gradients(
        fused, plain, [random_tensor(0, batch, length, hidden, dtype=dtype), *weights], dtype=dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_three_kernels_of_the_same_rows_and_the_residual(dtype):
    def together(x, *weights):
        outputs, residual = operations.three_linear(x, weights[:3], weights[3:])
        return tf.concat([*outputs, residual], axis=-1)
    def plain(x, *weights):
        return tf.concat([*(plain_linear(x, kernel, bias) for kernel, bias in zip(
            weights[:3], weights[3:], strict=True)), x], axis=-1)
    weights = [random_tensor(i, 32, 32) for i in range(3)] + [random_tensor(i, 32) for i in range(3, 6)]
    assert_equal_with_gradients(together, plain, [random_tensor(9, 2, 70, 32, dtype=dtype), *weights], dtype=dtype)


def plain_attention(query, key, value, mask, *, heads, rate, stream):
    """As SelfAttention without the fused operations."""
    def split(values):
        batch, length, width = values.shape
        return tf.transpose(tf.reshape(values, [batch, length, heads, width // heads]), [0, 2, 1, 3])
    scores = tf.matmul(split(query), split(key), transpose_b=True)
    scores = tf.cast(scores, tf.float32) * (query.shape[-1] // heads) ** -0.5
    penalties = (1.0 - tf.cast(mask, tf.float32)) * -10000.0
    scores += penalties[:, None, None, :] if mask.shape.rank == 2 else penalties[:, None]
    weights = tf.nn.softmax(scores)
    if rate:
        keep = keep_mask(source(), stream=stream, shape=weights.shape[1:], rate=rate)
        weights = tf.where(keep, weights / (1 - rate), 0.0)
    context = tf.matmul(tf.cast(weights, query.dtype), split(value))
    return tf.reshape(tf.transpose(context, [0, 2, 1, 3]), query.shape)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("length, heads, size", [(8, 2, 16), (50, 1, 64), (13, 3, 20), (130, 2, 32), (5, 1, 70)])
@pytest.mark.parametrize("mask_rank, rate", [(2, 0.0), (2, 0.125), (3, 0.125)])
def test_attention(dtype, length, heads, size, mask_rank, rate):
    batch, generator = 4, np.random.default_rng(5)
    lengths = generator.integers(1, length + 1, size=batch)
    mask = (np.arange(length) < lengths[:, None]).astype(np.int32)
    if mask_rank == 3:
        mask = mask[:, None, :] * np.tri(length, dtype=np.int32)
        mask[..., 0] = 1
    dice = operations.Dice(rate, stream=40, source=source())
    assert_equal_with_gradients(
        lambda *given: operations.attention(*given, tf.constant(mask), heads=heads, dropout=dice),
        lambda *given: plain_attention(*given, tf.constant(mask), heads=heads, rate=rate, stream=40),
        [random_tensor(i, batch, length, heads * size, dtype=dtype) for i in range(3)], dtype=dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("length, width", [(1, 8), (40, 64), (33, 50), (7, 256)])
@pytest.mark.parametrize("rate", [0.0, 0.125])
def test_dropout_residual_and_layer_norm(dtype, length, width, rate):
    dropout = Dropout(rate, stream=5)
    def plain(values, residual, gamma, beta):
        dropped = dropout(values, training=True, random=source())
        return normalize(tf.cast(dropped, tf.float32) + tf.cast(residual, tf.float32), gamma, beta, 1e-6)
    assert_equal_with_gradients(
        lambda *given: operations.add_norm(*given, epsilon=1e-6, dropout=dropout.dice(source())), plain,
        [random_tensor(0, 4, length, width, dtype=dtype), random_tensor(1, 4, length, width, dtype=dtype),
         random_tensor(2, width), random_tensor(3, width)], dtype=dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("length, width", [(1, 3), (70, 33), (32, 128)])
def test_dropout_keeps_the_elements_of_the_plain_path(dtype, length, width):
    values = tf.ones([4, length, width], dtype)
    dropout = Dropout(0.25, stream=9, dtype="float32" if dtype == "float32" else "mixed_bfloat16")
    plain = dropout(values, training=True, random=source())
    with kernels.used(True), tf.GradientTape() as tape:
        tape.watch(values)
        fused = dropout(values, training=True, random=source())
    np.testing.assert_array_equal(tf.cast(fused, tf.float32), tf.cast(plain, tf.float32))
    np.testing.assert_array_equal(tf.cast(tape.gradient(fused, values), tf.float32), tf.cast(plain, tf.float32))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("vocabulary_size", [5, 128, 1000, 30522])
def test_guesses(vocabulary_size, dtype):
    rows, generator = 40, np.random.default_rng(0)
    products = tf.cast(random_tensor(0, rows, vocabulary_size) * 3, dtype)
    bias = random_tensor(1, vocabulary_size)
    original = tf.constant(generator.integers(vocabulary_size, size=rows), tf.int32)
    uniforms = tf.constant(generator.uniform(size=rows), tf.float32)
    weights = tf.constant(generator.integers(2, size=rows), tf.float32)
    answers = []
    for is_fused in (True, False):
        with tf.GradientTape() as tape:
            tape.watch([products, bias])
            if is_fused:
                losses, sampled, best = operations.guess(products, bias, original, uniforms)
                loss = tf.reduce_sum(losses * weights)
            else:
                logits = tf.cast(products, tf.float32) + bias
                loss, _ = masked_language_model_loss(logits[None], original[None], is_masked=weights[None] > 0)
                sampled, best = sample_tokens(logits[None], uniforms[None])[0], tf.argmax(logits, axis=-1)
        answers.append((loss, *tape.gradient(loss, [products, bias]), sampled, best))
    (loss, by_products, by_bias, *ids), (plain_loss, plain_by_products, plain_by_bias, *plain_ids) = answers
    np.testing.assert_allclose(loss, plain_loss, rtol=1e-6)
    np.testing.assert_allclose(by_bias, plain_by_bias, atol=1e-6)
    by_products, plain_by_products = (tf.cast(values, tf.float32) for values in (by_products, plain_by_products))
    np.testing.assert_allclose(by_products, plain_by_products, atol=1e-6, rtol=0 if dtype == "float32" else 1e-2)
    for ours, plain in zip(ids, plain_ids, strict=True):
        np.testing.assert_array_equal(ours, plain)


def test_numbers_that_are_not_finite_stay_so():
    values = tf.constant([[[1.0, float("nan"), 2.0, 3.0]]])
    for dtype in DTYPES:
        outputs = operations.linear(tf.cast(values, dtype), tf.ones([4, 2]), tf.zeros([2]))
        assert np.isnan(np.asarray(tf.cast(outputs, tf.float32))).all()
    losses, *_ = operations.guess(values[0], tf.zeros([4]), tf.constant([0]), tf.constant([0.5]))
    assert np.isnan(losses.numpy()).all()


def test_an_empty_batch_is_answered():
    assert operations.linear(tf.zeros([0, 4, 8]), tf.ones([8, 3]), tf.zeros([3])).shape == (0, 4, 3)
    nobody = operations.Dice(0.0, stream=1, source=None)
    empty, mask = tf.zeros([0, 4, 8]), tf.zeros([0, 4], tf.int32)
    assert operations.attention(empty, empty, empty, mask, heads=2, dropout=nobody).shape == (0, 4, 8)


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(tf.errors.InvalidArgumentError, match="ElectraLinear"):
        operations.linear(tf.zeros([2, 4, 8]), tf.ones([7, 3]), tf.zeros([3]))
    with pytest.raises(tf.errors.InvalidArgumentError, match="ElectraLinearGradient"):
        kernels.library().electra_linear_gradient(
            x=tf.zeros([4, 8]), kernels=[tf.zeros([8, 3])], by_y=[tf.zeros([4, 3])], added=[], B=1,
            factors=[tf.zeros([4, 7])])
    with pytest.raises(tf.errors.InvalidArgumentError, match="ElectraGuess"):
        operations.guess(tf.zeros([1, 4]), tf.zeros([4]), tf.constant([4]), tf.constant([0.5]))
