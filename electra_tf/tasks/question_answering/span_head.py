"""The answer's first and last piece, and whether there is one: the original's head and losses for SQuAD."""

import math
from typing import NamedTuple

import keras
import tensorflow as tf

from electra_tf.model.layers import gelu

_HIDDEN_SIZE = 512
# As in the original: subtracted from the logits of places where no answer can be.
_FORBIDDEN = 1000.0


class SpanLogits(NamedTuple):
    """What the head says of a batch in training.

    Attributes:
        start, end: float32 [batch, length]; places that cannot hold an answer are about -1000.
        impossible: float32 [batch], logit of "there is no answer"; None without that classifier.
    """

    start: tf.Tensor
    end: tf.Tensor
    impossible: tf.Tensor | None


class SpanBeam(NamedTuple):
    """The most likely answers of a batch; the score of a span is the sum of the scores of its two ends.

    Attributes:
        start_scores: float32 [batch, beam], with start_positions int32 [batch, beam].
        end_scores: float32 [batch, beam, beam], with end_positions int32 [batch, beam, beam]: the ends for each start.
            Joint ends have log-probabilities; independent ones logits, as in the original. A row that is shorter than
            the beam is filled up with -inf.
        no_answer: float32 [batch]: the classifier's logit of "there is no answer"; without a classifier the score of
            the span that is [CLS] alone, to be compared with those of the other spans.
    """

    start_scores: tf.Tensor
    start_positions: tf.Tensor
    end_scores: tf.Tensor
    end_positions: tf.Tensor
    no_answer: tf.Tensor


def answer_places(segment_ids, padding_mask):
    """Where an answer may lie: float32 [batch, length], 1 for the context (its last [SEP] too) and for [CLS].

    Args:
        segment_ids: int32 [batch, length], 1 in the context.
        padding_mask: int32 [batch, length].
    """
    # Not one_hot, of which OpenVINO knows no form with a single index.
    is_first = tf.cast(tf.equal(tf.range(tf.shape(segment_ids)[1]), 0), tf.float32)
    return tf.cast(segment_ids * padding_mask, tf.float32) + is_first


class QuestionAnsweringHead(keras.layers.Layer):
    """Start, end and answerability from the encoder's hidden states.

    Args:
        hidden_size: width of the encoder.
        joint: whether the end depends on the start: on the right one in training, on each of the beam in answering.
        answerable: "start" for a classifier of what the start logits point at, "cls" for one of the first token
            alone, None for neither.
        beam_size: starts that are looked at, and ends for each of them.

    >>> head = QuestionAnsweringHead(256)
    >>> head(hidden, places, start_positions=start_positions).start.shape   # [batch, length]
    """

    def __init__(self, hidden_size, *, joint=True, answerable="start", beam_size=20, **kwargs):
        super().__init__(**kwargs)
        self.hidden_size, self.joint, self.answerable, self.beam_size = hidden_size, joint, answerable, beam_size

        def dense(units, name):
            return keras.layers.Dense(units, kernel_initializer="glorot_uniform", name=name, dtype=self.dtype_policy)
        self.start = dense(1, "start")
        self.end_hidden = dense(_HIDDEN_SIZE, "end_hidden") if joint else None
        self.end = dense(1, "end")
        self.impossible_hidden = dense(_HIDDEN_SIZE, "impossible_hidden") if answerable == "start" else None
        self.impossible = dense(1, "impossible") if answerable else None

    def build(self, input_shape=None):
        width = self.hidden_size
        self.start.build((None, None, width))
        if self.joint:
            self.end_hidden.build((None, None, 2 * width))
        self.end.build((None, None, _HIDDEN_SIZE if self.joint else width))
        if self.impossible_hidden is not None:
            self.impossible_hidden.build((None, 2 * width))
        if self.impossible is not None:
            self.impossible.build((None, width if self.impossible_hidden is None else _HIDDEN_SIZE))

    def call(self, hidden, places, start_positions):
        """SpanLogits, with the ends for the given starts.

        Args:
            hidden: float [batch, length, hidden_size].
            places: float32 [batch, length], see `answer_places`.
            start_positions: int32 [batch], the right ones; -1 where the example teaches nothing.
        """
        start = self.start_logits(hidden, places)
        chosen = tf.gather(hidden, tf.maximum(start_positions, 0)[:, None], batch_dims=1)  # [batch, 1, hidden_size]
        return SpanLogits(start, self.end_logits(hidden, chosen, places)[:, 0], self.impossible_logits(hidden, start))

    def beam(self, hidden, places):
        """SpanBeam; arguments as `call`."""
        return mean_beam([self], [hidden], places)

    def start_logits(self, hidden, places):
        """float32 [batch, length]; arguments as `call`."""
        return self._logits(self.start(hidden)[..., 0], places)

    def best(self, scores):
        """The beam's scores and positions, [..., beam], of scores [..., length]."""
        length = tf.shape(scores)[-1]
        scores, positions = tf.math.top_k(scores, k=tf.minimum(self.beam_size, length))
        room = [[0, 0]] * (scores.shape.rank - 1) + [[0, tf.maximum(self.beam_size - length, 0)]]
        shape = [*scores.shape[:-1], self.beam_size]
        padded = tf.pad(scores, room, constant_values=-math.inf), tf.pad(positions, room)
        for values in padded:
            values.set_shape(shape)  # not ensure_shape, an operation that LiteRT lacks
        return padded

    def _logits(self, logits, places):
        return tf.cast(logits, tf.float32) + _FORBIDDEN * (tf.cast(places, tf.float32) - 1)

    def end_logits(self, hidden, starts, places):
        """float32 [batch, starts, length] for the states of starts [batch, starts, hidden_size]; one row for all starts
        where the end does not depend on them."""
        if not self.joint:
            return self._logits(tf.expand_dims(self.end(hidden)[..., 0], 1), places[:, None])
        # The layer on (start, token) side by side is a sum of two: the tokens' part is the same for all starts.
        kernel, bias = (tf.cast(weight, hidden.dtype) for weight in (self.end_hidden.kernel, self.end_hidden.bias))
        of_starts, of_tokens = starts @ kernel[:self.hidden_size], hidden @ kernel[self.hidden_size:] + bias
        pairs = of_starts[:, :, None] + of_tokens[:, None]  # [batch, starts, length, _HIDDEN_SIZE]
        return self._logits(self.end(gelu(pairs))[..., 0], places[:, None])

    def impossible_logits(self, hidden, start_logits):
        """float32 [batch], or None without that classifier."""
        if self.impossible is None:
            return None
        state = hidden[:, 0]
        if self.impossible_hidden is not None:
            weights = tf.cast(tf.nn.softmax(start_logits), hidden.dtype)
            state = tf.concat([state, tf.reduce_sum(tf.expand_dims(weights, -1) * hidden, axis=1)], axis=-1)
            state = gelu(self.impossible_hidden(state))
        return tf.cast(self.impossible(state)[:, 0], tf.float32)


