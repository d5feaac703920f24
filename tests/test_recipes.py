"""The named recipes: data, applied whole, chosen by one flag; docs/recipes.md has a row for each setting."""

import pathlib

import pytest

from electra_tf.config import PRESETS, RECIPES, FineTuningConfig, PretrainingConfig, to_dict, with_recipe
from electra_tf.errors import InputError
from electra_tf.presets import RECIPE_SETTINGS
from experiments import finetune, job, pretrain

ROOT = pathlib.Path(__file__).resolve().parents[1]
PARTS = {"pretraining": PRESETS["tiny"], "fine_tuning": FineTuningConfig()}


def flat(values, prefix=""):
    found = {}
    for name, value in values.items():
        found |= flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return found


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_changes_what_it_names_and_nothing_else(name, part):
    before, after = flat(to_dict(PARTS[part])), flat(to_dict(with_recipe(PARTS[part], name)))
    said = flat(RECIPE_SETTINGS[name][part])
    assert after == {**before, **said}


def test_our_recipe_is_the_defaults():
    assert with_recipe(PretrainingConfig(), "ours") == PretrainingConfig()


@pytest.mark.parametrize("part", PARTS)
def test_each_setting_of_a_recipe_differs_from_ours(part):
    """Otherwise it would say nothing; the word embeddings are held by the preset tiny alone."""
    ours = flat(to_dict(PARTS[part]))
    for name in ("paper", "original"):
        same = {key for key, value in flat(RECIPE_SETTINGS[name][part]).items() if ours[key] == value}
        # The paper's rate of a small model is our default, named so that it stays when the default moves.
        assert same <= ({"learning_rate"} if name == "paper" else set())


def test_an_unknown_recipe_is_refused_with_the_nearest():
    with pytest.raises(InputError, match="recipe 'orginal' does not exist; did you mean 'original'"):
        with_recipe(PretrainingConfig(), "orginal")


def test_one_flag_chooses_the_recipe_of_a_job_and_others_go_over_it():
    flags = job.read_flags(pretrain.Flags, ["pretrain.py", "--data=a", "--output=b", "--preset=base",
                                            "--recipe=original", "--set=masking.sampler=cumulative"])
    masking = flags.settings.masking
    assert (masking.mask_sampling, masking.repeated_positions, masking.sampler) == (
        "with_replacement", "average", "cumulative")
    assert flags.settings.model == PRESETS["base"].model and flags.settings.sequence_length is None
    given = ["finetune.py", "--train=a", "--validation=b", "--text_columns=c", "--label_column=d", "--model=e",
             "--output=f"]
    tuning = job.read_flags(finetune.Flags, [*given, "--recipe=original", "--learning_rate=5e-5"]).settings
    assert (tuning.layer_decay_offset, tuning.clip_rows, tuning.learning_rate) == (2, "separate", 5e-5)
    assert job.read_flags(finetune.Flags, given).settings == FineTuningConfig()
    assert job.read_flags(finetune.Flags, [*given, "--recipe=paper"]).settings.weight_decay == 0


def test_the_page_has_every_setting_of_every_recipe():
    page = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
    for recipe in RECIPE_SETTINGS.values():
        for part in recipe.values():
            for name in flat(part):
                assert f"{name.rpartition('.')[2]}`" in page, name
