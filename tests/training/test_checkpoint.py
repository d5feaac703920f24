"""Checkpoints are complete or absent, checked when they are found, and strict when they are read."""

import json
import os

import keras
import numpy as np
import pytest
import safetensors.numpy

from electra_tf.errors import InputError
from electra_tf.training.checkpoint import (
    Checkpoint,
    TrainingState,
    latest_checkpoint,
    restore_checkpoint,
    save_checkpoint,
    training_variables,
)
from electra_tf.training.distribution import strategy_for
from electra_tf.training.pretrain import new_pretrainer
from tests.training.tiny_run import tiny_config, tiny_vocabulary


def make_variables(value=0.0):
    return {"weights/kernel": keras.Variable(np.full((2, 3), value, np.float32)),
            "optimizer/iterations": keras.Variable(np.int64(value), dtype="int64", trainable=False)}


def save(folder, step, *, keep=3):
    return save_checkpoint(folder, make_variables(step), state=TrainingState(step, 8 * step, 7), keep=keep)


def latest(folder):
    """(step or None, what was reported)."""
    told = []
    found = latest_checkpoint(folder, report=told.append)
    return (found.state.step if found else None), told


def test_what_was_saved_comes_back_with_its_state(tmp_path):
    assert save(tmp_path, 40).name == "step-00000040"
    found = latest_checkpoint(tmp_path, report=pytest.fail)
    assert found.state == TrainingState(step=40, examples=320, seed=7, seconds=None)
    variables = make_variables(0.0)
    restore_checkpoint(found, variables)
    np.testing.assert_array_equal(variables["weights/kernel"].numpy(), np.full((2, 3), 40.0))
    assert variables["optimizer/iterations"].numpy() == 40


def test_the_newest_are_kept(tmp_path):
    for step in (5, 10, 15, 20):
        save(tmp_path, step, keep=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000015", "step-00000020"]
    assert latest(tmp_path) == (20, [])


def test_steps_are_ordered_as_numbers(tmp_path):
    save(tmp_path, 99_999_999)
    save(tmp_path, 100_000_000)
    assert latest(tmp_path) == (100_000_000, [])


def test_a_run_without_checkpoints_has_none(tmp_path):
    assert latest(tmp_path / "missing") == (None, [])
    (tmp_path / ".step-00000005.partial").mkdir()
    (tmp_path / "notes").mkdir()
    assert latest(tmp_path) == (None, [])


def test_what_a_killed_write_left_is_removed_by_the_next(tmp_path):
    (tmp_path / ".step-00000003.partial").mkdir()
    (tmp_path / ".step-00000003.partial" / "tensors.safetensors").write_bytes(b"half")
    save(tmp_path, 5)
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000005"]


def cut_short(path):
    tensors = path / "tensors.safetensors"
    tensors.write_bytes(tensors.read_bytes()[:-1])


def flip_a_bit(path):
    tensors = path / "tensors.safetensors"
    data = bytearray(tensors.read_bytes())
    data[-3] ^= 1
    tensors.write_bytes(data)


def remove_tensors(path):
    (path / "tensors.safetensors").unlink()


def remove_state(path):
    (path / "state.json").unlink()


def tear_state(path):
    (path / "state.json").write_text((path / "state.json").read_text()[:20])


def forget_the_step(path):
    state = json.loads((path / "state.json").read_text())
    del state["step"]
    (path / "state.json").write_text(json.dumps(state))


@pytest.mark.parametrize(("damage", "named"), [
    (cut_short, "tensors.safetensors has changed: its SHA-256 differs"),
    (flip_a_bit, "tensors.safetensors has changed: its SHA-256 differs"),
    (remove_tensors, "No such file"), (remove_state, "state.json does not exist"),
    (tear_state, "state.json, line 3"), (forget_the_step, "state.json has no 'step'")])
def test_a_damaged_one_is_reported_and_the_one_before_taken(tmp_path, damage, named):
    for step in (5, 10):
        save(tmp_path, step)
    damage(tmp_path / "step-00000010")
    step, told = latest(tmp_path)
    assert step == 5 and len(told) == 1
    assert f"{tmp_path / 'step-00000010'} is damaged (" in told[0] and named in told[0]
    assert told[0].endswith("; the one before it is taken.")


def test_a_damaged_one_is_replaced_when_its_step_is_reached_again(tmp_path):
    for step in (5, 10):
        save(tmp_path, step)
    cut_short(tmp_path / "step-00000010")
    save(tmp_path, 10)
    assert latest(tmp_path) == (10, [])


def test_no_intact_one_is_an_error_and_no_silent_start_from_zero(tmp_path):
    for step in (5, 10):
        cut_short(save(tmp_path, step))
    with pytest.raises(InputError, match="none of the 2 checkpoints is intact; restore them from a copy"):
        latest(tmp_path)


def test_a_full_disk_leaves_the_checkpoints_that_were_there(tmp_path, monkeypatch):
    save(tmp_path, 5)

    def fail(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(InputError, match="cannot be written: No space left on device"):
        save(tmp_path, 10)
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000005"]
    assert latest(tmp_path) == (5, [])


@pytest.mark.parametrize(("change", "named"), [
    (lambda arrays: arrays.pop("weights/kernel"), "missing: weights/kernel"),
    (lambda arrays: arrays.update({"weights/bias": np.zeros(2)}), "left over: weights/bias"),
    (lambda arrays: arrays.update({"weights/kernel": np.zeros((3, 2))}),
     r"another shape: weights/kernel is \[3, 2\] in the file and \[2, 3\] in the model")])
def test_every_variable_is_filled_or_none(tmp_path, change, named):
    path = save(tmp_path, 5)
    arrays = safetensors.numpy.load_file(path / "tensors.safetensors")
    change(arrays)
    safetensors.numpy.save_file(arrays, path / "tensors.safetensors")
    variables = make_variables(1.0)
    with pytest.raises(InputError, match=named):
        restore_checkpoint(Checkpoint(path, TrainingState(5, 40, 7)), variables)
    np.testing.assert_array_equal(variables["weights/kernel"].numpy(), np.ones((2, 3)))


def test_a_pretrainer_has_all_its_weights_and_slots_in_a_checkpoint():
    pretrainer = new_pretrainer(tiny_config(), tiny_vocabulary(), strategy_for("one_device"))
    variables = training_variables(pretrainer)
    trainable = {id(variable) for variable in pretrainer.trainable_variables}
    assert {id(variable) for name, variable in variables.items() if name.startswith("weights/")} == trainable
    assert len(variables) == 3 * len(trainable) + 1
    for kind in ("momentum", "velocity"):
        for name, variable in pretrainer.weights_by_name().items():
            assert variables[f"optimizer/{kind}/{name}"].shape == variable.shape
    # What the optimizer has beyond it are numbers of the moment.
    assert [variable.name for variable in pretrainer.optimizer.variables
            if all(variable is not saved for saved in variables.values())] == ["squared_norms"]
