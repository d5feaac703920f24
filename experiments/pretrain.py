"""Pretrains an ELECTRA on records: python experiments/pretrain.py --data=records --preset=small --output=runs/small"""

import dataclasses
import sys

import electra_tf
from electra_tf import config
from experiments import job


def _named(preset, recipe):
    """A preset under a recipe, without its length, which the records decide where the flag is not given."""
    return config.replace(config.with_recipe(config.preset(preset), recipe), sequence_length=None)


@dataclasses.dataclass(frozen=True)
class Flags:
    """Pretrains an ELECTRA on records. The same command on the same output goes on where it was stopped."""

    data: str = job.required("folder of records, as build_pretraining_data.py makes it")
    output: str = job.required("folder of the run; a killed or stopped run in it is resumed")
    preset: str = config.setting("small", f"named size: {', '.join(config.PRESETS)}")
    recipe: str = config.setting("ours", "ours, paper or original: what to do where the three differ (docs/recipes.md)")
    init_from: str | None = config.setting(None, "run or model folder, of ours or another program, whose weights "
                                                 "start the run")
    distribution: str = config.setting("one_device", "one_device, mirrored (all GPUs of this machine) or tpu")
    logical_devices: int | None = config.setting(None, "cut the CPU into this many devices, to try mirrored")
    settings: config.PretrainingConfig = job.settings_from("preset", "recipe", named=_named)


def main(flags):
    result = electra_tf.pretrain(flags.settings, data=flags.data, output=flags.output, init_from=flags.init_from,
                                 distribution=flags.distribution, logical_devices=flags.logical_devices)
    if result.stopped_by is not None:
        of = "" if result.train_steps is None else f" of {result.train_steps:,}"
        print(f"stopped at step {result.step:,}{of}; the same command goes on")
        sys.exit(128 + result.stopped_by)
    print(f"{result.step:,} steps; " + ", ".join(f"{name} {value:.4g}" for name, value in result.metrics.items()))
    folders = (result.folder / name for name in ("discriminator", "encoder", "generator"))
    print(f"model folders: {' and '.join(str(folder) for folder in folders if folder.is_dir())}")


if __name__ == "__main__":
    job.run_job(main, Flags)
