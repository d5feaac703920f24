"""What a pretraining step computes under each objective: the generator's guesses, and the main network's task.

Both are plain functions chosen by two words of ObjectiveConfig. Sums come out undivided, because the weights that
divide them belong to the whole batch, of which a replica or a micro-batch sees a part.
"""

from typing import NamedTuple

import keras
import tensorflow as tf

from electra_tf import kernels
from electra_tf.config import generator_of
from electra_tf.kernels import operations
from electra_tf.model.embeddings import ElectraEmbeddings
from electra_tf.model.networks import CopyingLanguageModel, ElectraDiscriminator, ElectraGenerator, TwoTowerGenerator
from electra_tf.objective.adversarial import adversarial_loss
from electra_tf.objective.copying import all_tokens_loss
from electra_tf.objective.corruption import Corrupted
from electra_tf.objective.electric import log_likelihood, noise_contrastive_logits
from electra_tf.objective.losses import masked_language_model_loss, replaced_token_loss
from electra_tf.objective.masking import Masked
from electra_tf.objective.random_bits import RandomSource
from electra_tf.objective.sampling import sample_uniforms, samples_plainly


class Rows(NamedTuple):
    """Some rows of a batch, prepared for both networks.

    Attributes:
        token_ids: int32 [batch, length], the text as it is.
        shown_ids: int32 [batch, length], the same, or with some tokens reordered.
        segment_ids, padding_mask: int32 [batch, length].
        is_candidate: bool [batch, length], tokens that may be masked.
        is_place: bool [batch, length], tokens that are masked.
        masked: Masked.
        source: RandomSource.
        document_ids: int32 [batch, length], or None where a row holds one document.
    """

    token_ids: tf.Tensor
    shown_ids: tf.Tensor
    segment_ids: tf.Tensor
    padding_mask: tf.Tensor
    is_candidate: tf.Tensor
    is_place: tf.Tensor
    masked: Masked
    source: RandomSource
    document_ids: tf.Tensor | None = None

    def inputs(self, token_ids):
        """What a network is given when it is shown these tokens: a dictionary, as ElectraEncoder takes it."""
        inputs = {"token_ids": token_ids, "segment_ids": self.segment_ids, "padding_mask": self.padding_mask}
        return inputs if self.document_ids is None else {**inputs, "document_ids": self.document_ids}


class Guesses(NamedTuple):
    """The generator's, at the masked places.

    Attributes:
        loss_sum: float32 scalar.
        logits: float32 [batch, slots, vocabulary].
        everywhere: the logits at every place, where the objective needs them.
        sampled_ids, best_ids: int32 [batch, slots], where they came with the loss.
    """

    loss_sum: tf.Tensor
    logits: tf.Tensor
    everywhere: tf.Tensor | None = None
    sampled_ids: tf.Tensor | None = None
    best_ids: tf.Tensor | None = None


class Judgement(NamedTuple):
    """The main network's: its loss (a sum), and where it is a discriminator, its logits and labels [batch, length]."""

    loss_sum: tf.Tensor
    logits: tf.Tensor | None = None
    labels: tf.Tensor | None = None


# --- networks ----------------------------------------------------------------------------------------------------

def main_network(config, objective, *, dtype):
    """The network that a run is for, or None where that is the generator.

    Args:
        config: ElectraConfig.
        objective: ObjectiveConfig.
        dtype: Keras dtype policy.
    """
    if objective.name == "mlm":
        return None
    if objective.name == "replace_mlm":
        return ElectraGenerator(config, network=0, name="discriminator", dtype=dtype)
    if objective.name == "all_tokens_mlm":
        return CopyingLanguageModel(config, network=0, name="discriminator", dtype=dtype)
    return ElectraDiscriminator(config, dtype=dtype)


def generator_network(config, objective, main, *, dtype):
    """The generator beside a main network, with what both share; None where guessing needs no network."""
    if objective.generator == "uniform":
        return None
    own = generator_of(config, objective)
    if main is None:
        return ElectraGenerator(own, network=0, dtype=dtype)
    if objective.shared == "everything":
        return ElectraGenerator(own, encoder=main.encoder, dtype=dtype)
    embeddings = {"embeddings": lambda: main.encoder.embeddings, "nothing": lambda: None, "token_position": lambda: (
        ElectraEmbeddings(own, tables_of=main.encoder.embeddings, name="embeddings", dtype=dtype))}[objective.shared]()
    network = TwoTowerGenerator if objective.generator == "two_tower" else ElectraGenerator
    generator = network(own, embeddings=embeddings, dtype=dtype)
    generator.trainable = not objective.freeze_generator
    return generator


def baseline_head(config, objective, *, dtype):
    """What expects the discriminator's errors for an adversarial generator, or None."""
    if objective.name != "adversarial":
        return None
    head = keras.layers.Dense(1, kernel_initializer="glorot_uniform", name="baseline", dtype=dtype)
    head.build((None, None, generator_of(config, objective).hidden_size))
    return head


# --- the generator's guesses -------------------------------------------------------------------------------------

def masked_guesses(model, rows, *, training):
    """A masked language model's."""
    generator, slots = model.generator, rows.masked.positions.shape[1]
    states = generator.states(rows.inputs(rows.masked.token_ids), positions=rows.masked.positions, training=training,
                              random=rows.source)
    products = generator.head.products(states)
    logits = generator.head.logits(products, slots=slots)
    if kernels.are_in_use() and not model.objective.label_smoothing and samples_plainly(model.masking):
        uniforms = sample_uniforms(rows.source, slots=slots)
        losses, sampled_ids, best_ids = (tf.reshape(values, [-1, slots]) for values in operations.guess(
            products, generator.head.output_bias, tf.reshape(rows.masked.original_ids, [-1]),
            tf.reshape(uniforms, [-1])))
        loss_sum = tf.reduce_sum(losses * tf.cast(rows.masked.is_masked, tf.float32))
        return Guesses(loss_sum, logits, sampled_ids=sampled_ids, best_ids=best_ids)
    return Guesses(_masked_loss(model, logits, rows), logits)


