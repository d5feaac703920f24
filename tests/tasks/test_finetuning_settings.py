"""Each setting of fine-tuning is alive: changing it changes the weights, or how often the run looks at them."""

import dataclasses
import json

import pytest
import tensorflow as tf

from electra_tf import kernels
from electra_tf.config import AugmentationConfig, FineTuningConfig, replace
from electra_tf.files import sha256_of
from electra_tf.tasks.classification_task import ClassificationTask
from electra_tf.tasks.options import TextClassification
from electra_tf.tasks.trial import Setting, run_trial
from tests.tasks.tiny import reviews, save_networks, write_tsv

FEW_STEPS = FineTuningConfig(sequence_length=30, batch_size=5, epochs=1)
MASKS = AugmentationConfig(replacement_rate=0.3)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return save_networks(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def outcome_of(run, tmp_path_factory):
    """What a run of three updates leaves: its weights, and how often it was scored. Eager, which is quick here."""
    folder = tmp_path_factory.mktemp("settings")
    texts, labels = reviews(12, seed=4)
    rows = str(write_tsv(folder / "rows.tsv", [text * 3 for text in texts], labels))
    task = ClassificationTask(TextClassification(text_columns=("sentence",), label_column="label"))
    sets = dict.fromkeys(("train", "validation"), task.read(rows))

    def outcome_of(name, config):
        setting = Setting(task, config, sets, sets["train"], run / "discriminator", False, "accuracy")
        tf.config.run_functions_eagerly(True)
        try:
            run_trial(setting, folder / name, seed=config.seed, examples=setting.examples(setting.new_model(0)),
                      name=name)
        finally:
            tf.config.run_functions_eagerly(False)
        model = folder / name / "model"
        events = [json.loads(line)["event"] for line in (folder / name / "log.jsonl").read_text().splitlines()]
        return sha256_of(model / "model.safetensors"), events.count("validation")
    return outcome_of


@pytest.fixture(scope="module")
def usual_outcome(outcome_of):
    return outcome_of("usual", FEW_STEPS)


@pytest.mark.filterwarnings("ignore:.*Even though the `tf.config.experimental_run_functions_eagerly` option is set")
@pytest.mark.parametrize("name, value", [
    ("sequence_length", 9), ("batch_size", 4), ("epochs", 2.0), ("learning_rate", 1e-3), ("layer_decay", 0.5),
    ("weight_decay", 0.5), ("warmup_proportion", 1.0), ("clip_norm", 0.1), ("dropout", 0.3), ("bias_correction", True),
    ("loss_reduction", "mean"), ("precision", "bfloat16"), ("seed", 1), ("evaluations_per_epoch", 3),
    ("layer_decay_offset", 2), ("first_step", 1), ("clip_rows", "separate"), ("schedule", "cosine"),
    ("schedule", "constant"), ("lora_rank", 2), ("frozen_layers", 1), ("freeze_embeddings", True),
    ("augmentation", AugmentationConfig(deletion_rate=0.3))])
def test_every_setting_changes_the_outcome(outcome_of, usual_outcome, name, value):
    assert getattr(FEW_STEPS, name) != value
    assert outcome_of(f"{name}-{value}"[:60], replace(FEW_STEPS, **{name: value})) != usual_outcome


@pytest.mark.skipif(kernels.why_not("float32") is not None, reason=f"{kernels.why_not('float32')}")
@pytest.mark.filterwarnings("ignore:.*Even though the `tf.config.experimental_run_functions_eagerly` option is set")
def test_without_the_fused_operations_sums_are_rounded_otherwise(outcome_of, usual_outcome):
    assert outcome_of("kernels-off", replace(FEW_STEPS, kernels="off")) != usual_outcome


@pytest.mark.filterwarnings("ignore:.*Even though the `tf.config.experimental_run_functions_eagerly` option is set")
def test_patience_ends_a_run_that_finds_nothing_better(outcome_of):
    # The rate of the first update is 0 and that of the others next to it.
    config = replace(FEW_STEPS, evaluations_per_epoch=3, learning_rate=1e-9)
    assert [outcome_of(f"patience-{patience}", replace(config, patience=patience))[1] for patience in (0, 1, 3)] == [
        3, 2, 3]


@pytest.fixture(scope="module")
def masked_outcome(outcome_of):
    return outcome_of("masked", replace(FEW_STEPS, augmentation=MASKS))


@pytest.mark.filterwarnings("ignore:.*Even though the `tf.config.experimental_run_functions_eagerly` option is set")
@pytest.mark.parametrize("changes", [
    {"deletion_rate": 0.3}, {"swap_rate": 0.5}, {"insertion_rate": 0.3}, {"replacement_rate": 0.4},
    {"new_tokens": "random"}, {"new_tokens": "generator", "generator": "{model}"}],
    ids=lambda changes: str(list(changes)))
def test_every_setting_of_augmentation_changes_the_outcome(run, outcome_of, masked_outcome, changes):
    changes = {name: str(run) if value == "{model}" else value for name, value in changes.items()}
    name = f"augmentation-{'-'.join(changes)}-{changes.get('new_tokens')}"
    assert outcome_of(name, replace(FEW_STEPS, augmentation=replace(MASKS, **changes)))[0] != masked_outcome[0]


def test_every_setting_is_tried():
    tried = {name for name, _ in test_every_setting_changes_the_outcome.pytestmark[0].args[1]}
    assert tried | {"patience", "kernels"} == {field.name for field in dataclasses.fields(FineTuningConfig)}
    tried = {name for changes in test_every_setting_of_augmentation_changes_the_outcome.pytestmark[0].args[1]
             for name in changes}
    assert tried == {field.name for field in dataclasses.fields(AugmentationConfig)}
