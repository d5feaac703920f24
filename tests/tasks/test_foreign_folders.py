"""Fine-tuning begins from another program's checkpoint as it does from our own folder of the same weights."""

import pytest

from electra_tf.config import FineTuningConfig
from electra_tf.model.convert_checkpoint import convert_checkpoint
from electra_tf.tasks.finetune import finetune
from electra_tf.tasks.options import TextClassification
from tests.tasks.tiny import reviews, save_networks, write_tsv

CONFIG = FineTuningConfig(epochs=1, batch_size=8, sequence_length=20, learning_rate=1e-3)


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    """Function of a model folder -> the scores of a short run from it; and the folder of our own discriminator."""
    folder = tmp_path_factory.mktemp("foreign")
    save_networks(folder)
    write_tsv(folder / "train.tsv", *reviews(40, seed=0))
    write_tsv(folder / "validation.tsv", *reviews(40, seed=1))

    def run(model, name):
        return finetune(CONFIG, task=TextClassification(("sentence",), "label"), train=folder / "train.tsv",
                        validation=folder / "validation.tsv", model=model, output=folder / f"run-{name}").best
    return run, folder / "discriminator", run(folder / "discriminator", "ours")


@pytest.mark.parametrize("program", ["huggingface", "original", "keras_hub"])
def test_a_converted_folder_gives_the_same_run(tuned, tmp_path, program):
    run, ours, expected = tuned
    convert_checkpoint(ours, tmp_path / program, to=program)
    found = run(tmp_path / program, program)
    assert found.validation == pytest.approx(expected.validation, abs=1e-6)