def mean_beam(heads, hidden_states, places):
    """The SpanBeam of the mean of several heads' logits; of one head's own, where there is one.

    Args:
        heads: QuestionAnsweringHeads of one form.
        hidden_states: for each head float [batch, length, hidden_size], of its own encoder.
        places: float32 [batch, length], see `answer_places`.

    Returns:
        SpanBeam. The starts of the mean are looked at by every head, each with its own states.

    >>> mean_beam([head], [hidden], places).start_scores.shape   # [batch, beam]
    """
    first, members = heads[0], list(zip(heads, hidden_states, strict=True))
    normalized = tf.nn.log_softmax if first.joint else tf.identity

    def ends(positions):
        return normalized(_mean([head.end_logits(hidden, tf.gather(hidden, positions, batch_dims=1), places)
                                 for head, hidden in members]))
    starts = [head.start_logits(hidden, places) for head, hidden in members]
    start = normalized(_mean(starts))
    start_scores, start_positions = first.best(start)
    end_scores, end_positions = first.best(ends(start_positions))
    if not first.joint:  # the ends are the same for every start
        end_scores, end_positions = (
            tf.repeat(values, first.beam_size, axis=1) for values in (end_scores, end_positions))
    if first.impossible is None:  # the score of the span that is [CLS] alone
        no_answer = start[:, 0] + ends(tf.zeros_like(start_positions[:, :1]))[:, 0, 0]
    else:
        no_answer = _mean([head.impossible_logits(hidden, own) for (head, hidden), own in
                           zip(members, starts, strict=True)])
    return SpanBeam(start_scores, start_positions, end_scores, end_positions, no_answer)


def _mean(values):
    return values[0] if len(values) == 1 else tf.add_n(values) / len(values)


def question_answering_losses(logits, *, start_positions, end_positions, is_impossible, impossible_weight=0.5):
    """The loss of each example: the mean of both ends' cross-entropies, and a share of the third question's.

    Args:
        logits: SpanLogits.
        start_positions, end_positions: int32 [batch]; an example with -1 teaches nothing.
        is_impossible: bool or 0/1 [batch]; not read where the head has no such classifier.
        impossible_weight: factor of the loss of "is there an answer?".

    Returns:
        float32 [batch].
    """
    is_asked = tf.cast(tf.convert_to_tensor(start_positions) >= 0, tf.float32)
    start, end = (tf.nn.sparse_softmax_cross_entropy_with_logits(labels=tf.maximum(positions, 0), logits=scores)
                  for positions, scores in ((start_positions, logits.start), (end_positions, logits.end)))
    losses = (start + end) / 2
    if logits.impossible is not None:
        losses += impossible_weight * tf.nn.sigmoid_cross_entropy_with_logits(
            labels=tf.cast(is_impossible, tf.float32), logits=logits.impossible)
    return losses * is_asked
