"""Runs that end by the clock: when they end, at what rates, and what a resumed one has left. The clock is injected."""

import functools
import json
import signal

import numpy as np
import pytest
import tensorflow as tf

from electra_tf.config import replace
from electra_tf.errors import InputError
from electra_tf.training import pretrain as pretrain_module
from electra_tf.training.callbacks.log_file import read_log
from electra_tf.training.checkpoint import TrainingState, latest_checkpoint, save_checkpoint, training_variables
from electra_tf.training.distribution import strategy_for
from electra_tf.training.pretrain import new_pretrainer, pretrain
from electra_tf.training.run_clock import RunClock
from electra_tf.training.training_loop import Trainer
from tests.training.tiny_run import tiny_config, tiny_vocabulary, write_records

BUDGET, UPDATE, EVALUATION = 30, 2.0, 3.0
CONFIG = tiny_config(time_budget=f"{BUDGET}s", train_steps=3, checkpoint_steps=5, log_steps=1, evaluation_steps=4,
                     model={"num_layers": 1})


class World:
    """A clock that moves when something is done: `startup` seconds before training, 2 an update, 3 an evaluation."""

    def __init__(self, *, startup=0.0, stop_at=None):
        self.startup, self.stop_at, self.now = startup, stop_at, 1000.0

    def patch(self, monkeypatch):
        """The updates themselves are left out, as a trainer that only counts them is far quicker."""
        world = self

        class CountingTrainer(Trainer):
            def __init__(self, *arguments, **settings):
                world.now += world.startup
                super().__init__(*arguments, **settings)

            def train(self, stop, **rest):
                self._stop = stop
                super().train(stop, **rest)

            def _train(self, batches, steps):
                world.now += UPDATE
                self._pretrainer.optimizer.iterations.assign_add(1)
                if self.step == world.stop_at:
                    self._stop.received = signal.SIGTERM

            def _evaluate_held_out(self):
                world.now += EVALUATION
                super()._evaluate_held_out()

            def _evaluate(self, batch):
                pass

            def __setattr__(self, name, value):
                if name not in ("_train", "_evaluate"):  # the compiled functions
                    super().__setattr__(name, value)

        monkeypatch.setattr(pretrain_module, "Trainer", CountingTrainer)
        monkeypatch.setattr(pretrain_module, "RunClock", functools.partial(RunClock, now=lambda: world.now))
        return self


def expected_updates(*, used, step):
    """[(step, share of the time used before it)] of a run that has used some seconds, by a plain loop."""
    updates = []
    while used < BUDGET:
        step += 1
        updates.append((step, used / BUDGET))
        used += UPDATE
        if used < BUDGET and step % 4 == 0:
            used += EVALUATION
    return updates


def of_kind(folder, event):
    return [record for record in read_log(folder) if record["event"] == event]


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    return write_records(tmp_path_factory.mktemp("data"))


def test_the_clock_ends_a_run_and_its_rate_has_fallen_to_nothing_by_then(records, tmp_path, monkeypatch, capsys):
    World(startup=1.0).patch(monkeypatch)
    result = pretrain(CONFIG, data=records, output=tmp_path / "run")
    updates = expected_updates(used=1.0, step=0)
    assert 3 < len(updates) < BUDGET / UPDATE  # more than train_steps; evaluations took their time
    assert result.is_finished and result.step == result.train_steps == len(updates)
    train = of_kind(tmp_path / "run", "train")
    assert [record["step"] for record in train] == [step for step, _ in updates]
    np.testing.assert_allclose([record["learning_rate"] for record in train], [
        1e-3 * (1 - used) for _, used in updates], rtol=1e-5)
    assert [record["seconds_left"] for record in train] == pytest.approx(
        [max(0, BUDGET * (1 - used) - UPDATE) for _, used in updates])
    assert of_kind(tmp_path / "run", "validation")[-1]["step"] == len(updates)
    state = latest_checkpoint(tmp_path / "run" / "checkpoints", report=pytest.fail).state
    assert state.step == len(updates) and state.seconds >= BUDGET
    stored = json.loads((tmp_path / "run" / "result.json").read_text())
    assert stored["step"] == stored["train_steps"] == stored["executed_steps"] == len(updates)
    assert (tmp_path / "run" / "discriminator").is_dir()
    assert f"The clock ends the run after {CONFIG.time_budget}; train_steps is not read" in capsys.readouterr().err
    assert pretrain(CONFIG, data=records, output=tmp_path / "run") == result
    assert f"has done its {len(updates)} steps" in capsys.readouterr().err


