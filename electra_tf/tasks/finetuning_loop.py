"""The loop of a fine-tuning run: updates, evaluations, the best weights, and the end of a run that does not learn."""

import dataclasses
import math
import time
import typing

import numpy as np
import tensorflow as tf

from electra_tf.errors import InputError
from electra_tf.tasks.statistics.collapse import DIVERGED, collapse_of, is_hopeless
from electra_tf.tasks.text_batches import training_dataset

_LOG_STEPS = 50
# Weights of models that have learnt something are near 1; with far larger ones no number stays finite.
_LARGEST_WEIGHT = 1e6


@dataclasses.dataclass(frozen=True, kw_only=True)
class Course:
    """How a run went.

    Attributes:
        best_step, best_epoch: when the best weights were reached; 0 where the run diverged before the first
            evaluation, and was left with the weights that it started from.
        train_steps, steps_done: updates that were planned and done.
        collapsed: what shows that the best weights have learnt nothing, or that the run diverged after it had them (see
            statistics/collapse.py), or None.
        ended_by: "all updates", "patience", "collapse" or "divergence".
        examples_per_second: in training, without evaluations and the first update, which compiles.
        seconds: of the whole run.
    """

    best_step: int
    best_epoch: float
    train_steps: int
    steps_done: int
    collapsed: str | None
    ended_by: str
    examples_per_second: float
    seconds: float

    def course(self):
        """These numbers alone, as a dict ready for JSON, also where a class adds others."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(Course)}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tuning(Course):
    """What `tune` reached.

    Attributes:
        scores: scores of the best weights on the validation set.
    """

    scores: typing.Any


def tune(model, config, *, train, score, metric, progress, log, guess_loss=None, majority_level=None):
    """Trains a model and leaves it with the weights that scored best.

    A run that has collapsed is given up halfway: see `is_hopeless`. A run ends too when `config.patience` evaluations
    in a row have found no new best, and when it diverges: the loss is not finite any more. Then it is left with the
    best weights before, or where there was no evaluation yet with those that it started from, and counts as collapsed.

    Args:
        model: TextTask, compiled with `config` as its settings.
        config: FineTuningConfig.
        train: Examples.
        score: function without arguments that scores the model on the validation set.
        metric: name of the score that chooses the best weights.
        progress: Progress, counted in updates.
        log: function of one record (dict), called now and then.
        guess_loss: loss of the best constant guess; None gives up on the answers alone.
        majority_level: score of the best constant answer on the validation set, or None.

    Returns:
        Tuning.

    Raises:
        InputError: the weights to start from are not finite.
    """
    train_steps = config.train_steps(len(train))
    model.prepare_optimizer(train_steps)
    batches = iter(training_dataset(train.texts, train.labels, batch_size=config.batch_size, seed=config.seed))

    @tf.function
    def update(iterator):
        return model.train_step(next(iterator))

    steps_per_epoch = math.ceil(len(train) / config.batch_size)
    evaluate_at = _evaluation_steps(train_steps, steps_per_epoch / config.evaluations_per_epoch)
    run = _Run(model, score, metric, progress, log, majority_level=majority_level)
    ended_by = "all updates"
    for step in range(1, train_steps + 1):
        began = time.monotonic()
        measured = update(batches)
        run.updated(step, measured, seconds=time.monotonic() - began, is_noted=step % _LOG_STEPS == 0)
        if step in evaluate_at and not run.divergence:
            run.evaluate(step, step / steps_per_epoch)
        if run.divergence:
            ended_by = "divergence"
            break
        if step in evaluate_at:
            if is_hopeless(run.collapses, step=step, train_steps=train_steps, loss=run.loss, guess_loss=guess_loss):
                ended_by = "collapse"
                break
            if 0 < config.patience <= run.evaluations_since_best and step < train_steps:
                ended_by = "patience"
                progress.say(f"ended after {step} of {train_steps} updates: {config.patience} evaluations without a "
                             f"new best")
                break
    run.restore_best()
    collapsed = DIVERGED if run.divergence else run.collapse_of(run.best_scores)
    if collapsed:
        run.warn_of_collapse(collapsed, step, stopped=step < train_steps)
    rate = run.timed_steps and run.timed_steps * min(config.batch_size, len(train)) / run.training_seconds
    return Tuning(
        scores=run.best_scores, best_step=run.best_step, best_epoch=run.best_step / steps_per_epoch,
        train_steps=train_steps, steps_done=step, collapsed=collapsed, ended_by=ended_by,
        examples_per_second=round(rate, 1), seconds=round(time.monotonic() - run.began, 1))


class _Run:
    """What the loop knows of the run so far; `divergence` says what shows that its numbers are not finite any more."""

    def __init__(self, model, score, metric, progress, log, *, majority_level):
        self._model, self._score, self._metric = model, score, metric
        self._progress, self._log, self._majority_level = progress, log, majority_level
        if not _are_usable(model.weights):
            raise InputError("the weights to start from are not finite, or far too large for a model that has learnt "
                             "something; give another --model.")
        self.best_scores, self.best_step = None, 0
        self._best_weights = self._copied_weights()
        self.collapses, self.loss, self.evaluations_since_best, self.divergence = [], math.inf, 0, None
        self.began, self.training_seconds, self.timed_steps = time.monotonic(), 0.0, 0

    def _copied_weights(self):
        return [weight.numpy() for weight in self._model.weights]

    def collapse_of(self, scores):
        """What shows that nothing has been learnt, or None."""
        return collapse_of(scores, metric=self._metric, majority_level=self._majority_level)

    def updated(self, step, measured, *, seconds, is_noted):
        if step > 1:
            self.training_seconds, self.timed_steps = self.training_seconds + seconds, self.timed_steps + 1
        if is_noted:
            self._read(step, measured)
        if is_noted and not self.divergence:
            self._log({"event": "train", "step": step, **{name: float(value) for name, value in measured.items()},
                       "learning_rate": float(self._model.optimizer.learning_rate)})
        best = f", best {self._metric} {self._best:.3f}" if self.best_scores else ""
        self._progress.update(step, note=f"loss {self.loss:.3f}{best}" if math.isfinite(self.loss) else "")

    def _read(self, step, measured):
        self.loss = float(measured["loss"])
        if not math.isfinite(self.loss):
            self.divergence = f"the loss at step {step} is {self.loss}"

    @property
    def _best(self):
        return self.best_scores.numbers()[self._metric]

    def evaluate(self, step, epoch):
        """Scores the model, unless it has diverged."""
        self._read(step, self._model.get_metrics_result())
        if not self.divergence and not _are_usable(self._model.weights):
            self.divergence = f"the weights at step {step} are not finite, or far too large"
        if self.divergence:
            return
        scores = self._score()
        self.collapses.append(self.collapse_of(scores))
        is_best = self.best_scores is None or scores.numbers()[self._metric] > self._best
        self.evaluations_since_best = 0 if is_best else self.evaluations_since_best + 1
        if is_best:
            self.best_scores, self.best_step, self._best_weights = scores, step, self._copied_weights()
        self._log({"event": "validation", "step": step, "epoch": epoch, "train_loss": self.loss, **scores.numbers(),
                   "is_best": is_best})
        numbers = ", ".join(f"{name} {value:.4f}" for name, value in scores.numbers().items())
        self._progress.say(f"epoch {epoch:.3g}: loss {self.loss:.4f}; validation {numbers}{', best' * is_best}")
        self._model.reset_metrics()

    def restore_best(self):
        for weight, value in zip(self._model.weights, self._best_weights, strict=True):
            weight.assign(value)
        if self.best_scores is None:  # diverged before the first evaluation
            self.best_scores = self._score()

    def warn_of_collapse(self, collapsed, step, *, stopped):
        found = f"{collapsed} on the validation set"
        if self.divergence:
            kept = f"the weights of step {self.best_step}" if self.best_step else "the weights that it started from"
            found = f"{collapsed}, as {self.divergence}; it is left with {kept}"
        message = (f"collapsed run: {found} ({self._metric} {self._best:.4f}); {'it was stopped; ' * stopped}try "
                   f"another --seed, --max_restarts, a lower --learning_rate or more --epochs.")
        self._log({"event": "warning", "step": step, "message": message})
        self._progress.say(f"WARNING: {message}")


def _are_usable(weights):
    """Whether a model with these weights can give finite numbers."""
    return all(np.all(np.abs(weight.numpy()) < _LARGEST_WEIGHT) for weight in weights)


def _evaluation_steps(train_steps, interval):
    """The updates after which the validation set is scored: each `interval`, and the last."""
    count = math.ceil(train_steps / interval)
    return {min(train_steps, max(1, round(number * interval))) for number in range(1, count)} | {train_steps}
