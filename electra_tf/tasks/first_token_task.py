"""What tasks on whole texts share: the first token's hidden state, dropout, one dense layer or two, a model folder."""

import keras
import tensorflow as tf

from electra_tf.config import FineTuningConfig, replace
from electra_tf.errors import InputError
from electra_tf.model.encoder import STREAMS_PER_NETWORK, ElectraEncoder, encoder_weights, unpack_inputs
from electra_tf.model.layers import Dropout, gelu
from electra_tf.model.model_folder import assign_weights, load_model_folder, named_weights, save_model_folder
from electra_tf.tasks.long_texts import encode_windows, in_portions, pooled, real_windows
from electra_tf.tasks.options import FIRST, TRUNCATE, check_long_text
from electra_tf.tasks.task_folder import require_task_folder
from electra_tf.tasks.text_batches import text_columns, without_padding
from electra_tf.tasks.text_task import TextTask
from electra_tf.text.preprocessor import TextPreprocessor
from electra_tf.text.windows import text_windows

# Dropout of the head draws behind the streams of a discriminator and a generator.
_HEAD_STREAM = 2 * STREAMS_PER_NETWORK


class FirstTokenTask(TextTask):
    """A dense layer on the hidden state of [CLS]; a task says what its outputs mean.

    A task sets KIND and HEAD_SETTINGS, its arguments beyond those below, which a model folder keeps.

    Args:
        encoder: ElectraEncoder.
        num_outputs: width of the last dense layer.
        preprocessor: TextPreprocessor, or None for a model that only sees token ids.
        pairs: whether it takes pairs of texts.
        dropout: dropout rate of the head.
        head_hidden_layer: whether a dense layer as wide as the encoder with exact GELU and dropout comes before the
            last, as in Hugging Face's head; the original has none.
        long_text: what becomes of texts longer than the preprocessor's sequence_length: "truncate" cuts them at their
            end; else training reads their windows, and a text is answered with the "mean" or the "max" of the outputs
            of all its windows, or from its "first" one.
        stride: pieces from the start of one window to that of the next; None for three quarters of a window.
    """

    KIND = None
    HEAD_SETTINGS = ()
    labels_whole_texts = True

    def __init__(self, encoder, *, num_outputs, preprocessor=None, pairs=False, dropout=0.1, head_hidden_layer=False,
                 long_text=TRUNCATE, stride=None, name=None, **kwargs):
        super().__init__(name=name or self.KIND, **kwargs)
        check_long_text(long_text, stride)
        self.long_text, self.stride = long_text, stride
        self.num_outputs = num_outputs
        self.encoder, self.preprocessor, self.pairs = encoder, preprocessor, pairs
        if preprocessor is not None and preprocessor.sequence_length > encoder.config.max_positions:
            raise InputError(f"sequence_length={preprocessor.sequence_length} exceeds the model's "
                             f"max_positions={encoder.config.max_positions}.")
        self.dropout = Dropout(dropout, stream=_HEAD_STREAM, name="dropout", dtype=self.dtype_policy)
        self.hidden_layer = None
        if head_hidden_layer:
            self.hidden_layer = keras.layers.Dense(encoder.config.hidden_size, kernel_initializer="glorot_uniform",
                                                   name="classifier_hidden", dtype=self.dtype_policy)
            self.hidden_layer.build((None, encoder.config.hidden_size))
            self.hidden_dropout = Dropout(
                dropout, stream=_HEAD_STREAM + 1, name="hidden_dropout", dtype=self.dtype_policy)
        self.classifier = keras.layers.Dense(
            num_outputs, kernel_initializer="glorot_uniform", name="classifier", dtype=self.dtype_policy)
        self.classifier.build((None, encoder.config.hidden_size))
        self.built = True

    def call(self, inputs, segment_ids=None, padding_mask=None, training=False, random=None):
        """Outputs float32 [batch, num_outputs]; arguments as ElectraEncoder.

        Outside training, texts may also be given with all their windows, [batch, windows, length].
        """
        features = unpack_inputs(inputs, segment_ids, padding_mask)
        if features[0].shape.rank > self.feature_rank:
            return self.window_outputs(*real_windows(features), num_texts=tf.shape(features[0])[0])
        hidden = self.encoder(inputs, segment_ids, padding_mask, training=training, random=random)
        first = self.dropout(hidden[:, 0], training=training, random=random)
        if self.hidden_layer is not None:
            first = self.hidden_dropout(gelu(self.hidden_layer(first)), training=training, random=random)
        return tf.cast(self.classifier(first), tf.float32)

    def window_outputs(self, windows, text_of, *, num_texts):
        """Outputs float32 [num_texts, num_outputs] of texts, from all their windows.

        Args:
            windows: dict of int32 [windows, length], as `call` takes them for short texts.
            text_of: int32 [windows], the text that each belongs to; one from `num_texts` on is left out.
        """
        return pooled(in_portions(self, windows, least=num_texts), text_of, num_texts=num_texts, pooling=self.long_text)

    def text_outputs(self, texts):
        """Outputs float32 [batch, num_outputs] of strings [batch], or of a tuple of two of these, all in the graph."""
        if self.long_text in (TRUNCATE, FIRST):
            return self(without_padding(self.preprocessor(texts)), training=False)
        windows, text_of = text_windows(self.preprocessor, texts, stride=self.stride)
        num_texts = tf.size(texts[0] if isinstance(texts, tuple) else texts)
        return self.window_outputs(without_padding(windows), text_of, num_texts=num_texts)

    def encode(self, x):
        """EncodedTexts, or EncodedWindows where some are long, of texts given as for `fit`."""
        if self.preprocessor is None or self.long_text == TRUNCATE:
            return super().encode(x)
        return encode_windows(self.preprocessor, text_columns(x, pairs=self.pairs), stride=self.stride,
                              answers_from_first=self.long_text == FIRST)

    def _with_features(self, dataset):
        features = super()._with_features(dataset)
        if features is not dataset and self.long_text != TRUNCATE:
            raise InputError(f"long_text={self.long_text!r} reads lists of texts; give these instead of a "
                             f"tf.data.Dataset of strings.")
        return features

    @property
    def answers_as(self):
        """The kind of model whose answers these are."""
        return self.KIND

    def weights_by_name(self):
        """Name -> variable: the encoder's under "encoder/", the head's under "classifier/" and "classifier_hidden/"."""
        hidden = {} if self.hidden_layer is None else named_weights(self.hidden_layer, prefix="classifier_hidden/")
        return {**encoder_weights(self.encoder), **hidden, **named_weights(self.classifier, prefix="classifier/")}

    def save_to_preset(self, folder):
        """Writes a model folder: weights, architecture, labels, vocabulary. Never over other work.

        >>> classifier.save_to_preset("sentiment")
        """
        if self.preprocessor is None:
            raise InputError("this model has no vocabulary; a model folder needs one.")
        save_model_folder(folder, kind=self.KIND, config=self.encoder.config, weights=self.weights_by_name(),
                          vocabulary=self.preprocessor.vocabulary, extra=self.stored_settings())

    def head_settings(self):
        return {**{name: getattr(self, name) for name in self.HEAD_SETTINGS}, "pairs": self.pairs,
                "dropout": self.dropout.rate, "head_hidden_layer": self.hidden_layer is not None,
                "long_text": self.long_text, "stride": self.stride}

    @classmethod
    def from_folder(cls, folder, *, new_head=None, sequence_length=None, pairs=None, dropout=None,
                    head_hidden_layer=None, long_text=None, stride=None, load_weights=True, dtype=None):
        """A model from a folder of any kind, or from a model that ships with the package.

        Args:
            folder: path of a model folder, or a shipped name ("tiny_en").
            new_head: dict of HEAD_SETTINGS: the encoder is loaded and the head is new. None: the folder must hold a
                model of this kind, which is loaded whole.
            sequence_length: pieces of the longest input; None takes the folder's, else 128 or what the model can.
            pairs: whether it takes pairs of texts; None takes the folder's, else False.
            dropout: rate of encoder and head; None takes the folder's, else 0.1.
            head_hidden_layer: whether the head has a hidden layer; None takes the folder's, else False.
            long_text, stride: as for the class; without long_text both are the folder's, else "truncate".
            load_weights: False leaves all weights new: architecture and vocabulary alone are taken.
            dtype: Keras dtype policy, such as "mixed_bfloat16".

        Raises:
            InputError: no such folder, no vocabulary in it, a generator, or weights that do not fit.
        """
        return cls.from_saved(
            load_model_folder(folder), new_head=new_head, sequence_length=sequence_length, pairs=pairs, dropout=dropout,
            head_hidden_layer=head_hidden_layer, long_text=long_text, stride=stride, load_weights=load_weights,
            dtype=dtype)

    @classmethod
    def from_saved(cls, saved, *, new_head=None, sequence_length=None, pairs=None, dropout=None,
                   head_hidden_layer=None, long_text=None, stride=None, load_weights=True, dtype=None):
        """As `from_folder`, for a ModelFolder that was read."""
        require_task_folder(saved, kind=cls.KIND, has_new_head=new_head is not None, head_setting=cls.HEAD_SETTINGS[0])
        stored = cls._stored_settings(saved)
        dropout = stored["dropout"] if dropout is None else dropout
        config = replace(saved.config, hidden_dropout=dropout, attention_dropout=dropout)
        head = {name: stored[name] for name in cls.HEAD_SETTINGS if name in stored} if new_head is None else new_head
        if long_text is None:
            long_text, stride = stored["long_text"], stride or stored["stride"]
        model = cls(
            ElectraEncoder(config, dtype=dtype), dropout=dropout, dtype=dtype, **head,
            long_text=long_text, stride=stride,
            preprocessor=TextPreprocessor(saved.vocabulary, sequence_length or stored["sequence_length"]),
            pairs=stored["pairs"] if pairs is None else pairs,
            head_hidden_layer=stored["head_hidden_layer"] if head_hidden_layer is None else head_hidden_layer)
        if load_weights:
            # What is not the encoder's belongs to pretraining or to an earlier task.
            assign_weights(model.weights_by_name(), saved.weights if new_head is None else saved.encoder_weights(),
                           new=() if new_head is None else ("classifier/", "classifier_hidden/"))
        return model

    @classmethod
    def _stored_settings(cls, saved):
        """What a folder of this kind says about its model; the usual values for any other folder."""
        usual = FineTuningConfig()
        return {"sequence_length": min(usual.sequence_length, saved.config.max_positions), "pairs": False,
                "dropout": usual.dropout, "head_hidden_layer": False, "long_text": TRUNCATE, "stride": None,
                **(saved.extra if saved.kind == cls.KIND else {})}
