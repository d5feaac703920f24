"""Flags of the pretraining job."""

from electra_tf.config import PRESETS, replace
from experiments.job import read_flags
from experiments.pretrain import Flags
from tests.training.tiny_run import flags_of, tiny_config


def read(*flags):
    return read_flags(Flags, ["pretrain.py", "--data=records", "--output=runs/small", *flags])


def test_a_preset_leaves_the_length_to_the_records():
    assert PRESETS["small"].sequence_length == 128
    flags = read("--preset=tiny")
    assert flags.settings == replace(PRESETS["tiny"], sequence_length=None)
    assert (flags.init_from, flags.distribution, flags.logical_devices) == (None, "one_device", None)
    assert read("--preset=tiny", "--sequence_length=32").settings.sequence_length == 32


def test_every_setting_has_a_flag():
    config = tiny_config(train_steps=17, sequence_length=12, precision="bfloat16", masking={"mask_rate": 0.3})
    flags = read_flags(Flags, ["pretrain.py", *flags_of(config, data="records", output="runs/small"),
                               "--distribution=mirrored", "--logical_devices=2", "--init_from=runs/other"])
    assert flags.settings == config
    assert (flags.data, flags.output, flags.init_from) == ("records", "runs/small", "runs/other")
    assert (flags.distribution, flags.logical_devices) == ("mirrored", 2)
