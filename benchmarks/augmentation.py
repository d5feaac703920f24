"""What each augmentation does to a small training set: 500 sentences of sentence polarity, tiny_en, three seeds.

A queue that can be stopped at any moment: each row is one file in results/, in which each seed is one trial, and what
is there is not run again.

    python benchmarks/augmentation.py WORK [NAME ...] [--generator=FOLDER]        NAME: a key of AUGMENTATIONS

tiny_en comes without a generator; rows with a generator's samples need one of the same vocabulary, and are left out
without it. docs/fine_tuning_options.md says how to train one.
"""

import csv
import dataclasses
import json
import os
import pathlib
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from electra_tf import sample_data
from electra_tf.config import AugmentationConfig, FineTuningConfig, replace
from electra_tf.files import write_json_atomically
from electra_tf.tasks.finetune import finetune
from electra_tf.tasks.labelled_files import read_labelled_texts
from electra_tf.tasks.options import TextClassification
from electra_tf.training.run_folder import RESULT_FILE, versions

RESULTS = pathlib.Path(__file__).resolve().parent / "results"
SEEDS = (0, 1, 2)
TASK = TextClassification(("sentence",), "label")
AUGMENTATIONS = {
    "0-none": ("none", {}),
    "1-deletion": ("10 % deleted", {"deletion_rate": 0.1}),
    "2-swap": ("10 % swapped", {"swap_rate": 0.1}),
    "3-mask": ("10 % replaced by [MASK]", {"replacement_rate": 0.1}),
    "4-random": ("10 % replaced by random tokens", {"replacement_rate": 0.1, "new_tokens": "random"}),
    "5-generator": ("10 % replaced by the generator's", {"replacement_rate": 0.1, "new_tokens": "generator"}),
    "6-insert-mask": ("10 % [MASK] inserted", {"insertion_rate": 0.1}),
    "7-insert-random": ("10 % random tokens inserted", {"insertion_rate": 0.1, "new_tokens": "random"}),
    "8-insert-generator": ("10 % of the generator's inserted", {"insertion_rate": 0.1, "new_tokens": "generator"}),
    "9-all": ("5 % each: deleted, swapped, [MASK] inserted and in place", dict.fromkeys(
        ("deletion_rate", "swap_rate", "insertion_rate", "replacement_rate"), 0.05)),
}


@dataclasses.dataclass(frozen=True)
class Bench:
    """What all rows have in common.

    Attributes:
        work: folder of the runs and of the small training set.
        generator: model folder for the rows that need one, or None.
        results: folder of the JSON files.
        model: model folder or shipped name.
        train, validation, test: labelled files; of `train` the first `examples` in a random order are taken.
        config: FineTuningConfig, but for seed and augmentation.
        examples: size of the training set.
        seeds: seeds of each row.
    """

    work: pathlib.Path
    generator: str | None = None
    results: pathlib.Path = RESULTS
    model: str = "tiny_en"
    train: pathlib.Path = sample_data.sentence_polarity("train")
    validation: pathlib.Path = sample_data.sentence_polarity("dev")
    test: pathlib.Path = sample_data.sentence_polarity("test")
    config: FineTuningConfig = FineTuningConfig(sequence_length=64, epochs=10.0)
    examples: int = 500
    seeds: tuple[int, ...] = SEEDS


def run_row(name, bench):
    """Runs the trials that a row's file lacks, and writes the file after each.

    Args:
        name: key of AUGMENTATIONS.
        bench: Bench.

    Returns:
        The content of the file; None for a row that needs a generator where there is none.

    >>> run_row("1-deletion", Bench(work=pathlib.Path("work")))["row"]["test accuracy, %"]
    """
    what, settings = AUGMENTATIONS[name]
    command = "python benchmarks/augmentation.py WORK"
    if settings.get("new_tokens") == "generator":
        if bench.generator is None:
            return None
        settings = {**settings, "generator": str(bench.generator)}
        command += " --generator=WORK/generator"
    config = replace(bench.config, augmentation=AugmentationConfig(**settings))
    path = bench.results / f"augmentation-{name}.json"
    done = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"trials": {}}
    for seed in bench.seeds:
        if str(seed) not in done["trials"]:
            trials = {**done["trials"], str(seed): run_trial(replace(config, seed=seed), bench, name=name)}
            done = {"table": "augmentation",
                    "row": {"augmentation": what,
                            "test accuracy, %": [100 * trial["test accuracy"] for trial in trials.values()]},
                    "command": command, "machine": "2 shared CPU cores",
                    "commit": versions().get("git_commit"), "trials": trials}
            write_json_atomically(path, done)
    return done


def run_trial(config, bench, *, name):
    """One fine-tuning run: the test accuracy of the weights that were best in validation, and when that was."""
    output = bench.work / f"{name}-{config.seed}"
    if not (output / RESULT_FILE).is_file():
        finetune(config, task=TASK, train=small_training_set(bench), validation=bench.validation, test=bench.test,
                 model=bench.model, output=output)
    trial, = json.loads((output / RESULT_FILE).read_text(encoding="utf-8"))["trials"]
    return {"test accuracy": trial["score"], "validation accuracy": trial["validation"]["accuracy"],
            "best step": trial["best_step"], "collapsed": trial["collapsed"]}


def small_training_set(bench):
    """The file of the first examples of a random order, the same ones for all rows and seeds."""
    path = bench.work / "train.csv"
    if not path.is_file():
        rows = read_labelled_texts(str(bench.train), text_columns=TASK.text_columns, label_column=TASK.label_column)
        chosen = np.random.default_rng(0).permutation(len(rows))[:bench.examples]
        bench.work.mkdir(parents=True, exist_ok=True)
        with open(path, "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("sentence", "label"))
            writer.writerows((rows.columns[0][row], rows.labels[row]) for row in chosen)
    return path


def main(work, *arguments):
    generator = next((word.partition("=")[2] for word in arguments if word.startswith("--generator=")), None)
    names = [word for word in arguments if not word.startswith("--")] or AUGMENTATIONS
    for number in range(len(SEEDS)):  # the whole table of one seed first
        for name in names:
            done = run_row(name, Bench(pathlib.Path(work), generator, seeds=SEEDS[:number + 1]))
            print(name, done["row"] if done else "left out: it needs --generator=FOLDER")


if __name__ == "__main__":
    main(*sys.argv[1:])
