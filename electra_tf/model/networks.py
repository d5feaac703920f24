"""Generator and discriminator: an encoder with its head."""

import keras
import tensorflow as tf

from electra_tf import kernels
from electra_tf.config import replace
from electra_tf.errors import InputError
from electra_tf.kernels import operations
from electra_tf.model.encoder import ElectraEncoder, encoder_weights
from electra_tf.model.layers import LayerNorm, activation_of, dense, gelu, initial_weights
from electra_tf.model.model_folder import assign_weights, load_model_folder, named_weights, save_model_folder


class DiscriminatorHead(keras.layers.Layer):
    """dense, GELU, dense to one logit for each token."""

    def __init__(self, config, **kwargs):
        super().__init__(**kwargs)
        self.config = config
        self.activation = activation_of(config)
        self.dense = dense(config.hidden_size, config=config, name="dense", dtype=self.dtype_policy)
        self.output_dense = keras.layers.Dense(
            1, kernel_initializer="glorot_uniform", name="output", dtype=self.dtype_policy)

    def build(self, input_shape):
        self.dense.build(input_shape)
        self.output_dense.build(input_shape)

    def call(self, hidden):
        """[batch, length, hidden_size] -> float32 [batch, length]."""
        return tf.cast(self.output_dense(self.activation(self.dense(hidden)))[..., 0], tf.float32)


class GeneratorHead(keras.layers.Layer):
    """dense to the embedding width, GELU, LayerNorm, then the word table itself as output matrix, plus a bias.

    The GELU is the exact one whatever `config.activation` says, as in Hugging Face's models. With
    `config.has_tied_output` False the output matrix is a table of its own.
    """

    def __init__(self, config, *, embeddings, **kwargs):
        super().__init__(**kwargs)
        self.config = config
        # A method, so that Keras does not track the shared layer a second time.
        self._output_embeddings = lambda: embeddings.word_embeddings
        self.dense = dense(config.embedding_size, config=config, name="dense", dtype=self.dtype_policy)
        self.norm = LayerNorm(epsilon=config.layer_norm_epsilon, name="norm", dtype=self.dtype_policy)

    def build(self, input_shape):
        self.dense.build(input_shape)
        self.norm.build((*input_shape[:-1], self.config.embedding_size))
        self.output_bias = self.add_weight(
            name="output_bias", shape=(self.config.vocabulary_size,), initializer="zeros", autocast=False)
        if not self.config.has_tied_output:
            table = self.add_weight(name="output_embeddings", initializer=initial_weights(self.config),
                                    shape=(self.config.vocabulary_size, self.config.embedding_size),
                                    autocast=False)
            self._output_embeddings = lambda: table

    def call(self, hidden):
        """[batch, slots, hidden_size] -> float32 [batch, slots, vocabulary_size]."""
        return self.logits(self.products(hidden), slots=hidden.shape[1] or tf.shape(hidden)[1])

    def products(self, hidden):
        """What the bias is added to, in the dtype of `hidden`: [batch * slots, vocabulary_size]."""
        hidden = tf.reshape(self.norm(gelu(self.dense(hidden))), [-1, self.config.embedding_size])
        if kernels.are_in_use():
            return operations.times_table(hidden, self._output_embeddings())
        return tf.matmul(hidden, tf.cast(self._output_embeddings(), hidden.dtype), transpose_b=True)

    def logits(self, products, *, slots):
        """float32 [batch, slots, vocabulary_size] of `products`."""
        products = tf.reshape(products, [-1, slots, self.config.vocabulary_size])
        return tf.cast(products, tf.float32) + self.output_bias.value


class _Network(keras.Model):
    """What generator and discriminator have in common: an encoder, a head, and one folder for both."""

    KIND = None

    def weights_by_name(self):
        """Name -> variable: the encoder's under "encoder/", the head's under "head/"."""
        return {**encoder_weights(self.encoder), **named_weights(self.head, prefix="head/")}

    def save_to_preset(self, folder, *, vocabulary=None):
        """Writes one model folder; `ElectraEncoder.from_preset` and every task read it."""
        save_model_folder(folder, kind=self.KIND, config=self.config, weights=self.weights_by_name(),
                          vocabulary=vocabulary or self.vocabulary)

    @classmethod
    def from_preset(cls, folder, *, dtype=None, **overrides):
        """Reads a folder of the same kind, or a shipped model by name.

        Raises:
            InputError: the folder holds another kind of model, or weights that do not fit.
        """
        saved = load_model_folder(folder, network=cls.KIND)
        if saved.kind != cls.KIND:
            raise InputError(f"{folder} holds a model of kind {saved.kind!r}, not {cls.KIND!r}.")
        network = cls(replace(saved.config, **overrides), dtype=dtype)
        network.vocabulary = saved.vocabulary
        assign_weights(network.weights_by_name(), saved.weights)
        return network


