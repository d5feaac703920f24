"""Worker of scaling.py: how long a training step waits for its batch when the batches come from records."""

import time

import tensorflow as tf

from benchmarks.alternation import serve
from benchmarks.step_variants import Size
from electra_tf.config import replace
from electra_tf.records.dataset import pretraining_dataset
from electra_tf.records.manifest import read_vocabulary
from electra_tf.training.distribution import strategy_for
from electra_tf.training.pretrain import new_pretrainer


class StepOnRecords:
    """The commands of this worker."""

    def build(self, records, size, settings, warm_up_steps):
        """Makes step and batches.

        Args:
            records: folder of records of the size's length.
            size: fields of Size.
            settings: of PretrainingConfig, as "precision=bfloat16".
            warm_up_steps: steps that are not measured.
        """
        config, vocabulary = Size(**size).config(settings), read_vocabulary(records)
        config = replace(config, model=replace(config.model, vocabulary_size=vocabulary.size))
        self._pretrainer = new_pretrainer(config, vocabulary, strategy_for("one_device"))
        self._step = tf.function(tf.autograph.experimental.do_not_convert(self._pretrainer.train_step))
        self._batches = iter(pretraining_dataset(records, batch_size=config.batch_size, seed=config.seed,
                                                 sequence_length=config.sequence_length))
        self.round(warm_up_steps)
        return {}

    def round(self, steps):
        """Seconds of each step, and the share of them that went by before its batch was there."""
        began, waited = time.perf_counter(), 0.0
        for _ in range(steps):
            asked = time.perf_counter()
            batch = next(self._batches)
            waited += time.perf_counter() - asked
            self._step(batch)
            self._pretrainer.optimizer.iterations.numpy()  # the step is done
        seconds = time.perf_counter() - began
        return {"seconds": seconds / steps, "waiting_share": waited / seconds}


if __name__ == "__main__":
    step_on_records = StepOnRecords()
    serve({"build": step_on_records.build, "round": step_on_records.round})
