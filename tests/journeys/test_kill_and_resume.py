"""A pretraining job that is really killed, again and again, ends with the weights of one that was never stopped."""

import os
import pathlib
import random
import signal
import subprocess
import sys

import numpy as np
import pytest
import safetensors.numpy

from electra_tf.training.callbacks.log_file import read_log
from electra_tf.training.pretrain import pretrain
from tests.training.tiny_run import flags_of, tiny_config, write_records

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHECKPOINT_STEPS = 5
FLUSHES_PER_CHECKPOINT = 6
CONFIG = tiny_config(train_steps=40, checkpoint_steps=CHECKPOINT_STEPS, log_steps=1)


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    return write_records(tmp_path_factory.mktemp("data"), documents=200)  # the run crosses into a second epoch


@pytest.fixture(scope="module")
def uninterrupted(records, tmp_path_factory):
    """Name -> array of a run that was never stopped, in this process, with many steps in each call."""
    output = tmp_path_factory.mktemp("uninterrupted") / "run"
    result = pretrain(tiny_config(train_steps=40, checkpoint_steps=20, log_steps=20), data=records, output=output)
    assert result.is_finished
    return final_weights(output)


def final_weights(run):
    return {f"{kind}/{name}": array for kind in ("discriminator", "generator")
            for name, array in safetensors.numpy.load_file(run / kind / "model.safetensors").items()}


class Job:
    """The pretraining job on one output folder, as a process that is started many times."""

    def __init__(self, records, output):
        self.output = output
        self._flags = flags_of(CONFIG, data=records, output=output)
        self._errors = output.parent / "stderr.txt"
        self.process = None

    def start(self, *, die_at_flush=None):
        program = ["experiments/pretrain.py"] if die_at_flush is None else [
            "-m", "tests.journeys.pretrain_that_dies", str(die_at_flush)]
        with open(self._errors, "w") as errors:
            self.process = subprocess.Popen(
                [sys.executable, *program, *self._flags], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=errors,
                env={**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "-1"})
        return self

    def wait_for(self, condition):
        """Until the log of this output fulfils a condition; fails where the process ends before."""
        while not condition(read_log(self.output)):
            assert self.process.poll() is None, self.errors()
            self.pause(0.001)
        return self

    def pause(self, seconds):
        """Lets the process work for a while, at most until it ends."""
        try:
            self.process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            pass

    def end(self, number=None):
        """Sends a signal, if any; the exit code."""
        if number is not None:
            self.process.send_signal(number)
        return self.process.wait(timeout=600)

    def errors(self):
        return self._errors.read_text()

    def checkpoints(self):
        """Steps of the complete checkpoints, oldest first."""
        return sorted(int(path.name.removeprefix("step-")) for path in self.output.glob("checkpoints/step-*"))

    def unfinished(self):
        return list(self.output.glob("checkpoints/.step-*"))


def require_honest_restarts(log, *, train_steps, checkpoint_steps, steps_lost_on_purpose=0):
    """Each start goes on from the last checkpoint, and no more steps were executed than the kills explain.

    Raises:
        AssertionError: a start lost work.
    """
    starts, saved = 0, 0
    for record in log:
        if record["event"] == "checkpoint":
            saved = record["step"]
        if record["event"] == "start":
            assert record["resumed_step"] >= saved - steps_lost_on_purpose, "a start lost a checkpoint"
            starts += 1
    executed = sum(record["steps"] for record in log if record["event"] == "train")
    most = train_steps + (starts - 1) * checkpoint_steps + steps_lost_on_purpose
    assert train_steps <= executed <= most, f"{executed} steps executed in {starts} starts"


