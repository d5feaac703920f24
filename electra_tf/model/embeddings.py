"""Token, segment and position embeddings with their LayerNorm: shared by generator and discriminator."""

import keras
import tensorflow as tf

from electra_tf.model.layers import Dropout, LayerNorm, initial_weights


class ElectraEmbeddings(keras.layers.Layer):
    """The sum of the three embeddings, normalised; all at `config.embedding_size`.

    Dropout is not part of it, because the networks that share these weights draw their own.
    """

    def __init__(self, config, **kwargs):
        super().__init__(**kwargs)
        self.config = config
        self.norm = LayerNorm(epsilon=config.layer_norm_epsilon, name="norm", dtype=self.dtype_policy)

    def build(self, input_shape=None):
        def table(name, rows):
            return self.add_weight(name=name, shape=(rows, self.config.embedding_size),
                                   initializer=initial_weights(self.config))
        self.word_embeddings = table("word_embeddings", self.config.vocabulary_size)
        self.segment_embeddings = table("segment_embeddings", self.config.num_segments)
        self.position_embeddings = table("position_embeddings", self.config.max_positions)
        self.norm.build((None, None, self.config.embedding_size))

    def call(self, token_ids, segment_ids):
        """int32 [batch, length] twice -> [batch, length, embedding_size]."""
        words = tf.gather(tf.cast(self.word_embeddings, self.compute_dtype), token_ids)
        segments = tf.gather(tf.cast(self.segment_embeddings, self.compute_dtype), segment_ids)
        positions = tf.cast(self.position_embeddings, self.compute_dtype)[: tf.shape(token_ids)[1]]
        return self.norm(words + segments + positions)


def embeddings_dropout(config, *, stream, dtype):
    """The dropout that follows the shared embeddings in one network."""
    return Dropout(config.hidden_dropout, stream=stream, name="embeddings_dropout", dtype=dtype)
