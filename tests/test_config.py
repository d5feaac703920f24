"""Settings refuse what cannot be, in one sentence each, and travel through JSON and dotted names unchanged."""

import dataclasses
import json

import pytest

from electra_tf import config
from electra_tf.config import (
    PRESETS,
    AugmentationConfig,
    ElectraConfig,
    FineTuningConfig,
    MaskingConfig,
    ObjectiveConfig,
    OptimizerConfig,
    PretrainingConfig,
)
from electra_tf.errors import InputError
from electra_tf.presets import PRESET_SETTINGS

SETTINGS_CLASSES = (ElectraConfig, MaskingConfig, ObjectiveConfig, OptimizerConfig, PretrainingConfig, FineTuningConfig,
                    AugmentationConfig)


@pytest.mark.parametrize(("config_class", "values", "message"), [
    (ElectraConfig, {"num_layers": 0}, "num_layers=0 must be a whole number from 1 up"),
    (ElectraConfig, {"vocabulary_size": 31.5}, "vocabulary_size=31.5 must be a whole number"),
    (ElectraConfig, {"hidden_size": 100, "num_heads": 3}, "num_heads=3 must divide hidden_size=100"),
    (ElectraConfig, {"hidden_dropout": 1.0}, r"hidden_dropout=1.0 must lie in \[0, 1\)"),
    (ElectraConfig, {"attention_dropout": -0.1}, r"attention_dropout=-0.1 must lie in \[0, 1\)"),
    (ElectraConfig, {"layer_norm_epsilon": 0.0}, "layer_norm_epsilon=0.0 must be above 0"),
    (ElectraConfig, {"initializer_range": -1.0}, "initializer_range=-1.0 must be above 0"),
    (ElectraConfig, {"activation": "relu"}, "activation='relu' must be one of gelu, gelu_tanh"),
    (ElectraConfig, {"generator_size": 1.5}, r"generator_size=1.5 must lie in \(0, 1\]"),
    (ElectraConfig, {"generator_depth": 0.0}, r"generator_depth=0.0 must lie in \(0, 1\]"),
    (MaskingConfig, {"mask_rate": 1.0}, "mask_rate=1.0 must lie between 0 and 1"),
    (MaskingConfig, {"mask_rate": 0.0}, "mask_rate=0.0 must lie between 0 and 1"),
    (MaskingConfig, {"mask_symbol_rate": 1.1}, r"mask_symbol_rate=1.1 must lie in \[0, 1\]"),
    (MaskingConfig, {"temperature": 0.0}, "temperature=0.0 must be above 0"),
    (OptimizerConfig, {"learning_rate": 0.0}, "learning_rate=0.0 must be above 0"),
    (OptimizerConfig, {"warmup_steps": -1}, "warmup_steps=-1 must be a whole number from 0 up"),
    (OptimizerConfig, {"weight_decay": -0.1}, "weight_decay=-0.1 must not be negative"),
    (OptimizerConfig, {"beta_1": 1.0}, r"beta_1=1.0 must lie in \[0, 1\)"),
    (OptimizerConfig, {"beta_2": -0.5}, r"beta_2=-0.5 must lie in \[0, 1\)"),
    (OptimizerConfig, {"epsilon": 0.0}, "epsilon=0.0 must be above 0"),
    (OptimizerConfig, {"clip_norm": 0.0}, "clip_norm=0.0 must be above 0; a large number means no clipping"),
    (OptimizerConfig, {"layer_decay": 1.2}, r"layer_decay=1.2 must lie in \(0, 1\]"),
    (ElectraConfig, {"position_type": "random"}, "position_type='random' must be one of learned, sinusoidal, relati"),
    (ElectraConfig, {"drop_connect": 1.0}, r"drop_connect=1.0 must lie in \[0, 1\)"),
    (MaskingConfig, {"mask_sampling": "often"}, "mask_sampling='often' must be one of without_replacement, with_re"),
    (MaskingConfig, {"repeated_positions": "last"}, "repeated_positions='last' must be one of first, average"),
    (MaskingConfig, {"sampler": "argmax"}, "sampler='argmax' must be one of cumulative, gumbel"),
    (OptimizerConfig, {"layer_decay_offset": 0}, "layer_decay_offset=0 must be 1 or 2"),
    (OptimizerConfig, {"decay_power": 0.0}, "decay_power=0.0 must be above 0; 1 is linear"),
    (OptimizerConfig, {"first_step": 2}, "first_step=2 must be 0 or 1"),
    (OptimizerConfig, {"clip_rows": "all"}, "clip_rows='all' must be one of merged, separate"),
    (OptimizerConfig, {"word_embeddings_rate": -0.1}, r"word_embeddings_rate=-0.1 must lie in \[0, 1\]"),
    (PretrainingConfig, {"train_steps": 1e6}, "train_steps=1000000.0 must be a whole number"),
    (PretrainingConfig, {"time_budget": "soon"}, "time_budget='soon' must be a time above 0 such as 90s, 30m or 2h"),
    (PretrainingConfig, {"time_budget": "30"}, "time_budget='30' must be a time above 0"),
    (PretrainingConfig, {"time_budget": "0m"}, "time_budget='0m' must be a time above 0"),
    (PretrainingConfig, {"time_budget": "-5m"}, "time_budget='-5m' must be a time above 0"),
    (PretrainingConfig, {"batch_size": 0}, "batch_size=0 must be a whole number from 1 up"),
    (PretrainingConfig, {"sequence_length": 3}, "sequence_length=3 must be 4 or more"),
    (PretrainingConfig, {"sequence_length": 513}, "sequence_length=513 exceeds model.max_positions=512"),
    (PretrainingConfig, {"accumulation_steps": 3}, "accumulation_steps=3 must divide batch_size=128"),
    (PretrainingConfig, {"precision": "float16"}, "precision='float16' must be one of auto, float32, bfloat16"),
    (PretrainingConfig, {"first_embeddings": "svd"}, "first_embeddings='svd' must be one of random, cooccurrence"),
    (PretrainingConfig, {"first_positions": "sines"}, "first_positions='sines' must be one of random, sinusoids"),
    (PretrainingConfig, {"generator_weight": -1.0}, "generator_weight=-1.0 must not be negative"),
    (PretrainingConfig, {"discriminator_weight": -1.0}, "discriminator_weight=-1.0 must not be negative"),
    (PretrainingConfig, {"seed": -1}, "seed=-1 must be a whole number from 0 up"),
    (PretrainingConfig, {"seed": 2**31}, r"seed=2147483648 must lie in \[0, 2147483647\]"),
    (FineTuningConfig, {"batch_size": 2.5}, "batch_size=2.5 must be a whole number"),
    (FineTuningConfig, {"epochs": 0.0}, "epochs=0.0 must be above 0"),
    (FineTuningConfig, {"sequence_length": 2}, "sequence_length=2 must be 4 or more"),
    (FineTuningConfig, {"learning_rate": -1e-4}, "learning_rate=-0.0001 must be above 0"),
    (FineTuningConfig, {"layer_decay": 0.0}, r"layer_decay=0.0 must lie in \(0, 1\]"),
    (FineTuningConfig, {"weight_decay": -1.0}, "weight_decay=-1.0 must not be negative"),
    (FineTuningConfig, {"warmup_proportion": 1.5}, r"warmup_proportion=1.5 must lie in \[0, 1\]"),
    (FineTuningConfig, {"clip_norm": -1.0}, "clip_norm=-1.0 must be above 0"),
    (FineTuningConfig, {"dropout": 1.0}, r"dropout=1.0 must lie in \[0, 1\)"),
    (FineTuningConfig, {"loss_reduction": "max"}, "loss_reduction='max' must be sum or mean"),
    (FineTuningConfig, {"precision": "half"}, "precision='half' must be one of auto, float32, bfloat16"),
    (FineTuningConfig, {"seed": 2**31}, r"seed=2147483648 must lie in \[0, 2147483647\]"),
    (FineTuningConfig, {"layer_decay_offset": 3}, "layer_decay_offset=3 must be 1 or 2"),
    (FineTuningConfig, {"first_step": -1}, "first_step=-1 must be 0 or 1"),
    (FineTuningConfig, {"clip_rows": "none"}, "clip_rows='none' must be one of merged, separate"),
    (FineTuningConfig, {"evaluations_per_epoch": 0}, "evaluations_per_epoch=0 must be a whole number"),
    (FineTuningConfig, {"schedule": "step"}, "schedule='step' must be one of linear, constant, cosine"),
    (FineTuningConfig, {"patience": -1}, "patience=-1 must be a whole number from 0 up"),
    (FineTuningConfig, {"lora_rank": 2.5}, "lora_rank=2.5 must be a whole number from 0 up"),
    (FineTuningConfig, {"frozen_layers": -2}, "frozen_layers=-2 must be a whole number from 0 up"),
    (AugmentationConfig, {"deletion_rate": 1.0}, r"deletion_rate=1.0 must lie in \[0, 1\); 0 switches it off"),
    (AugmentationConfig, {"swap_rate": -0.1}, r"swap_rate=-0.1 must lie in \[0, 1\)"),
    (AugmentationConfig, {"replacement_rate": 0.1, "new_tokens": "words"}, "new_tokens='words' must be one of mask, r"),
    (AugmentationConfig, {"insertion_rate": 0.1, "new_tokens": "generator"},
     "new_tokens='generator' and generator='' do not go together; give both"),
    (AugmentationConfig, {"insertion_rate": 0.1, "generator": "runs/small"}, "new_tokens='mask' and generator='runs"),
    (AugmentationConfig, {"deletion_rate": 0.1, "new_tokens": "random"},
     "new_tokens='random' says nothing while insertion_rate and replacement_rate are 0"),
])
def test_a_value_that_cannot_be_is_refused(config_class, values, message):
    with pytest.raises(InputError, match=message):
        config_class(**values)


