"""The ELECTRA encoder: BERT's without the pooler; width of the embeddings independent of the width of the layers."""

import keras
import tensorflow as tf

from electra_tf.config import ElectraConfig, from_dict, replace, to_dict
from electra_tf.errors import InputError
from electra_tf.model.embeddings import ElectraEmbeddings, embeddings_dropout
from electra_tf.model.layers import Dense
from electra_tf.model.model_folder import assign_weights, load_model_folder, named_weights, save_model_folder
from electra_tf.model.transformer import DROPOUTS_PER_LAYER, DROPPED_KERNELS_PER_LAYER, TransformerLayer

# Dropout streams of one network; the generator's start after the discriminator's.
STREAMS_PER_NETWORK = 1024


def unpack_inputs(inputs, segment_ids=None, padding_mask=None):
    """How a batch is read: a dictionary, or its arrays one by one; missing ones take their usual values.

    Returns:
        (token_ids, segment_ids, padding_mask), int32 [batch, length] each.
    """
    if isinstance(inputs, dict):
        inputs, segment_ids, padding_mask = (inputs.get(name) for name in ("token_ids", "segment_ids", "padding_mask"))
    token_ids = tf.cast(inputs, tf.int32)
    segment_ids = tf.zeros_like(token_ids) if segment_ids is None else tf.cast(segment_ids, tf.int32)
    padding_mask = tf.ones_like(token_ids) if padding_mask is None else tf.cast(padding_mask, tf.int32)
    return token_ids, segment_ids, padding_mask


