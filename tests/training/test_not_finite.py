"""A number that is not finite stops the run with its step and its name; the update is not made and nothing is saved."""

import shutil

import numpy as np
import pytest
import tensorflow as tf

from electra_tf.errors import InputError
from electra_tf.records.manifest import read_manifest
from electra_tf.training.batches import training_batches
from electra_tf.training.checkpoint import training_variables
from electra_tf.training.distribution import strategy_for
from electra_tf.training.pretrain import new_pretrainer
from electra_tf.training.run_clock import RunClock
from electra_tf.training.stop_signals import StopSignals
from electra_tf.training.training_loop import Trainer, compiled_training
from tests.training.tiny_run import tiny_config, tiny_vocabulary, write_records

# The first update throws the weights so far away that the second has no finite loss.
CONFIG = tiny_config(sequence_length=12, checkpoint_steps=1, model={"num_layers": 1},
                     optimizer={"learning_rate": 1e37})


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    return write_records(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def pretrainer():
    return new_pretrainer(CONFIG, tiny_vocabulary(), strategy_for("one_device"))


@pytest.fixture(scope="module")
def beginning(pretrainer):
    return {name: variable.numpy() for name, variable in training_variables(pretrainer).items()}


@pytest.fixture(scope="module")
def trainer(pretrainer, records, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    told = []
    trainer = Trainer(pretrainer, config=CONFIG, strategy=strategy_for("one_device"), manifest=read_manifest(records),
                      data=records, folder=folder, clock=RunClock(None), listeners=(told.append,),
                      show_step=lambda step: None)
    return trainer, folder, told


@pytest.fixture
def at_the_beginning(pretrainer, beginning, trainer):
    shutil.rmtree(trainer[1] / "checkpoints", ignore_errors=True)
    for name, variable in training_variables(pretrainer).items():
        variable.assign(beginning[name])
    for metric in pretrainer.metrics:
        metric.reset_state()


def spoil(pretrainer, name, value):
    variable = pretrainer.weights_by_name()[name]
    variable.assign(np.full(variable.shape, value))


@pytest.mark.usefixtures("at_the_beginning")
@pytest.mark.parametrize(("name", "value", "tensor"), [
    ("generator/head/output_bias", np.nan, "generator loss"),
    ("discriminator/head/output/bias", np.inf, "discriminator loss"),
    ("discriminator/head/output/kernel", 1e30, "gradient of discriminator/encoder/embeddings/word_embeddings")])
def test_the_first_tensor_that_is_not_finite_is_named(trainer, pretrainer, name, value, tensor):
    trainer, folder, told = trainer
    spoil(pretrainer, name, value)
    with pytest.raises(InputError, match=f"step 1: the {tensor} is not finite, so the run stopped without this update; "
                                         f"no checkpoint was due yet. Start anew with a lower optimizer.learning_rate"):
        trainer.train(StopSignals(), unigram_loss=5.0)
    assert (told[-1]["event"], told[-1]["step"], told[-1]["tensor"]) == ("not_finite", 1, tensor)
    assert not (folder / "checkpoints").exists()


@pytest.mark.usefixtures("at_the_beginning")
def test_the_last_good_checkpoint_stays_the_last(trainer, beginning):
    trainer, folder, _ = trainer
    with pytest.raises(InputError, match="step 2: the generator loss is not finite.*the checkpoint of step 1 stays"):
        trainer.train(StopSignals(), unigram_loss=5.0)
    assert [path.name for path in (folder / "checkpoints").iterdir()] == ["step-00000001"]


@pytest.mark.usefixtures("at_the_beginning")
def test_a_call_of_ten_steps_ends_at_the_bad_one_and_leaves_its_update_out(pretrainer, records, beginning):
    strategy = strategy_for("one_device")
    train, variables = compiled_training(pretrainer, strategy), training_variables(pretrainer)
    train(training_batches(strategy, records, config=CONFIG, start=0), tf.constant(1))
    after_one = {name: variable.numpy() for name, variable in variables.items()}
    for name, variable in variables.items():
        variable.assign(beginning[name])
    train(training_batches(strategy, records, config=CONFIG, start=0), tf.constant(10))
    assert after_one.pop("optimizer/iterations") == 1
    assert variables["optimizer/iterations"].numpy() == 2
    assert any((after_one[name] != beginning[name]).any() for name in after_one)
    for name, array in after_one.items():
        np.testing.assert_array_equal(variables[name].numpy(), array, err_msg=name)