@pytest.mark.parametrize("config_class", SETTINGS_CLASSES)
def test_every_setting_is_frozen_and_has_help(config_class):
    settings = config_class()
    for field in dataclasses.fields(config_class):
        nested = dataclasses.is_dataclass(getattr(settings, field.name))
        assert nested or len(field.metadata["help"]) > 10, field.name
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(settings, field.name, 1)


# --- presets -----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_says_all_that_tells_sizes_apart(name):
    """Complete by itself: no preset leans on a default that was made for another size."""
    settings = PRESET_SETTINGS[name]
    assert {"embedding_size", "hidden_size", "num_layers", "num_heads", "intermediate_size",
            "generator_size"} <= set(settings["model"])
    assert {"learning_rate", "warmup_steps"} <= set(settings["optimizer"])
    assert {"sequence_length", "batch_size"} <= set(settings) and ("train_steps" in settings) != (
        "time_budget" in settings)
    assert PRESETS[name].model.generator.hidden_size % PRESETS[name].model.generator.num_heads == 0


def test_presets_have_the_sizes_of_the_paper():
    """Table 6 of the paper; generator widths and heads of the released models."""
    def sizes(name):
        model = PRESETS[name].model
        return (model.num_layers, model.hidden_size, model.intermediate_size, model.num_heads, model.embedding_size,
                model.generator.hidden_size, model.generator.num_heads)

    assert sizes("small") == (12, 256, 1024, 4, 128, 64, 1)
    assert sizes("small_plus_plus") == (12, 256, 1024, 4, 128, 256, 4)
    assert sizes("base") == (12, 768, 3072, 12, 768, 256, 4)
    assert sizes("large") == (24, 1024, 4096, 16, 1024, 256, 4)
    assert [PRESETS[name].optimizer.learning_rate for name in ("small", "base", "large")] == [5e-4, 2e-4, 2e-4]
    assert [PRESETS[name].masking.mask_rate for name in ("small", "base", "large")] == [0.15, 0.15, 0.25]
    assert [PRESETS[name].batch_size for name in ("small", "base", "large")] == [128, 256, 2048]


