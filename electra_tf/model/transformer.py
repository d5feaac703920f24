"""One post-LayerNorm transformer layer, as in BERT and ELECTRA."""

import keras
import tensorflow as tf

from electra_tf import kernels
from electra_tf.kernels import operations
from electra_tf.model.layers import (
    DropConnectDense,
    Dropout,
    LayerNorm,
    activation_of,
    dense,
    gelu,
    random_source_of_the_moment,
)

DROPOUTS_PER_LAYER = 3

FARTHEST = 32  # distance beyond which relative positions are no longer told apart
DROPPED_KERNELS_PER_LAYER = 3
_FIRST_KERNEL_STREAM = 512  # behind the dropouts of a network

# Added to the scores of padded keys, as in the original.
_MASKED_SCORE = -10000.0


class SelfAttention(keras.layers.Layer):
    """Multi-head self-attention with a bias on every projection; padded keys are not attended to."""

    def __init__(self, config, *, stream, kernel_stream, **kwargs):
        super().__init__(**kwargs)
        self.config = config
        self.query, self.key, self.value = (
            dense(config.hidden_size, config=config, name=name, dtype=self.dtype_policy)
            for name in ("query", "key", "value"))
        self.output_dense = dense(config.hidden_size, config=config, name="output", dtype=self.dtype_policy,
                                  stream=kernel_stream)
        self.dropout = Dropout(config.attention_dropout, stream=stream, name="dropout", dtype=self.dtype_policy)

    def build(self, input_shape):
        for layer in (self.query, self.key, self.value, self.output_dense):
            layer.build(input_shape)
        if self.config.position_type == "relative":
            self.distance_bias = self.add_weight(
                name="distance_bias", shape=(self.config.num_heads, 2 * FARTHEST + 1), initializer="zeros",
                autocast=False)

    def _split_heads(self, values):
        batch, length = tf.shape(values)[0], values.shape[1] or tf.shape(values)[1]
        heads = tf.reshape(values, [batch, length, self.config.num_heads, self.config.head_size])
        return tf.transpose(heads, [0, 2, 1, 3])  # [batch, heads, length, head_size]

    def call(self, hidden, padding_mask, training=False, random=None):
        """(output, `hidden` for the residual), both [batch, length, hidden_size]."""
        projections = self.query, self.key, self.value
        if kernels.are_in_use() and self.config.position_type != "relative":
            projected, hidden = operations.three_linear(
                hidden, [layer.kernel for layer in projections], [layer.bias for layer in projections])
            context = operations.attention(*projected, padding_mask, heads=self.config.num_heads,
                                           dropout=self.dropout.dice(random if training else None))
            return _apply(self.output_dense, context, training=training, random=random), hidden
        query, key, value = (self._split_heads(layer(hidden)) for layer in projections)
        scores = tf.matmul(query * self.config.head_size ** -0.5, key, transpose_b=True)
        # Softmax in float32 under every policy.
        penalties = (1.0 - tf.cast(padding_mask, tf.float32)) * _MASKED_SCORE
        # expand_dims, as LiteRT has no slice with two new axes at once.
        penalties = tf.expand_dims(penalties, 1) if penalties.shape.rank == 2 else penalties
        scores = tf.cast(scores, tf.float32) + tf.expand_dims(penalties, 1)
        if self.config.position_type == "relative":
            scores += relative_bias(tf.convert_to_tensor(self.distance_bias), tf.shape(hidden)[1])
        probabilities = tf.cast(tf.nn.softmax(scores), hidden.dtype)
        probabilities = self.dropout(probabilities, training=training, random=random)
        context = tf.transpose(tf.matmul(probabilities, value), [0, 2, 1, 3])  # [batch, length, heads, head_size]
        context = tf.reshape(context, tf.shape(hidden))
        return _apply(self.output_dense, context, training=training, random=random), hidden


def relative_bias(distance_bias, length):
    """What is added to the score of each pair of places: float32 [heads, length, length].

    Args:
        distance_bias: float32 [heads, 2 * 32 + 1], for keys 32 places to the left (or more) up to 32 to the right.
        length: number of places.
    """
    places = tf.range(length)
    distance = tf.clip_by_value(places[None, :] - places[:, None], -FARTHEST, FARTHEST) + FARTHEST
    return tf.gather(distance_bias, distance, axis=1)


def _apply(layer, inputs, *, training, random):
    """A dense layer's output; DropConnect needs the dice."""
    if isinstance(layer, DropConnectDense):
        return layer(inputs, training=training, random=random)
    return layer(inputs)


class TransformerLayer(keras.layers.Layer):
    """Attention and feed-forward, each followed by dropout, residual and LayerNorm."""

    def __init__(self, config, *, stream, kernel_stream, **kwargs):
        super().__init__(**kwargs)
        self.config = config
        policy = self.dtype_policy
        kernel_stream += _FIRST_KERNEL_STREAM
        self.attention = SelfAttention(
            config, stream=stream, kernel_stream=kernel_stream, name="attention", dtype=policy)
        self.attention_dropout = Dropout(
            config.hidden_dropout, stream=stream + 1, name="attention_dropout", dtype=policy)
        self.attention_norm = LayerNorm(epsilon=config.layer_norm_epsilon, name="attention_norm", dtype=policy)
        self.activation = activation_of(config)
        self.intermediate = dense(config.intermediate_size, config=config, name="intermediate", dtype=policy,
                                  stream=kernel_stream + 1)
        self.output_dense = dense(config.hidden_size, config=config, name="output", dtype=policy,
                                  stream=kernel_stream + 2)
        self.output_dropout = Dropout(config.hidden_dropout, stream=stream + 2, name="output_dropout", dtype=policy)
        self.output_norm = LayerNorm(epsilon=config.layer_norm_epsilon, name="output_norm", dtype=policy)

    def build(self, input_shape):
        for layer in (self.attention, self.attention_norm, self.intermediate, self.output_norm):
            layer.build(input_shape)
        self.output_dense.build((*input_shape[:-1], self.config.intermediate_size))

    def call(self, hidden, padding_mask, training=False, random=None):
        if training and random is None:
            random = random_source_of_the_moment(tf.shape(hidden)[0])
        dice = {"training": training, "random": random}
        attended, hidden = self.attention(hidden, padding_mask, **dice)
        hidden = _add_norm(attended, hidden, dropout=self.attention_dropout, norm=self.attention_norm, **dice)
        output, hidden = self._feed_forward(hidden, **dice)
        return _add_norm(output, hidden, dropout=self.output_dropout, norm=self.output_norm, **dice)

    def _feed_forward(self, hidden, **dice):
        """(output of both dense layers, `hidden` for the residual)."""
        layers = self.intermediate, self.output_dense
        if kernels.are_in_use() and self.activation is gelu and not isinstance(layers[0], DropConnectDense):
            return operations.feed_forward(
                hidden, [layer.kernel for layer in layers], [layer.bias for layer in layers])
        wide = self.activation(_apply(self.intermediate, hidden, **dice))
        return _apply(self.output_dense, wide, **dice), hidden


def _add_norm(values, residual, *, dropout, norm, training, random):
    """LayerNorm of the sum of a residual and of values that went through dropout."""
    if kernels.are_in_use():
        return operations.add_norm(values, residual, norm.gamma, norm.beta, epsilon=norm.epsilon,
                                   dropout=dropout.dice(random if training else None))
    return norm(dropout(values, training=training, random=random) + residual)
