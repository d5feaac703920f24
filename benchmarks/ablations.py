"""The ablation table of docs/recipes.md: preset tiny under each objective, the same records, seeds and processor time.

A queue that can be stopped at any moment: each row is one file in results/, in which each seed is one number, and what
is there is not run again; a run that was cut short goes on from its checkpoint in WORK.

    python benchmarks/ablations.py RECORDS WORK [NAME ...]        RECORDS: rows of 64 tokens; NAME: a key of ABLATIONS
"""

import dataclasses
import json
import os
import pathlib
import sys
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from electra_tf.config import FineTuningConfig, preset, replace, with_overrides
from electra_tf.files import write_json_atomically
from electra_tf.tasks.finetune import finetune
from electra_tf.tasks.options import TextClassification
from electra_tf.training.pretrain import pretrain
from electra_tf.training.run_folder import RESULT_FILE, versions

ROOT = pathlib.Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
SEEDS = (0, 1, 2)
MINUTES = 3
PROBE_STEPS = (10, 60)  # updates of two runs: their difference tells how many fit into the minutes
POLARITY = ROOT / "electra_tf" / "sample_data" / "sentence_polarity"
LABELLED = {"train": POLARITY / "train.tsv.gz", "validation": POLARITY / "dev.tsv", "test": POLARITY / "test.tsv"}


@dataclasses.dataclass(frozen=True)
class Ablation:
    """One row: what it shows, the settings that differ from preset tiny, and those of a first stage, if it has two."""

    what: str
    settings: tuple[str, ...] = ()
    first_stage: tuple[str, ...] | None = None


def _set(*words):
    return tuple(f"objective.{word}" for word in words)


_STAGES = ("model.generator_size=1", "objective.shared=nothing")
ABLATIONS = {
    "electra": Ablation("ELECTRA"),
    "electra_15": Ablation("discriminator on masked tokens only", _set("name=electra_15")),
    "mlm": Ablation("masked language model alone (BERT)", _set("name=mlm")),
    "replace_mlm": Ablation("replace MLM", _set("name=replace_mlm")),
    "all_tokens_mlm": Ablation("all-tokens MLM", _set("name=all_tokens_mlm")),
    "electric": Ablation("Electric", _set("name=electric", "generator=two_tower")),
    "two_tower": Ablation("two-tower generator", _set("generator=two_tower")),
    "uniform": Ablation("random replacement", _set("generator=uniform")),
    "adversarial": Ablation("adversarial generator", _set("name=adversarial")),
    "two_stage": Ablation("two stages", (*_STAGES, "objective.freeze_generator=true"),
                          (*_STAGES, "discriminator_weight=0")),
    "token_position": Ablation("token and position embeddings shared", _set("shared=token_position")),
    "nothing": Ablation("nothing shared", _set("shared=nothing")),
    "everything": Ablation("everything shared", _set("shared=everything")),
    "small_generator": Ablation("generator a quarter as wide", ("model.generator_size=0.25",)),
    "shallow_generator": Ablation("generator of half the layers", ("model.generator_depth=0.5",)),
    "temperature": Ablation("temperature 2", ("masking.temperature=2",)),
    "disallow_correct": Ablation("never the original token", ("masking.disallow_correct=true",)),
    "label_smoothing": Ablation("label smoothing 0.1", _set("label_smoothing=0.1")),
    "reordering": Ablation("5 % of places reordered", _set("reorder_rate=0.05")),
    "sinusoidal": Ablation("sinusoidal positions", ("model.position_type=sinusoidal",)),
    "relative": Ablation("relative positions", ("model.position_type=relative",)),
    "embedding_gate": Ablation("sigmoid gate on the embeddings", ("model.embedding_gate=true",)),
    "drop_connect": Ablation("DropConnect 0.1", ("model.drop_connect=0.1",)),
    "original_masking": Ablation("the original's masking", (
        "masking.mask_sampling=with_replacement", "masking.repeated_positions=average")),
}