def test_a_job_killed_at_four_moments_ends_with_the_weights_of_one_never_stopped(records, uninterrupted, tmp_path):
    job = Job(records, tmp_path / "run")

    # Before the first checkpoint.
    assert job.start().wait_for(lambda log: log).end(signal.SIGKILL) == -signal.SIGKILL
    assert job.checkpoints() == []

    # Inside the second checkpoint, with everything written and not yet renamed.
    assert job.start(die_at_flush=2 * FLUSHES_PER_CHECKPOINT - 1).end() == -signal.SIGKILL
    assert job.checkpoints() == [CHECKPOINT_STEPS] and len(job.unfinished()) == 1

    # SIGTERM saves first, at whatever step it is.
    job.start().wait_for(lambda log: log[-1]["event"] == "train" and sum(
        record["event"] == "start" for record in log) == 3)
    assert job.end(signal.SIGTERM) == 128 + signal.SIGTERM
    assert "SIGTERM: saved and stopped; the same command goes on" in job.errors()
    log = read_log(job.output)
    assert log[-1]["event"] == "stop" and log[-1]["step"] == job.checkpoints()[-1]
    assert job.unfinished() == []

    # A disk that tore the newest checkpoint: the one before it is taken, and that is said.
    before, newest = job.checkpoints()[-2:]
    tensors = job.output / "checkpoints" / f"step-{newest:08d}" / "tensors.safetensors"
    tensors.write_bytes(tensors.read_bytes()[:-7])
    assert job.start().end() == 0, job.errors()
    assert f"step-{newest:08d} is damaged (tensors.safetensors has changed" in job.errors()

    log = read_log(job.output)
    assert [record["resumed_step"] for record in log if record["event"] == "start"] == [0, 0, CHECKPOINT_STEPS, before]
    require_honest_restarts(log, train_steps=40, checkpoint_steps=CHECKPOINT_STEPS,
                            steps_lost_on_purpose=newest - before)
    weights = final_weights(job.output)
    assert weights.keys() == uninterrupted.keys()
    for name in weights:
        np.testing.assert_array_equal(weights[name], uninterrupted[name], err_msg=name)


@pytest.mark.slow
def test_a_hundred_kills_at_random_moments_change_no_bit(records, uninterrupted, tmp_path):
    choices, kills = random.Random(11), 0
    while kills < 100:
        job = Job(records, tmp_path / f"run{kills}")
        expected = 0
        while True:
            kind = choices.choice(["time", "step", "step", "flush"]) if kills < 100 else None
            job.start(die_at_flush=choices.randint(1, 4 * FLUSHES_PER_CHECKPOINT) if kind == "flush" else None)
            if kind == "time":
                job.pause(choices.uniform(0, 15))
            elif kind == "step":
                target = expected + choices.randint(1, 12)
                while job.process.poll() is None and not any(
                        record["event"] == "train" and record["step"] >= target
                        for record in read_log(job.output)[-3:]):
                    job.pause(0.001)
                job.pause(choices.uniform(0, 0.03))
            code = job.end(signal.SIGKILL if kind in ("time", "step") else None)
            starts = [record for record in read_log(job.output) if record["event"] == "start"]
            if code == 0:
                break
            assert code == -signal.SIGKILL, job.errors()
            kills += 1
            if starts:
                assert starts[-1]["resumed_step"] <= (job.checkpoints() or [0])[-1]
            expected = (job.checkpoints() or [0])[-1]
        require_honest_restarts(read_log(job.output), train_steps=40, checkpoint_steps=CHECKPOINT_STEPS)
        weights = final_weights(job.output)
        for name in weights:
            np.testing.assert_array_equal(weights[name], uninterrupted[name], err_msg=name)


def test_a_job_that_starts_again_from_zero_would_be_noticed():
    def steps(first, last):
        return [{"event": "train", "step": step, "steps": 1} for step in range(first, last + 1)]

    honest = [{"event": "start", "resumed_step": 0}, *steps(1, 5), {"event": "checkpoint", "step": 5}, *steps(6, 8),
              {"event": "start", "resumed_step": 5}, *steps(6, 10)]
    require_honest_restarts(honest, train_steps=10, checkpoint_steps=5)
    forgetful = [*honest[:10], {"event": "start", "resumed_step": 0}, *steps(1, 10)]
    with pytest.raises(AssertionError, match="a start lost a checkpoint"):
        require_honest_restarts(forgetful, train_steps=10, checkpoint_steps=5)
    lying = [*honest[:10], {"event": "start", "resumed_step": 5}, *steps(1, 10)]
    with pytest.raises(AssertionError, match="18 steps executed in 2 starts"):
        require_honest_restarts(lying, train_steps=10, checkpoint_steps=5)
