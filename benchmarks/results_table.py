"""Every task with random weights, a pretrained model and a converted real encoder: the results table of the README.

A queue: one JSON file for each trial in results/trials/tasks; what is there is not run again, so it can be stopped and
started at any time, and rows can be added. Each arm tries the same learning rates with the first seed; the rate that is
best on the rows that choose runs with the other seeds too. A collapsed trial is done again once, with the next seed,
and the row then says what the scores are without that. The test rows are scored once in each attempt.

    python benchmarks/results_table.py DATA NAME=MODEL ... [--tasks=cola,sst2] [--learning_rates=1e-4,5e-4] [--epochs=1]

DATA is ../shared/data/finetune; NAME is what the table calls a model, MODEL its folder; a NAME that ends in "random"
takes architecture and vocabulary alone. Tasks are keys of task_sets.TASK_SETS; all of them if left out. Epochs other
than the usual ones stand in the name of the column.
"""

import argparse
import dataclasses
import functools
import json
import os
import pathlib
import statistics
import sys
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from benchmarks.alternation import names_out_of
from benchmarks.task_sets import MOST_SCORED, MOST_TRAINED, TASK_SETS
from electra_tf.config import FineTuningConfig, replace
from electra_tf.files import write_json_atomically
from electra_tf.model.model_folder import fingerprint
from electra_tf.tasks.finetune import finetune
from electra_tf.tasks.options import Trials
from electra_tf.tasks.run_models import model_folder_of
from electra_tf.tasks.statistics.trials import first_attempts
from electra_tf.tasks.usual_settings import usual_settings
from electra_tf.training.run_folder import RESULT_FILE, versions


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

    @functools.cached_property
    def fingerprint(self):
        """What tells the model from others, wherever it lies."""
        return fingerprint(model_folder_of(self.model))


@dataclasses.dataclass(frozen=True)
class Bench:
    """What all rows have in common.

    Attributes:
        data: folder that the task sets are read from.
        results: folder of the JSON files.
        tasks: name -> TaskSet, in the order of the rows.
        tuning: settings of FineTuningConfig, over those that are usual for a model; rate, seed and length go over them.
        learning_rates: what each arm tries.
        seeds: of the trials; far enough apart for a restart's seed to be no other trial's.
    """

    data: pathlib.Path
    results: pathlib.Path = pathlib.Path(__file__).resolve().parent / "results"
    tasks: dict = dataclasses.field(default_factory=lambda: TASK_SETS)
    tuning: dict = dataclasses.field(default_factory=lambda: {"precision": "auto", "bias_correction": True})
    learning_rates: tuple[float, ...] = (1e-4, 5e-4, 2e-3)
    seeds: tuple[int, ...] = (0, 100, 200)


def run_trial(key, arm, rate, seed, bench):
    """The numbers of one trial, from its file or from a new run; ends where the file is of another model."""
    path = bench.results / "trials" / "tasks" / f"{key}-{arm.name.replace(' ', '-')}-{rate:g}-{seed}.json"
    if not path.is_file():
        row = bench.tasks[key]
        config = replace(usual_settings(arm.model, task=f"glue/{key}"), **bench.tuning, learning_rate=rate, seed=seed,
                         sequence_length=row.sequence_length)
        with tempfile.TemporaryDirectory() as scratch:
            scratch, began = pathlib.Path(scratch), time.perf_counter()
            sets = row.write(bench.data, scratch)
            best = finetune(config, task=row.task, **sets, model=arm.model, output=scratch / "run", metric=row.metric,
                            random_weights=arm.is_random, trials=Trials(max_restarts=1)).best
            result = json.loads((scratch / "run" / RESULT_FILE).read_text(encoding="utf-8"))
            attempts = result["trials"]
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json_atomically(path, {
            "task": key, "arm": arm.name, "learning_rate": rate, "seed": seed, "epochs": config.epochs,
            "validation": best.validation[row.metric], "test": best.test[row.metric], "metrics": best.test,
            "collapsed": best.collapsed, "restarts": len(attempts) - 1,
            "test_without_restart": first_attempts(attempts)[0]["score"], "best_step": best.best_step,
            "settings": {"dropout": config.dropout, **bench.tuning}, "settings_hash": result.get("settings_hash"),
            "inputs": {**result.get("inputs", {}), "model": arm.fingerprint},
            "seeds": [attempt.get("seed") for attempt in attempts],
            "seconds": time.perf_counter() - began, "commit": versions().get("git_commit")})
    trial = json.loads(path.read_text(encoding="utf-8"))
    # Files of the first weeks do not name their model.
    if trial.get("inputs", {}).get("model", arm.fingerprint) != arm.fingerprint:
        sys.exit(f"{path} is of another model than {arm.model}; give the arm another name, or remove its files.")
    return trial


def run_row(key, arms, bench):
    """Runs what a row lacks, and writes the row, with the arms that it had before."""
    path = bench.results / f"tasks-{list(bench.tasks).index(key):02}-{key}.json"
    cells = json.loads(path.read_text(encoding="utf-8"))["row"] if path.is_file() else {"task": bench.tasks[key].what}
    for arm in arms:
        first = [run_trial(key, arm, rate, bench.seeds[0], bench) for rate in bench.learning_rates]
        rate = max(first, key=lambda trial: trial["validation"])["learning_rate"]
        trials = [run_trial(key, arm, rate, seed, bench) for seed in bench.seeds]
        cells |= _cells(arm.name, trials)
        print(key, arm.name, f"{rate:g}", [f"{100 * trial['test']:.1f}" for trial in trials], flush=True)
    write_json_atomically(path, {
        "table": "tasks", "row": cells, "machine": f"{os.cpu_count()} CPU cores",
        "caps": f"at most {MOST_TRAINED} training and {MOST_SCORED} test rows, {FineTuningConfig().epochs:g} epochs "
                "(RTE and STS-B 10) where the column names no others",
        "command": "python benchmarks/results_table.py ../shared/data/finetune NAME=MODEL ..."})


def _cells(name, trials):
    """The columns of one arm: its scores, their median, and what it would be without restarts, if there were any."""
    scores = [100 * trial["test"] for trial in trials]
    median = f"{statistics.median(scores):.1f}"
    if restarts := sum(trial["restarts"] for trial in trials):
        without = statistics.median(100 * trial["test_without_restart"] for trial in trials)
        median += f" ({restarts} restarted; without: {without:.1f})"
    return {name: scores, f"{name}, median": median}


def arms_of(options):
    """The arms that the command names; one with other epochs than the usual ones says so."""
    told = f", {options.epochs:g} epoch{'s' * (options.epochs != 1)}" if options.epochs else ""
    return [Arm(name + told, model) for name, model in (arm.split("=", 1) for arm in options.arms)]


def read_options(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=pathlib.Path, metavar="DATA")
    parser.add_argument("arms", nargs="+", metavar="NAME=MODEL")
    parser.add_argument("--tasks", type=names_out_of(TASK_SETS), default=list(TASK_SETS))
    parser.add_argument("--learning_rates", type=lambda text: tuple(map(float, text.split(","))),
                        default=Bench.learning_rates)
    parser.add_argument("--epochs", type=float, help="the usual ones if left out")
    return parser.parse_args(arguments)


def main():
    options = read_options()
    bench = Bench(options.data, learning_rates=options.learning_rates)
    if options.epochs:
        bench = dataclasses.replace(bench, tuning={**bench.tuning, "epochs": options.epochs})
    for key in options.tasks:
        run_row(key, arms_of(options), bench)


if __name__ == "__main__":
    main()
