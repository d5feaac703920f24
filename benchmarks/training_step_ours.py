"""Worker of training_step.py and scaling.py: this package's own pretraining step, as its job runs it.

It also writes what the other side begins with: the same weights as Hugging Face folders, and one batch with the masked
positions and samples that this package draws for it.
"""

import pathlib

import keras
import numpy as np
import tensorflow as tf

from benchmarks.alternation import forget_peak_memory, serve, timed_steps
from benchmarks.matmul_peak import matmul_peak
from benchmarks.step_variants import Size
from electra_tf.model.convert_checkpoint import convert_checkpoint
from electra_tf.objective.masking import mask_tokens
from electra_tf.objective.random_bits import RandomSource
from electra_tf.objective.sampling import sample_replacements
from electra_tf.text.vocabulary import SPECIAL_PIECES, Vocabulary
from electra_tf.training.distribution import strategy_for
from electra_tf.training.measurements import read_and_reset_metrics
from electra_tf.training.pretrain import new_pretrainer
from electra_tf.training.training_loop import compiled_training

BATCH_FILE = "batch.npz"
_BATCHES = 4
# Weights so large that the losses depend on them: with usual ones any network gives ln(vocabulary) and ln(2).
_LOSS_CHECK = ("model.hidden_dropout=0", "model.attention_dropout=0", "model.initializer_range=0.06")


def vocabulary_of(config):
    """Made-up pieces, as many as the preset has."""
    size = config.model.vocabulary_size
    return Vocabulary((*SPECIAL_PIECES, *(f"piece{number}" for number in range(len(SPECIAL_PIECES), size))))


def full_rows(config, vocabulary, *, rows):
    """Random text without padding: token_ids, segment_ids and padding_mask, int32 numpy [rows, length]."""
    shape = rows, config.sequence_length
    token_ids = np.random.default_rng(0).integers(len(SPECIAL_PIECES), vocabulary.size, shape, dtype=np.int32)
    token_ids[:, 0], token_ids[:, -1] = vocabulary.cls_id, vocabulary.sep_id
    return {"token_ids": token_ids, "segment_ids": np.zeros(shape, np.int32), "padding_mask": np.ones(shape, np.int32)}


def write_weights_and_batch(folder, config):
    """Hugging Face folders `discriminator` and `generator`, and batch.npz, for the check of the losses."""
    folder, vocabulary = pathlib.Path(folder), vocabulary_of(config)
    pretrainer = new_pretrainer(config, vocabulary, strategy_for("one_device"))
    for network in (pretrainer.discriminator, pretrainer.generator):
        network.save_to_preset(folder / "ours" / network.name, vocabulary=vocabulary)
        convert_checkpoint(folder / "ours" / network.name, folder / network.name, to="huggingface")
    batch = full_rows(config, vocabulary, rows=config.batch_size)
    batch["example_index"] = np.arange(config.batch_size)
    source = RandomSource(tf.constant(config.seed, tf.int32), tf.constant(batch["example_index"]))
    masked = mask_tokens(tf.constant(batch["token_ids"]), batch["padding_mask"], masking=config.masking,
                         special_ids=pretrainer.special_ids, source=source)
    logits = pretrainer.generator(masked.token_ids, batch["segment_ids"], batch["padding_mask"],
                                  positions=masked.positions)
    sampled_ids = sample_replacements(logits, masked.original_ids, masking=config.masking, source=source)
    np.savez(folder / BATCH_FILE, **batch, masked_ids=masked.token_ids, positions=masked.positions,
             is_masked=masked.is_masked, sampled_ids=sampled_ids)


def product_of(dtype):
    """What `matmul_peak` asks for, by TensorFlow."""
    def make(rows, inner, columns):
        left, right = (tf.cast(tf.random.normal(shape), dtype) for shape in ((rows, inner), (inner, columns)))
        return lambda: tf.matmul(left, right)[0, 0].numpy()
    return make


class OurStep:
    """The commands of this worker."""

    def prepare(self, folder, size):
        """Writes what the check of the losses needs; `size` holds the fields of Size."""
        # In float32, so that the samples are those of the float32 step that all are compared with.
        write_weights_and_batch(folder, Size(**size).config((*_LOSS_CHECK, "precision=float32")))
        return {}

    def losses(self, folder, size, settings):
        """What one training step reports of the prepared batch, dropout off."""
        config = Size(**size).config((*settings, *_LOSS_CHECK))
        arrays = np.load(pathlib.Path(folder) / BATCH_FILE)
        batch = {key: arrays[key] for key in ("token_ids", "segment_ids", "padding_mask", "example_index")}
        strategy = strategy_for("one_device")
        pretrainer = new_pretrainer(config, vocabulary_of(config), strategy)
        data = tf.data.Dataset.from_tensors(batch)
        compiled_training(pretrainer, strategy)(iter(data), tf.constant(1))
        metrics = read_and_reset_metrics(pretrainer)
        return {key: metrics[key] for key in ("generator_loss", "discriminator_loss", "gradient_norm")}

    def build(self, size, settings, warm_up_steps):
        """Makes the step that is measured, and warms it up."""
        keras.backend.clear_session()
        config = Size(**size).config(settings)
        vocabulary, strategy = vocabulary_of(config), strategy_for("one_device")
        self.pretrainer = new_pretrainer(config, vocabulary, strategy)
        rows = full_rows(config, vocabulary, rows=_BATCHES * config.batch_size)
        data = tf.data.Dataset.from_tensor_slices(rows).batch(config.batch_size, drop_remainder=True).cache().repeat()
        self.batches, self.train = iter(data.prefetch(2)), compiled_training(self.pretrainer, strategy)
        for _ in range(warm_up_steps):
            self.train(self.batches, tf.constant(1))
        forget_peak_memory()
        return {"tensorflow": tf.__version__, "keras": keras.__version__}

    def round(self, steps):
        return timed_steps(self._train, steps)

    def peak(self, precision):
        """FLOP/s that TensorFlow's product of large matrices reaches."""
        return {"peak": matmul_peak(product_of(precision))}

    def _train(self, steps):
        self.train(self.batches, tf.constant(steps))
        self.pretrainer.optimizer.iterations.numpy()


if __name__ == "__main__":
    step = OurStep()
    serve({command: getattr(step, command) for command in ("prepare", "losses", "build", "round", "peak")})