def test_an_unknown_preset_names_the_nearest():
    with pytest.raises(InputError, match="preset 'smal' does not exist; did you mean 'small'"):
        config.preset("smal")
    with pytest.raises(InputError, match="preset 'xyz' does not exist; known: base, half_hour, large, mini"):
        config.preset("xyz")
    assert config.preset("small") is PRESETS["small"]


def test_the_architecture_of_a_preset_takes_overrides():
    model = ElectraConfig.from_preset("small", vocabulary_size=31, hidden_dropout=0.0)
    assert (model.vocabulary_size, model.hidden_dropout, model.hidden_size) == (31, 0.0, 256)
    with pytest.raises(InputError, match="setting of ElectraConfig 'vocab_size' does not exist; did you mean"):
        ElectraConfig.from_preset("small", vocab_size=31)


# --- derived numbers ---------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("hidden_size", "num_heads", "generator_size", "expected"), [
    (256, 4, 0.25, (64, 1)), (768, 12, 1 / 3, (256, 4)), (1000, 10, 0.25, (250, 2)), (12, 3, 0.5, (6, 1)),
    (2, 1, 0.1, (1, 1)), (312, 12, 1.0, (312, 4)),
])
def test_the_generator_is_a_fraction_with_heads_that_divide_it(hidden_size, num_heads, generator_size, expected):
    model = ElectraConfig(hidden_size=hidden_size, num_heads=num_heads, num_layers=5, generator_size=generator_size,
                          generator_depth=0.5)
    assert (model.generator.hidden_size, model.generator.num_heads) == expected
    assert model.generator.intermediate_size == 4 * expected[0]
    assert model.generator.num_layers == 2
    assert model.head_size == hidden_size // num_heads


def test_slots_for_masked_positions_are_those_of_the_original():
    assert MaskingConfig().max_masked(128) == 19
    assert MaskingConfig().max_masked(512) == 79
    assert MaskingConfig(mask_rate=0.25).max_masked(512) == 130
    assert MaskingConfig(mask_rate=0.01).max_masked(7) == 1


