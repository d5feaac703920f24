"""The loop of a run: updates in compiled calls, and between them what is due: log, evaluation, checkpoint."""

import datetime
import time

import tensorflow as tf

from electra_tf.errors import InputError
from electra_tf.training.batches import training_batches, validation_batches
from electra_tf.training.callbacks.log_file import history, read_log
from electra_tf.training.checkpoint import TrainingState, save_checkpoint, training_variables
from electra_tf.training.collapse import collapse_warnings
from electra_tf.training.measurements import amount_done, read_and_reset_metrics, speed
from electra_tf.training.not_finite import not_finite_tensor
from electra_tf.training.run_weights import CHECKPOINTS
from electra_tf.training.schedules import LONGEST_WARMUP

_MOST_STEPS_PER_CALL = 10
_SECONDS_PER_CALL = 1.0  # about how long a stop signal waits


def compiled_training(pretrainer, strategy):
    """tf.function (iterator, steps int32) that makes that many updates; one that is not finite is the last.

    Args:
        pretrainer: compiled ElectraPretrainer, made in the strategy's scope.
        strategy: tf.distribute strategy.
    """
    # Only the loop here needs AutoGraph; the step holds no Python control flow that depends on tensors.
    step = tf.autograph.experimental.do_not_convert(pretrainer.train_step)

    @tf.function
    def train(iterator, steps):
        for _ in tf.range(steps):
            strategy.run(step, args=(next(iterator),))
            if not tf.reduce_all(tf.math.is_finite(pretrainer.optimizer.squared_norms.value)):
                break
    return train


def compiled_evaluation(pretrainer, strategy):
    """tf.function (batch) that adds one held-out batch to the pretrainer's metrics."""
    @tf.function(autograph=False)
    def evaluate(batch):
        strategy.run(pretrainer.test_step, args=(batch,))
    return evaluate


def steps_until_due(step, config):
    """Updates from `step` until the next log line, evaluation, checkpoint or the end, where updates decide it.

    >>> steps_until_due(95, PretrainingConfig(log_steps=100))   # 5
    """
    every = (config.log_steps, config.evaluation_steps, config.checkpoint_steps)
    due = min(steps - step % steps for steps in every)
    return due if config.time_budget is not None else min(due, config.train_steps - step)