@dataclasses.dataclass(frozen=True)
class Bench:
    """What all rows have in common.

    Attributes:
        records: folder of records.
        work: folder of the runs.
        results: folder of the JSON files.
        labelled: paths by "train", "validation" and "test".
        base: settings that go over preset tiny in every row.
        tuning: FineTuningConfig, but for the seed.
        minutes: of processor time, for the pretraining of each seed.
        steps: updates in place of minutes, or None.
        seeds: seeds of each row.
    """

    records: pathlib.Path
    work: pathlib.Path
    results: pathlib.Path = RESULTS
    labelled: dict = dataclasses.field(default_factory=lambda: LABELLED)
    base: tuple[str, ...] = ()
    tuning: FineTuningConfig = FineTuningConfig(sequence_length=64, epochs=3.0)
    minutes: float = MINUTES
    steps: int | None = None
    seeds: tuple[int, ...] = SEEDS


def run_row(name, bench):
    """Trains what a row's file lacks, seed by seed, and writes the file after each.

    Args:
        name: key of ABLATIONS.
        bench: Bench.

    Returns:
        The content of the file.

    >>> run_row("mlm", Bench(records=pathlib.Path("records"), work=pathlib.Path("work")))["row"]["test accuracy, %"]
    """
    path = bench.results / f"ablation-{name}.json"
    done = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"trials": {}}
    for seed in bench.seeds:
        if str(seed) not in done["trials"]:
            trials = {**done["trials"], str(seed): run_trial(name, bench, seed=seed)}
            done = _result(ABLATIONS[name], trials)
            write_json_atomically(path, done)
    return done


def _result(ablation, trials):
    accuracies = [100 * trial["accuracy"] for trial in trials.values()]
    updates = [trial["updates"] for trial in trials.values()]
    return {"table": "ablations", "row": {"variant": ablation.what, "updates": float(sum(updates) / len(updates)),
                                          "test accuracy, %": accuracies},
            "command": "python benchmarks/ablations.py RECORDS WORK", "machine": f"{os.cpu_count()} CPU cores",
            "commit": versions().get("git_commit"), "settings": list(ablation.settings), "trials": trials}


def run_trial(name, bench, *, seed):
    """One seed of a row: pretraining, fine-tuning, and what both reached."""
    ablation, folder = ABLATIONS[name], bench.work / f"{name}-{seed}"
    stages = [stage for stage in (ablation.first_stage, ablation.settings) if stage is not None]
    last, updates = None, 0
    for number, stage in enumerate(stages):
        config = with_overrides(preset("tiny"), [*bench.base, "sequence_length=None", f"seed={seed}", *stage])
        steps = bench.steps or _steps_that_fit(config, bench, name, number)
        config = replace(config, train_steps=max(1, steps // len(stages)))
        config = replace(config, optimizer=replace(config.optimizer, warmup_steps=config.train_steps // 10))
        output = folder / f"stage-{number}"
        result = pretrain(config, data=bench.records, output=output, init_from=last)
        if not result.is_finished:
            sys.exit(128 + result.stopped_by)
        last, updates = output, updates + config.train_steps
    return {"updates": updates, "pretraining": result.metrics, "accuracy": _accuracy(last, folder / "tuned", bench,
                                                                                    seed=seed)}


def _steps_that_fit(config, bench, name, number):
    """Updates in the row's minutes of processor time, measured once for all of its seeds; other load does not count."""
    path = bench.work / f"{name}-probe-{number}.json"
    if not path.is_file():
        spent = [_processor_seconds(config, bench, steps) for steps in PROBE_STEPS]
        write_json_atomically(path, {"seconds": (spent[1] - spent[0]) / (PROBE_STEPS[1] - PROBE_STEPS[0])})
    return int(60 * bench.minutes / json.loads(path.read_text(encoding="utf-8"))["seconds"])


def _processor_seconds(config, bench, steps):
    """What a run of some updates takes, with all that comes before the first."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.process_time()
        pretrain(replace(config, train_steps=steps, seed=0), data=bench.records, output=pathlib.Path(folder) / "run")
        return time.process_time() - began


def _accuracy(run, output, bench, *, seed):
    if not (output / RESULT_FILE).is_file():
        finetune(replace(bench.tuning, seed=seed), task=TextClassification(("sentence",), "label"), **bench.labelled,
                 model=run, output=output)
    return json.loads((output / RESULT_FILE).read_text(encoding="utf-8"))["median"]


def main(records, work, *names):
    bench = Bench(records=pathlib.Path(records), work=pathlib.Path(work))
    for number in range(len(SEEDS)):  # the whole table of one seed first
        for name in names or ABLATIONS:
            run_row(name, dataclasses.replace(bench, seeds=SEEDS[:number + 1]))


if __name__ == "__main__":
    main(*sys.argv[1:])