def test_a_stopped_run_goes_on_with_the_time_that_is_left(records, tmp_path, monkeypatch):
    world = World(startup=1.0, stop_at=6).patch(monkeypatch)
    stopped = pretrain(CONFIG, data=records, output=tmp_path / "run")
    assert (stopped.step, stopped.train_steps, stopped.stopped_by) == (6, None, signal.SIGTERM)
    assert not stopped.is_finished and not (tmp_path / "run" / "result.json").exists()
    spent = 1.0 + 6 * UPDATE + EVALUATION
    assert latest_checkpoint(tmp_path / "run" / "checkpoints", report=pytest.fail).state.seconds == spent
    world.now += 1e6  # nobody trains between the calls
    world = World(startup=4.0).patch(monkeypatch)
    result = pretrain(CONFIG, data=records, output=tmp_path / "run")
    updates = expected_updates(used=spent + 4.0, step=6)
    assert result.is_finished and result.step == updates[-1][0]
    train = [record for record in of_kind(tmp_path / "run", "train") if record["step"] > 6]
    np.testing.assert_allclose([record["learning_rate"] for record in train], [
        1e-3 * (1 - used) for _, used in updates], rtol=1e-5)


def test_a_run_that_starts_again_when_its_time_is_over_is_finished_as_it_is(records, tmp_path, monkeypatch):
    World(stop_at=6).patch(monkeypatch)
    pretrain(CONFIG, data=records, output=tmp_path / "run")
    World(startup=BUDGET).patch(monkeypatch)
    result = pretrain(CONFIG, data=records, output=tmp_path / "run")
    assert result.is_finished and result.step == 6 and (tmp_path / "run" / "discriminator").is_dir()


def test_time_that_is_used_up_before_the_first_update_is_refused(records, tmp_path, monkeypatch):
    World(startup=31.0).patch(monkeypatch)
    with pytest.raises(InputError, match="time_budget=30s was used up before the first update, which began after 31 "
                                         "seconds; give more time"):
        pretrain(CONFIG, data=records, output=tmp_path / "run")
    with pytest.raises(InputError, match="time_budget is '30s' there and '60s' here.*Nothing has been trained in it "
                                         "that would be lost if you remove it"):
        pretrain(replace(CONFIG, time_budget="60s"), data=records, output=tmp_path / "run")


def test_another_budget_on_the_same_output_is_refused(records, tmp_path, monkeypatch):
    World(stop_at=2).patch(monkeypatch)
    pretrain(CONFIG, data=records, output=tmp_path / "run")
    with pytest.raises(InputError, match="time_budget is '30s' there and '60s' here"):
        pretrain(replace(CONFIG, time_budget="60s"), data=records, output=tmp_path / "run")


def test_a_compiled_step_takes_the_rate_of_the_moment():
    pretrainer = new_pretrainer(CONFIG, tiny_vocabulary(), strategy_for("one_device"))
    step = tf.function(pretrainer.train_step)
    batch = {"token_ids": tf.constant([[2, 7, 8, 9, 10, 3]] * 4)}
    kernel = pretrainer.discriminator.head.dense.kernel
    moved = []
    for used in (0.0, 0.5, 1.0):
        before = kernel.numpy()
        pretrainer.optimizer.tell_time(used)
        step(batch)
        moved.append(np.abs(kernel.numpy() - before).max())
    assert moved[0] > 1.2 * moved[1] > 0 and moved[2] == 0


def test_a_clock_without_a_budget_is_never_over():
    clock = RunClock(None, now=iter([0.0, 1e9, 1e9]).__next__)
    assert clock.share == 0.0 and clock.seconds == 1e9


def test_a_checkpoint_of_before_there_were_budgets_is_read(tmp_path):
    path = save_checkpoint(tmp_path, {"weight": tf.Variable(1.0)}, state=TrainingState(5, 40, 7), keep=1)
    values = json.loads((path / "state.json").read_text())
    assert values.pop("seconds") is None  # so that equal runs without a budget write equal checkpoints
    (path / "state.json").write_text(json.dumps(values))
    assert latest_checkpoint(tmp_path, report=pytest.fail).state == TrainingState(5, 40, 7)


def test_the_clock_is_no_part_of_what_training_changes():
    """It would be one more variable in the checkpoints of runs that have no budget."""
    names = [set(training_variables(new_pretrainer(replace(CONFIG, time_budget=time), tiny_vocabulary(),
                                                   strategy_for("one_device")))) for time in (None, "30s")]
    assert names[0] == names[1]