def two_tower_guesses(model, rows, *, training):
    """Those of two one-sided encoders on the text itself; the loss is over all tokens that may be masked."""
    everywhere = model.generator(rows.inputs(rows.shown_ids), training=training, random=rows.source)
    loss, _ = masked_language_model_loss(everywhere, rows.token_ids, is_masked=rows.is_candidate,
                                         label_smoothing=model.objective.label_smoothing)
    return Guesses(loss, tf.gather(everywhere, rows.masked.positions, batch_dims=1), everywhere)


def uniform_guesses(model, rows, *, training):
    """Any piece is as likely as any other; the loss is the constant ln(vocabulary)."""
    slots = rows.masked.positions.shape[1]
    logits = tf.zeros([tf.shape(rows.token_ids)[0], slots, model.config.vocabulary_size])
    logits = tf.ensure_shape(logits, [None, slots, model.config.vocabulary_size])
    return Guesses(_masked_loss(model, logits, rows), logits)


def _masked_loss(model, logits, rows):
    return masked_language_model_loss(logits, rows.masked.original_ids, is_masked=rows.masked.is_masked,
                                      label_smoothing=model.objective.label_smoothing)[0]


GUESSES = {"masked": masked_guesses, "two_tower": two_tower_guesses, "uniform": uniform_guesses}


# --- the main network's task -------------------------------------------------------------------------------------

def replaced_tokens(model, rows, guesses, corrupted: Corrupted, *, training):
    """Which tokens were replaced? Asked of every token, or with electra_15 of the masked ones."""
    logits = _discriminator_logits(model, rows, corrupted, training)
    loss, _ = replaced_token_loss(
        logits, corrupted.is_replaced, padding_mask=judged_places(model.objective, rows))
    return Judgement(loss, logits, corrupted.is_replaced)


def sampled_tokens(model, rows, guesses, corrupted: Corrupted, *, training):
    """Electric: which tokens are the generator's? A sample counts as one even where it is the original."""
    logits = noise_contrastive_logits(
        _discriminator_logits(model, rows, corrupted, training),
        log_likelihood(guesses.everywhere, corrupted.token_ids), mask_rate=model.masking.mask_rate)
    loss, _ = replaced_token_loss(logits, rows.is_place, padding_mask=rows.padding_mask)
    return Judgement(loss, logits, rows.is_place)


def original_tokens_at_masks(model, rows, guesses, corrupted: Corrupted, *, training):
    """What stood at the masked places, which hold samples in place of [MASK]?"""
    logits = model.discriminator(rows.inputs(corrupted.token_ids), positions=rows.masked.positions, training=training,
                                 random=rows.source)
    return Judgement(masked_language_model_loss(
        logits, rows.masked.original_ids, is_masked=rows.masked.is_masked)[0])


def original_tokens(model, rows, guesses, corrupted: Corrupted, *, training):
    """What stood at every place?"""
    logits, copy_logits = model.discriminator(rows.inputs(corrupted.token_ids), training=training, random=rows.source)
    return Judgement(all_tokens_loss(logits, copy_logits, input_ids=corrupted.token_ids, original_ids=rows.token_ids,
                                     padding_mask=rows.padding_mask)[0])


def _discriminator_logits(model, rows, corrupted, training):
    return model.discriminator(rows.inputs(corrupted.token_ids), training=training, random=rows.source)


JUDGEMENTS = {"electra": replaced_tokens, "electra_15": replaced_tokens, "adversarial": replaced_tokens,
              "electric": sampled_tokens, "replace_mlm": original_tokens_at_masks, "all_tokens_mlm": original_tokens}


def deceiving_loss(model, rows, sampled_ids, guesses, judgement, *, training):
    """The generator's loss where it is trained to deceive: the discriminator's loss at a sample is its reward."""
    states = model.generator.states(rows.inputs(rows.masked.token_ids), positions=rows.masked.positions,
                                    training=training, random=rows.source)
    expected = tf.cast(model.baseline(tf.stop_gradient(states))[..., 0], tf.float32)
    losses = tf.nn.sigmoid_cross_entropy_with_logits(
        labels=tf.cast(judgement.labels, tf.float32), logits=judgement.logits)
    return adversarial_loss(guesses.logits, sampled_ids, baseline_logits=expected, is_masked=rows.masked.is_masked,
                            rewards=tf.gather(losses, rows.masked.positions, batch_dims=1))[0]


def judged_places(objective, rows):
    """What the main network answers for: 0/1 or bool, [batch, length], or [batch, slots] with replace_mlm."""
    return {"electra_15": rows.is_place, "replace_mlm": rows.masked.is_masked}.get(objective.name, rows.padding_mask)


def loss_weights(objective, rows):
    """What divides both losses: float32 [2], the numbers of tokens that the generator and the main network answer for.

    Args:
        objective: ObjectiveConfig.
        rows: Rows.
    """
    guessed = rows.is_candidate if objective.generator == "two_tower" else rows.masked.is_masked
    return tf.stack([tf.reduce_sum(tf.cast(places, tf.float32))
                     for places in (guessed, judged_places(objective, rows))])
