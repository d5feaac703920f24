"""Token, segment and position embeddings with their LayerNorm: shared by generator and discriminator."""

import keras
import numpy as np
import tensorflow as tf

from electra_tf.model.layers import Dropout, LayerNorm, initial_weights


class ElectraEmbeddings(keras.layers.Layer):
    """The sum of the three embeddings, normalised; all at `config.embedding_size`.

    Dropout is not part of it, because the networks that share these weights draw their own.

    Args:
        config: ElectraConfig.
        tables_of: ElectraEmbeddings whose word and position tables are taken over, or None.
    """

    def __init__(self, config, *, tables_of=None, **kwargs):
        super().__init__(**kwargs)
        self.config = config
        # A method, so that Keras does not track the other layer as a part of this one.
        self._tables_of = tables_of and (lambda: tables_of)
        self.norm = LayerNorm(epsilon=config.layer_norm_epsilon, name="norm", dtype=self.dtype_policy)

    def build(self, input_shape=None):
        def table(name, rows):
            # Rows are rounded after they were looked up, not the whole table before; their gradients add up in float32.
            return self.add_weight(name=name, shape=(rows, self.config.embedding_size), autocast=False,
                                   initializer=initial_weights(self.config))
        self.word_embeddings = self._tables_of().word_embeddings if self._tables_of else table(
            "word_embeddings", self.config.vocabulary_size)
        self.segment_embeddings = table("segment_embeddings", self.config.num_segments)
        self.position_embeddings = None
        if self.config.position_type == "learned":
            self.position_embeddings = self._tables_of().position_embeddings if self._tables_of else table(
                "position_embeddings", self.config.max_positions)
        self.norm.build((None, None, self.config.embedding_size))

    def call(self, token_ids, segment_ids, word_vectors=None, positions=None):
        """int32 [batch, length] twice -> [batch, length, embedding_size].

        `word_vectors` [batch, length, embedding_size] stand for the rows of the word table where they are given;
        `positions` int32 [batch, length] are 0, 1, 2, ... where they are not.
        """
        if word_vectors is None:
            word_vectors = tf.gather(tf.convert_to_tensor(self.word_embeddings), token_ids)
        words = tf.cast(word_vectors, self.compute_dtype)
        segments = tf.cast(tf.gather(tf.convert_to_tensor(self.segment_embeddings), segment_ids), self.compute_dtype)
        if self.config.position_type == "relative":  # the attention knows them
            return self.norm(words + segments)
        table = self.position_embeddings if self.config.position_type == "learned" else sinusoids(
            self.config.max_positions, self.config.embedding_size)
        table = tf.convert_to_tensor(table)
        places = table[: tf.shape(token_ids)[1]] if positions is None else tf.gather(table, positions)
        return self.norm(words + segments + tf.cast(places, self.compute_dtype))


def sinusoids(positions, width):
    """The fixed position table of the first transformer: sines in the even columns, cosines in the odd ones.

    Column pair i of position p has the angle p / 10000^(2i / width).

    Returns:
        float32 numpy [positions, width].

    >>> sinusoids(2, 4)[1]   # [0.8415, 0.5403, 0.01, 0.99995]
    """
    pairs = np.arange(width) // 2
    angles = np.arange(positions)[:, None] / 10000 ** (2 * pairs / width)
    return np.where(np.arange(width) % 2 == 0, np.sin(angles), np.cos(angles)).astype(np.float32)


def embeddings_dropout(config, *, stream, dtype):
    """The dropout that follows the shared embeddings in one network."""
    return Dropout(config.hidden_dropout, stream=stream, name="embeddings_dropout", dtype=dtype)