def test_fine_tuning_steps_count_the_short_batch_of_each_epoch():
    assert FineTuningConfig(batch_size=32, epochs=3.0).train_steps(65) == 9
    assert FineTuningConfig(batch_size=32, epochs=0.5).train_steps(64) == 1
    assert FineTuningConfig(batch_size=32, epochs=0.1).train_steps(7) == 1
    optimizer = FineTuningConfig(learning_rate=1e-4, warmup_proportion=0.25, layer_decay=0.9).optimizer(41)
    assert optimizer == OptimizerConfig(learning_rate=1e-4, warmup_steps=10, layer_decay=0.9)


@pytest.mark.parametrize(("time", "seconds"), [("90s", 90), ("30m", 1800), ("2h", 7200), ("1.5h", 5400), (None, None)])
def test_a_time_budget_is_told_in_seconds(time, seconds):
    assert PretrainingConfig(time_budget=time).budget_seconds == seconds
    assert config.with_overrides(PretrainingConfig(), [f"time_budget={time}"]).time_budget == time


# --- JSON and dotted names ---------------------------------------------------------------------------------------

@pytest.mark.parametrize("settings", [*PRESETS.values(), FineTuningConfig(epochs=2.5, seed=11), MaskingConfig()])
def test_settings_travel_through_json_unchanged(settings):
    assert config.from_dict(type(settings), json.loads(json.dumps(config.to_dict(settings)))) == settings


def test_dotted_names_lead_into_groups_and_are_checked_together():
    changed = config.with_overrides(PRESETS["tiny"], [
        "model.max_positions=1024", "sequence_length=1024", " optimizer.learning_rate = 1e-3", "train_steps=2e3",
        "optimizer.bias_correction=True", "precision=bfloat16"])
    assert (changed.model.max_positions, changed.sequence_length, changed.train_steps) == (1024, 1024, 2000)
    assert (changed.optimizer.learning_rate, changed.optimizer.bias_correction) == (1e-3, True)
    assert (changed.precision, changed.model.hidden_size) == ("bfloat16", 128)
    assert config.with_overrides(changed, []) == changed


@pytest.mark.parametrize(("assignment", "message"), [
    ("batch_size", "--set 'batch_size' has no '='; write --set optimizer.learning_rate=1e-3"),
    ("optimiser.learning_rate=1", "--set optimiser.learning_rate: group of settings 'optimiser' does not exist; "
                                  "did you mean 'optimizer'"),
    ("seed.learning_rate=1", "group of settings 'seed' does not exist"),
    ("optimizer.lerning_rate=1", "setting of optimizer 'lerning_rate' does not exist; did you mean 'learning_rate'"),
    ("optimizer=1", "setting of PretrainingConfig 'optimizer' does not exist"),
    ("batch_size=many", "batch_size='many' is not int; give a value like 128"),
    ("batch_size=12.5", "batch_size='12.5' is not int"),
    ("batch_size=inf", "batch_size='inf' is not int"),
    ("optimizer.learning_rate=nan", "learning_rate='nan' is not float; give a value like 0.1"),
    ("optimizer.bias_correction=maybe", "bias_correction='maybe' is not bool; give a value like true"),
    ("optimizer.learning_rate=0", "learning_rate=0.0 must be above 0"),
])
def test_a_wrong_assignment_is_refused(assignment, message):
    with pytest.raises(InputError, match=message):
        config.with_overrides(PretrainingConfig(), [assignment])


def test_unknown_names_in_json_are_refused():
    with pytest.raises(InputError, match="setting of MaskingConfig 'mask_rat' does not exist; did you mean 'mask_"):
        config.from_dict(PretrainingConfig, {"masking": {"mask_rat": 0.1}})
    with pytest.raises(InputError, match="setting of OptimizerConfig 'lr' does not exist; known: beta_1"):
        config.replace(OptimizerConfig(), lr=1e-3)


def test_a_json_file_is_read_or_its_fault_is_placed(tmp_path):
    file = tmp_path / "a.json"
    with pytest.raises(InputError, match="a.json does not exist; give the path of a JSON file"):
        config.read_json(file)
    file.write_text('{"seed": 1,\n "x" 2}')
    with pytest.raises(InputError, match="a.json, line 2, column 6: not JSON"):
        config.read_json(file)
    file.write_text("[1]")
    with pytest.raises(InputError, match="a.json holds a list; expected a JSON object"):
        config.read_json(file)
    file.write_bytes(b'{"seed": "\xff"}')
    with pytest.raises(InputError, match="a.json: not JSON"):
        config.read_json(file)
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        config.read_json(tmp_path)
    file.write_text('{"seed": 1}')
    assert config.read_json(file) == {"seed": 1}
