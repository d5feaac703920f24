"""Every task with random weights, a pretrained model and a converted real encoder: the results table of the README.

A queue: one JSON file for each trial in results/trials/tasks; what is there is not run again, so it can be stopped and
started at any time, and rows can be added. Each arm tries the same learning rates with the first seed; the rate that is
best on the rows that choose runs with the other seeds too. The test rows are scored once in each trial.

    python benchmarks/results_table.py DATA NAME=MODEL ... [-- TASK ...]

DATA is ../shared/data/finetune; NAME is what the table calls a model, MODEL its folder; a NAME that ends in "random"
takes architecture and vocabulary alone. TASK: a key of task_sets.TASK_SETS; all of them if left out.
"""

import dataclasses
import json
import os
import pathlib
import statistics
import sys
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from benchmarks.task_sets import MOST_SCORED, MOST_TRAINED, TASK_SETS
from electra_tf.config import FineTuningConfig
from electra_tf.files import write_json_atomically
from electra_tf.tasks.finetune import finetune

RESULTS = pathlib.Path(__file__).resolve().parent / "results"
LEARNING_RATES = (1e-4, 5e-4)
SEEDS = (0, 1, 2)
EPOCHS = 3.0


@dataclasses.dataclass(frozen=True)
class Arm:
    """One model of the table.

    Attributes:
        name: in the table.
        model: its folder.
    """

    name: str
    model: str

    @property
    def is_random(self):
        return self.name.endswith("random")


def run_trial(key, arm, rate, seed, data):
    """The numbers of one trial, from its file or from a new run."""
    path = RESULTS / "trials" / "tasks" / f"{key}-{arm.name.replace(' ', '-')}-{rate:g}-{seed}.json"
    if not path.is_file():
        row = TASK_SETS[key]
        config = FineTuningConfig(learning_rate=rate, seed=seed, epochs=EPOCHS, sequence_length=row.sequence_length)
        with tempfile.TemporaryDirectory() as scratch:
            scratch, began = pathlib.Path(scratch), time.perf_counter()
            sets = row.write(data, scratch)
            best = finetune(config, task=row.task, **sets, model=arm.model, output=scratch / "run", metric=row.metric,
                            random_weights=arm.is_random).best
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json_atomically(path, {
            "task": key, "arm": arm.name, "learning_rate": rate, "seed": seed, "epochs": EPOCHS,
            "validation": best.validation[row.metric], "test": best.test[row.metric], "metrics": best.test,
            "collapsed": best.collapsed, "best_step": best.best_step, "seconds": time.perf_counter() - began})
    return json.loads(path.read_text(encoding="utf-8"))


def run_row(key, arms, data):
    """Runs what a row lacks, and writes the row."""
    cells = {}
    for arm in arms:
        first = [run_trial(key, arm, rate, SEEDS[0], data) for rate in LEARNING_RATES]
        rate = max(first, key=lambda trial: trial["validation"])["learning_rate"]
        trials = [run_trial(key, arm, rate, seed, data) for seed in SEEDS]
        scores = [100 * trial["test"] for trial in trials]
        cells[arm.name] = scores
        cells[f"{arm.name}, median"] = f"{statistics.median(scores):.1f}"
        print(key, arm.name, f"{rate:g}", [f"{score:.1f}" for score in scores], flush=True)
    path = RESULTS / f"tasks-{list(TASK_SETS).index(key):02}-{key}.json"
    known = json.loads(path.read_text(encoding="utf-8"))["row"] if path.is_file() else {}
    write_json_atomically(path, {
        "table": "tasks", "row": {**known, "task": TASK_SETS[key].what, **cells},
        "machine": f"{os.cpu_count()} CPU cores",
        "caps": f"at most {MOST_TRAINED} training and {MOST_SCORED} test rows, {EPOCHS:g} epochs",
        "command": "python benchmarks/results_table.py ../shared/data/finetune NAME=MODEL ..."})


def main(data, *arguments):
    split = arguments.index("--") if "--" in arguments else len(arguments)
    arms = [Arm(*argument.split("=", 1)) for argument in arguments[:split]]
    for key in arguments[split + 1:] or TASK_SETS:
        run_row(key, arms, pathlib.Path(data))


if __name__ == "__main__":
    main(*sys.argv[1:])
