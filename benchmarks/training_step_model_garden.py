"""Worker of training_step.py: a pretraining step from the pieces of TensorFlow's Model Garden, masking left out.

Runs in an environment that has tf-models-official; it needs an older TensorFlow and Keras 2, so never this package's
own. Its networks are built otherwise (tanh GELU, a pooler), so its losses are not compared with ours.
"""

import os
import pathlib

os.environ["TF_USE_LEGACY_KERAS"] = "1"

import numpy as np
import tensorflow as tf
import tf_keras
from official.nlp import optimization
from official.nlp.modeling import models, networks

from benchmarks.alternation import forget_peak_memory, serve, timed_steps

BATCH_FILE = "batch.npz"


def encoder(model, *, dropout, embedding_layer=None):
    """An encoder of the Model Garden; `model` is the dict of an ElectraConfig."""
    return networks.BertEncoder(
        vocab_size=model["vocabulary_size"], hidden_size=model["hidden_size"], num_layers=model["num_layers"],
        num_attention_heads=model["num_heads"], max_sequence_length=model["max_positions"],
        type_vocab_size=model["num_segments"], inner_dim=model["intermediate_size"], output_dropout=dropout,
        attention_dropout=dropout, embedding_width=model["embedding_size"], embedding_layer=embedding_layer,
        dict_outputs=True)


class GardenStep:
    """The commands of this worker."""

    def build(self, folder, model, generator, dropout, training, warm_up_steps):
        """Makes the step and warms it up.

        Args:
            folder: holds the batch.
            model, generator: dicts of both networks' ElectraConfig.
            dropout: rate.
            training: dict of learning_rate, weight_decay, clip_norm, generator_weight and discriminator_weight.
            warm_up_steps: steps that are not measured.
        """
        tf_keras.utils.set_random_seed(0)
        arrays = np.load(pathlib.Path(folder) / BATCH_FILE)
        positions = arrays["positions"]
        batch = {"input_word_ids": arrays["masked_ids"], "input_mask": arrays["padding_mask"],
                 "input_type_ids": arrays["segment_ids"], "masked_lm_positions": positions,
                 "masked_lm_ids": np.take_along_axis(arrays["token_ids"], positions, axis=1)}
        batch = {name: tf.constant(values, tf.int32) for name, values in batch.items()}
        weights, mask = (tf.constant(arrays[name], tf.float32) for name in ("is_masked", "padding_mask"))
        discriminator = encoder(model, dropout=dropout)
        pretrainer = models.ElectraPretrainer(
            generator_network=encoder(generator, dropout=dropout, embedding_layer=discriminator.get_embedding_layer()),
            discriminator_network=discriminator, vocab_size=model["vocabulary_size"], num_classes=2,
            num_token_predictions=positions.shape[1], mlm_activation="gelu")
        optimizer = optimization.AdamWeightDecay(
            learning_rate=training["learning_rate"], weight_decay_rate=training["weight_decay"], epsilon=1e-6,
            gradient_clip_norm=training["clip_norm"], exclude_from_weight_decay=["LayerNorm", "layer_norm", "bias"])

        @tf.function
        def step():
            with tf.GradientTape() as tape:
                outputs = pretrainer(batch, training=True)
                guesses = tf.nn.sparse_softmax_cross_entropy_with_logits(
                    labels=batch["masked_lm_ids"], logits=outputs["lm_outputs"])
                judgements = tf.nn.sigmoid_cross_entropy_with_logits(
                    labels=tf.cast(outputs["disc_label"], tf.float32), logits=outputs["disc_logits"])
                loss = (training["generator_weight"] * tf.reduce_sum(guesses * weights) / tf.reduce_sum(weights)
                        + training["discriminator_weight"] * tf.reduce_sum(judgements * mask) / tf.reduce_sum(mask))
            variables = pretrainer.trainable_variables
            gradients = tape.gradient(loss, variables)
            optimizer.apply_gradients((gradient, variable) for gradient, variable in zip(gradients, variables)
                                      if gradient is not None)
            return loss

        self._step = step
        self._run(warm_up_steps)
        forget_peak_memory()
        return {"tensorflow": tf.__version__}

    def round(self, steps):
        return timed_steps(self._run, steps)

    def _run(self, steps):
        for _ in range(steps):
            self._step().numpy()


if __name__ == "__main__":
    garden_step = GardenStep()
    serve({"build": garden_step.build, "round": garden_step.round})