@keras.saving.register_keras_serializable(package="electra_tf")
class ElectraEncoder(keras.Model):
    """Token ids -> hidden states [batch, length, hidden_size]; the first token stands for the whole text.

    Args:
        config: ElectraConfig.
        embeddings: ElectraEmbeddings to share with another network, or None for its own.
        network: 0 for a discriminator or a fine-tuned encoder, 1 for a generator: keeps their dropouts apart.
        sees: "both" sides of a token, or only what is "left" or "right" of it, itself included.

    >>> encoder = ElectraEncoder.from_preset("tiny_en")
    >>> encoder({"token_ids": tf.constant([[2, 17, 3]])}).shape   # [1, 3, 128]
    """

    def __init__(self, config, *, embeddings=None, network=0, sees="both", name="encoder", **kwargs):
        super().__init__(name=name, **kwargs)
        self.config, self.sees = config, sees
        self.vocabulary = None
        policy = self.dtype_policy
        stream = network * STREAMS_PER_NETWORK
        self.embeddings = embeddings or ElectraEmbeddings(config, name="embeddings", dtype=policy)
        self.embeddings_dropout = embeddings_dropout(config, stream=stream, dtype=policy)
        self.embeddings_gate = None
        if config.embedding_gate:
            self.embeddings_gate = keras.layers.Dense(
                config.embedding_size, kernel_initializer="glorot_uniform", activation="sigmoid",
                name="embeddings_gate", dtype=policy)
        self.embeddings_project = None
        if config.embedding_size != config.hidden_size:
            self.embeddings_project = Dense(
                config.hidden_size, kernel_initializer="glorot_uniform", name="embeddings_project", dtype=policy)
        self.transformer_layers = [
            TransformerLayer(
                config, stream=stream + 1 + number * DROPOUTS_PER_LAYER,
                kernel_stream=stream + number * DROPPED_KERNELS_PER_LAYER, name=f"layer_{number}", dtype=policy)
            for number in range(config.num_layers)]
        self.build()

    def build(self, input_shape=None):
        if self.built:
            return
        if not self.embeddings.built:
            self.embeddings.build()
            self.embeddings.built = True
        if self.embeddings_gate is not None:
            self.embeddings_gate.build((None, None, self.config.embedding_size))
        if self.embeddings_project is not None:
            self.embeddings_project.build((None, None, self.config.embedding_size))
        for layer in self.transformer_layers:
            layer.build((None, None, self.config.hidden_size))
        self.built = True

    def call(self, inputs, segment_ids=None, padding_mask=None, training=False, random=None):
        """
        Args:
            inputs: int32 [batch, length] token ids, or a dictionary with token_ids, segment_ids, padding_mask; it may
                hold word_vectors [batch, length, embedding_size], too, which stand for the rows of the word table, and
                document_ids int32 [batch, length], the number of each token's document where a row holds several, 0 for
                padding: tokens see their own document only, and its first has position 0.
            segment_ids: int32 [batch, length], zeros if left out.
            padding_mask: [batch, length], 1 for real tokens, ones if left out.
            training: whether dropout acts.
            random: RandomSource of the batch for dropout; None takes TensorFlow's global generator.

        Returns:
            [batch, length, hidden_size] in the compute dtype.
        """
        return self.layer_outputs(inputs, segment_ids, padding_mask, training=training, random=random)[-1]

    def layer_outputs(self, inputs, segment_ids=None, padding_mask=None, training=False, random=None):
        """All hidden states: the (projected) embeddings first, then the output of every layer."""
        word_vectors, document_ids = (
            inputs.get(name) if isinstance(inputs, dict) else None for name in ("word_vectors", "document_ids"))
        token_ids, segment_ids, padding_mask = unpack_inputs(inputs, segment_ids, padding_mask)
        positions = None
        if document_ids is not None:
            padding_mask = same_document(document_ids)
            positions = places_in_documents(padding_mask)
        hidden = self.embeddings(token_ids, segment_ids, word_vectors, positions)
        hidden = self.embeddings_dropout(hidden, training=training, random=random)
        if self.embeddings_gate is not None:
            hidden = self.embeddings_gate(hidden) * hidden
        if self.embeddings_project is not None:
            hidden = self.embeddings_project(hidden)
        states = [hidden]
        if self.sees != "both":
            padding_mask = _one_sided(padding_mask, self.sees)
        for layer in self.transformer_layers:
            states.append(layer(states[-1], padding_mask, training=training, random=random))
        return states

    def enable_lora(self, rank):
        """From now on small matrices are trained in place of the encoder's weights (Hu et al., 2021).

        Every dense layer of attention and feed-forward multiplies with kernel + A B, A [in, rank] and B [rank, out], B
        zero at first; of the encoder only these and the biases of those layers are trained. Model folders hold the
        merged kernels. The second call with the same rank does nothing.

        Raises:
            InputError: another rank is in place.

        >>> encoder.enable_lora(8)
        """
        dense = [layer for parent in self.transformer_layers for layer in parent._flatten_layers()
                 if isinstance(layer, keras.layers.Dense)]
        ranks = {layer.lora_rank for layer in dense if layer.lora_enabled}
        if ranks - {rank}:
            raise InputError(f"lora_rank={rank}: the encoder has LoRA of rank {ranks.pop()} already; load it anew.")
        if ranks:
            return
        for layer in self._flatten_layers(include_self=False):
            layer.trainable = False
        for layer in dense:
            layer.trainable = True
            layer.enable_lora(rank)

    def freeze(self, *, embeddings=False, layers=0):
        """Leaves some weights as they are from now on; dropout acts on their outputs as before.

        Args:
            embeddings: whether the embeddings, their gate and their projection are meant.
            layers: how many of the lowest transformer layers.

        Raises:
            InputError: there are fewer layers.

        >>> encoder.freeze(embeddings=True, layers=2)
        """
        if layers > len(self.transformer_layers):
            raise InputError(f"frozen_layers={layers}: the encoder has {len(self.transformer_layers)} layers.")
        frozen = self.transformer_layers[:layers]
        if embeddings:
            frozen += [part for part in (self.embeddings, self.embeddings_gate, self.embeddings_project) if part]
        for layer in [layer for part in frozen for layer in part._flatten_layers()]:
            layer.trainable = False

    @classmethod
    def from_preset(cls, folder, *, dtype=None, **overrides):
        """The encoder of a model folder of any kind, or of a model that ships with the package.

        Args:
            folder: path of a model folder, or a shipped name ("tiny_en").
            dtype: Keras dtype policy, e.g. "mixed_bfloat16".
            **overrides: fields of ElectraConfig that have no weights, such as `hidden_dropout=0.2`.

        Raises:
            InputError: no such folder, or weights that do not fit their config.
        """
        saved = load_model_folder(folder)
        encoder = cls(replace(saved.config, **overrides), dtype=dtype)
        encoder.vocabulary = saved.vocabulary
        arrays = saved.encoder_weights()
        assign_weights(encoder_weights(encoder), arrays)
        return encoder

    def save_to_preset(self, folder, *, vocabulary=None):
        """Writes config, weights and vocabulary as one model folder of kind "encoder"."""
        save_model_folder(folder, kind="encoder", config=self.config, weights=encoder_weights(self),
                          vocabulary=vocabulary or self.vocabulary)

    def get_config(self):
        return {"config": to_dict(self.config), "name": self.name, "dtype": self.dtype_policy.name}

    @classmethod
    def from_config(cls, config):
        return cls(from_dict(ElectraConfig, config["config"]), name=config["name"], dtype=config["dtype"])


def same_document(document_ids):
    """int32 [batch, length, length]: 1 where both tokens are of one document; padding counts as one.

    >>> same_document(tf.constant([[1, 2, 2]]))   # [[[1, 0, 0], [0, 1, 1], [0, 1, 1]]]
    """
    document_ids = tf.convert_to_tensor(document_ids)
    return tf.cast(document_ids[:, :, None] == document_ids[:, None, :], tf.int32)


def places_in_documents(is_same):
    """int32 [batch, length]: how far each token stands behind the first of its document.

    Args:
        is_same: as `same_document` gives it; the tokens of a document stand together.
    """
    first = tf.argmax(is_same, axis=2, output_type=tf.int32)
    return tf.range(tf.shape(is_same)[1])[None, :] - first


def _one_sided(padding_mask, side):
    """int32 [batch, length, length]: 1 where the token of the row sees that of the column.

    `padding_mask` is int32 [batch, length], or [batch, length, length] where tokens do not see all others already.
    """
    length = tf.shape(padding_mask)[1]
    square = tf.ones([length, length], tf.int32)
    seen = tf.linalg.band_part(square, -1, 0) if side == "left" else tf.linalg.band_part(square, 0, -1)
    return (padding_mask[:, None, :] if padding_mask.shape.rank == 2 else padding_mask) * seen


def encoder_weights(encoder):
    """Name -> variable of an encoder, under "encoder/": the names in every model folder."""
    return named_weights(encoder, prefix="encoder/")