class ElectraDiscriminator(_Network):
    """Says of every token whether it was replaced (paper, section 2).

    Args:
        config: ElectraConfig.

    >>> ElectraDiscriminator(config)({"token_ids": tf.constant([[2, 17, 3]])}).shape   # logits [1, 3]
    """

    KIND = "discriminator"

    def __init__(self, config, *, name="discriminator", **kwargs):
        super().__init__(name=name, **kwargs)
        self.config, self.vocabulary = config, None
        self.encoder = ElectraEncoder(config, name="encoder", dtype=self.dtype_policy)
        self.head = DiscriminatorHead(config, name="head", dtype=self.dtype_policy)
        self.head.build((None, None, config.hidden_size))
        self.built = True

    def call(self, inputs, segment_ids=None, padding_mask=None, training=False, random=None):
        """Logits float32 [batch, length] of "was replaced"; arguments as ElectraEncoder."""
        return self.head(self.encoder(inputs, segment_ids, padding_mask, training=training, random=random))


class ElectraGenerator(_Network):
    """A masked language model (paper, section 2).

    Args:
        config: ElectraConfig of the generator itself: `discriminator_config.generator`.
        embeddings: the discriminator's ElectraEmbeddings to share, or None for its own.
        encoder: an ElectraEncoder to share whole, or None for its own.
        network: as of ElectraEncoder.

    >>> token_ids, positions = tf.constant([[2, 4, 3]]), tf.constant([[1]])
    >>> ElectraGenerator(config.generator)(token_ids, positions=positions).shape   # [1, 1, vocabulary]
    """

    KIND = "generator"

    def __init__(self, config, *, embeddings=None, encoder=None, network=1, name="generator", **kwargs):
        super().__init__(name=name, **kwargs)
        self.config, self.vocabulary = config, None
        self.encoder = encoder or ElectraEncoder(
            config, embeddings=embeddings, network=network, name="encoder", dtype=self.dtype_policy)
        self.head = GeneratorHead(config, embeddings=self.encoder.embeddings, name="head", dtype=self.dtype_policy)
        self.head.build((None, None, config.hidden_size))
        self.built = True

    def call(self, inputs, segment_ids=None, padding_mask=None, positions=None, training=False, random=None):
        """Logits float32 [batch, slots, vocabulary_size] at `positions` int32 [batch, slots], or at every position."""
        return self.head(self.states(inputs, segment_ids, padding_mask, positions, training=training, random=random))

    def states(self, inputs, segment_ids=None, padding_mask=None, positions=None, training=False, random=None):
        """What `call` gives to the head: [batch, slots, hidden_size]."""
        hidden = self.encoder(inputs, segment_ids, padding_mask, training=training, random=random)
        return hidden if positions is None else tf.gather(hidden, positions, batch_dims=1)


class CopyingLanguageModel(ElectraGenerator):
    """Predicts every token of a sentence, some of which were replaced; it may say "as it stands" (paper, ablations).

    Arguments as ElectraGenerator.
    """

    def __init__(self, config, **kwargs):
        super().__init__(config, **kwargs)
        self.copies = keras.layers.Dense(1, kernel_initializer="glorot_uniform", name="copies", dtype=self.dtype_policy)
        self.copies.build((None, None, config.hidden_size))

    def call(self, inputs, segment_ids=None, padding_mask=None, training=False, random=None):
        """(logits float32 [batch, length, vocabulary_size], logits float32 [batch, length] of "as it stands")."""
        hidden = self.encoder(inputs, segment_ids, padding_mask, training=training, random=random)
        return self.head(hidden), tf.cast(self.copies(hidden)[..., 0], tf.float32)

    def weights_by_name(self):
        return {**super().weights_by_name(), **named_weights(self.copies, prefix="copies/")}


class TwoTowerGenerator(keras.Model):
    """Says how likely each token is between those left and right of it, from two one-sided encoders (Electric).

    Args:
        config: ElectraConfig of each tower.
        embeddings: ElectraEmbeddings to share, or None for its own.

    >>> TwoTowerGenerator(config.generator)(tf.constant([[2, 17, 3]])).shape   # [1, 3, vocabulary]
    """

    def __init__(self, config, *, embeddings=None, name="generator", **kwargs):
        super().__init__(name=name, **kwargs)
        self.config = config
        policy = self.dtype_policy
        self.left = ElectraEncoder(config, embeddings=embeddings, network=1, sees="left", name="left", dtype=policy)
        self.right = ElectraEncoder(config, embeddings=self.left.embeddings, network=2, sees="right", name="right",
                                    dtype=policy)
        self.head = GeneratorHead(config, embeddings=self.left.embeddings, name="head", dtype=policy)
        self.head.build((None, None, 2 * config.hidden_size))
        self.built = True

    def call(self, inputs, segment_ids=None, padding_mask=None, training=False, random=None):
        """Logits float32 [batch, length, vocabulary_size]; no token sees itself. Arguments as ElectraEncoder."""
        left, right = (tower(inputs, segment_ids, padding_mask, training=training, random=random)
                       for tower in (self.left, self.right))
        # At the ends the other end is seen, as in the original.
        return self.head(tf.concat([tf.roll(left, 1, axis=1), tf.roll(right, -1, axis=1)], axis=-1))

    def weights_by_name(self):
        """Name -> variable: "left/", "right/" and "head/"; embeddings that both towers share stand under "left/"."""
        left = named_weights(self.left, prefix="left/")
        right = {name: variable for name, variable in named_weights(self.right, prefix="right/").items()
                 if not name.startswith("right/embeddings/")}
        return {**left, **right, **named_weights(self.head, prefix="head/")}
