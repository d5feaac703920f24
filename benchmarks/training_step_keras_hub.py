"""Worker of training_step.py: KerasHub's ElectraBackbone, forward and backward; the discriminator alone, no optimizer.

KerasHub has no ELECTRA pretraining to compare a whole step with.
"""


import keras
import keras_hub
import numpy as np
import tensorflow as tf

from benchmarks.alternation import forget_peak_memory, serve, timed_steps


class BackboneStep:
    """The commands of this worker."""

    def build(self, model, dropout, precision, sequence_length, batch_size, warm_up_steps):
        """Makes the step and warms it up.

        Args:
            model: dict of ElectraConfig.
            dropout: rate.
            precision: "float32" or "bfloat16".
            sequence_length, batch_size: of the rows.
            warm_up_steps: steps that are not measured.
        """
        keras.utils.set_random_seed(0)
        backbone = keras_hub.models.ElectraBackbone(
            vocab_size=model["vocabulary_size"], num_layers=model["num_layers"], num_heads=model["num_heads"],
            hidden_dim=model["hidden_size"], embedding_dim=model["embedding_size"],
            intermediate_dim=model["intermediate_size"], dropout=dropout,
            max_sequence_length=max(sequence_length, model["max_positions"]),
            dtype="mixed_bfloat16" if precision == "bfloat16" else "float32")
        head = keras.layers.Dense(1, dtype=backbone.dtype_policy)
        head.build((None, None, model["hidden_size"]))
        random, shape = np.random.default_rng(0), (batch_size, sequence_length)
        inputs = {"token_ids": tf.constant(random.integers(5, model["vocabulary_size"], shape, dtype=np.int32)),
                  "segment_ids": tf.zeros(shape, tf.int32), "padding_mask": tf.ones(shape, tf.int32)}
        labels = tf.cast(random.random(shape) < 0.1, tf.float32)
        variables = [variable.value for variable in (*backbone.trainable_variables, *head.trainable_variables)]

        @tf.function
        def step():
            with tf.GradientTape() as tape:
                logits = tf.cast(head(backbone(inputs, training=True)["sequence_output"])[..., 0], tf.float32)
                loss = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits))
            gradients = tape.gradient(loss, variables, unconnected_gradients="zero")
            return tf.linalg.global_norm(gradients)  # so that none of them is left out

        self._step = step
        self._run(warm_up_steps)
        forget_peak_memory()
        return {"keras_hub": keras_hub.__version__, "tensorflow": tf.__version__}

    def round(self, steps):
        return timed_steps(self._run, steps)

    def _run(self, steps):
        for _ in range(steps):
            self._step().numpy()


if __name__ == "__main__":
    backbone_step = BackboneStep()
    serve({"build": backbone_step.build, "round": backbone_step.round})