class Trainer:
    """Trains to the end, or until it is told to stop.

    Args:
        pretrainer: compiled ElectraPretrainer in the state to go on from.
        config: PretrainingConfig, complete.
        strategy: tf.distribute strategy in whose scope the pretrainer was made.
        manifest: Manifest of the records.
        data: folder of the records.
        folder: the run folder.
        clock: RunClock.
        listeners: functions of one record (dict with "event" and "step"), called in this order.
        show_step: function of the step, called often.
    """

    def __init__(self, pretrainer, *, config, strategy, manifest, data, folder, clock, listeners, show_step):
        self._pretrainer, self._config, self._strategy = pretrainer, config, strategy
        self._manifest, self._data, self._folder, self._clock = manifest, data, folder, clock
        self._listeners, self._show_step = listeners, show_step
        self._train = compiled_training(pretrainer, strategy)
        self._evaluate = compiled_evaluation(pretrainer, strategy)
        self._history, self._logged_step, self._saved_step = [], 0, 0
        self._seconds, self._timed_steps, self._is_compiled = 0.0, 0, False
        self._used_seconds = clock.seconds  # after the newest update: what follows the last one does not count

    @property
    def step(self):
        """Updates done, as the optimizer counts them."""
        return int(self._pretrainer.optimizer.iterations.numpy())

    @property
    def is_finished(self):
        """Whether all updates are done or, where the clock decides, the last one used the time up."""
        if self._clock.budget:
            return self._used_seconds >= self._clock.budget
        return self.step == self._config.train_steps

    def train(self, stop, *, unigram_loss):
        """Makes the updates that are left.

        Args:
            stop: StopSignals; once one is received, the run is saved and left.
            unigram_loss: nats, what the word frequencies alone reach; goes into the log.

        Raises:
            InputError: a loss or gradient is not finite; nothing of that update is kept. Or the time was used up before
                the first update.
        """
        config = self._config
        if self.is_finished and not self.step:
            raise InputError(f"time_budget={config.time_budget} was used up before the first update, which began after "
                             f"{self._used_seconds:.0f} seconds; give more time.")
        self._logged_step = self._saved_step = self.step
        self._history = [record for record in history(read_log(self._folder)) if record["step"] <= self.step]
        self._tell("start", resumed_step=self.step, devices=self._strategy.num_replicas_in_sync,
                   precision=self._pretrainer.compute_dtype, kernels=self._pretrainer.uses_kernels,
                   unigram_loss=unigram_loss)
        batches = training_batches(self._strategy, self._data, config=config, start=self.step * config.batch_size)
        while not self.is_finished and not stop.received:
            self._make_some_updates(batches)
            if self._is_due(config.log_steps) or self._is_due(config.evaluation_steps):
                self._log()
            if self._is_due(config.evaluation_steps) and self._manifest.splits["validation"].rows:
                self._evaluate_held_out()
            if self._is_due(config.checkpoint_steps):
                self._save()
        if self._logged_step < self.step:
            self._log()
        if self._saved_step < self.step:
            self._save()
        if not self.is_finished:
            self._tell("stop", signal=stop.received.name)

    def _tell(self, event, **values):
        """Hands a record of this moment to every listener."""
        record = {"event": event, "step": self.step, **amount_done(self.step, self._config, self._manifest), **values,
                  "time": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")}
        self._history.append(record)
        for listener in self._listeners:
            listener(record)

    def _make_some_updates(self, batches):
        if self._clock.budget:
            self._pretrainer.optimizer.tell_time(self._clock.share)
        before, began = self.step, time.perf_counter()
        self._train(batches, tf.constant(min(self._steps_per_call(), steps_until_due(before, self._config))))
        self._require_finite()
        if self._is_compiled:  # What the first call takes says nothing about the others.
            self._seconds += time.perf_counter() - began
            self._timed_steps += self.step - before
        self._is_compiled = True
        self._used_seconds = self._clock.seconds
        self._show_step(self.step)

    def _steps_per_call(self):
        if not self._timed_steps:
            return 1
        return max(1, min(_MOST_STEPS_PER_CALL, int(_SECONDS_PER_CALL * self._timed_steps / self._seconds)))

    def _require_finite(self):
        if self._pretrainer.optimizer.first_not_finite() is None:
            return
        tensor = not_finite_tensor(self._pretrainer, read_and_reset_metrics(self._pretrainer))
        self._tell("not_finite", tensor=tensor)
        kept = f"the checkpoint of step {self._saved_step:,} stays" if self._saved_step else "no checkpoint was due yet"
        raise InputError(f"step {self.step:,}: the {tensor} is not finite, so the run stopped without this update; "
                         f"{kept}. Start anew with a lower optimizer.learning_rate or a longer optimizer.warmup_steps.")

    def _is_due(self, steps):
        return self.step % steps == 0 or self.is_finished

    def _log(self):
        values = read_and_reset_metrics(self._pretrainer)
        values |= speed(self._timed_steps, self._seconds, steps_left=self._config.train_steps - self.step,
                        config=self._config, manifest=self._manifest)
        if self._clock.budget:
            values["seconds_left"] = max(0.0, self._clock.budget - self._used_seconds)
        self._tell("train", steps=self.step - self._logged_step, **values,
                   learning_rate=self._pretrainer.optimizer.rate_of(self.step - 1))
        self._logged_step, self._seconds, self._timed_steps = self.step, 0.0, 0
        told = {record["cause"] for record in self._history if record["event"] == "warning"}
        objective = self._config.objective
        generator_learns = objective.generator != "uniform" and objective.name != "adversarial"
        for warning in collapse_warnings(self._history, warmup_steps=self._warmup_steps(),
                                         generator_learns=generator_learns and not objective.freeze_generator):
            if warning.cause not in told:
                self._tell("warning", cause=warning.cause, message=warning.message)

    def _warmup_steps(self):
        """Updates of the warm-up; with a time budget it ends after a tenth of the time at the latest."""
        warmup_steps = self._config.optimizer.warmup_steps
        if not self._clock.budget:
            return warmup_steps
        return min(warmup_steps, round(self.step * LONGEST_WARMUP * self._clock.budget / self._used_seconds))

    def _evaluate_held_out(self):
        for batch in validation_batches(self._strategy, self._data, config=self._config):
            self._evaluate(batch)
        values = read_and_reset_metrics(self._pretrainer)
        del values["gradient_norm"]
        self._tell("validation", **values)

    def _save(self):
        state = TrainingState(self.step, self.step * self._config.batch_size, self._config.seed,
                              seconds=self._clock.seconds if self._clock.budget else None)
        save_checkpoint(self._folder / CHECKPOINTS, training_variables(self._pretrainer), state=state,
                        keep=self._config.keep_checkpoints)
        self._saved_step = self.step
        self._tell("checkpoint")
