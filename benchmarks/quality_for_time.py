"""What 30 minutes of pretraining on this machine are worth: the best settings found, and the same time with a peer.

    python benchmarks/quality_for_time.py DATA WORK search
    python benchmarks/quality_for_time.py DATA WORK confirm --peer_python=.venv-torch/bin/python

DATA: ../shared/data; WORK: a folder for vocabulary, records and runs. `search` changes one setting after the other,
each time in runs of three minutes from the best so far, and keeps what scores best on the validation rows of SST-2 and
CoNLL-2003 (the mean). `confirm` trains the winner for 30 minutes with three seeds, fine-tunes it on both tasks, and
does the same with random weights and with Hugging Face's networks in PyTorch: the same text, vocabulary, sizes, batch,
masking and minutes, and the same fine-tuning, of converted weights. Their rate is the better of two in three minutes of
their own. What needs more than those networks, what tables start from, the generator first, shorter rows first and
shared rows, is ours alone.

A queue that can be stopped at any moment: each run leaves one file in results/trials/quality, and what is there is not
run again. A run of ours that was cut short goes on with the time that it has left, one of the peer starts again. The
clock begins when the libraries are loaded and ends with the last update; reading and compiling count, on both sides.
"""

import argparse
import dataclasses
import json
import os
import pathlib
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from benchmarks.step_variants import find_tcmalloc
from benchmarks.task_sets import MOST_SCORED, MOST_TRAINED, TASK_SETS
from electra_tf.config import FineTuningConfig, preset, replace, with_overrides
from electra_tf.files import write_json_atomically
from electra_tf.model.convert_checkpoint import convert_checkpoint
from electra_tf.records.builder import build_pretraining_data
from electra_tf.records.dataset import pretraining_dataset
from electra_tf.records.manifest import read_manifest
from electra_tf.tasks.finetune import finetune
from electra_tf.text.vocabulary import Vocabulary
from electra_tf.training.distribution import strategy_for
from electra_tf.training.pretrain import new_pretrainer, pretrain
from electra_tf.training.run_folder import versions

ROOT = pathlib.Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
THEIR_SIDE = ROOT / "benchmarks" / "quality_for_time_hugging_face.py"
VOCABULARY_SIZE = 8192
_NEVER = 10**9  # updates: the last evaluation, which does not count, is enough
_CHECKPOINT_STEPS = 200
# What the tables of words and positions start from, and the rate of the words'.
_STARTS = ("first_embeddings", "optimizer.word_embeddings_rate", "first_positions")
STARTS = {"held_waves": ("cooccurrence", 0.0, "sinusoids"), "held": ("cooccurrence", 0.0, "random"),
          "random": ("random", 1.0, "random"), "counted_waves": ("cooccurrence", 1.0, "sinusoids")}


@dataclasses.dataclass(frozen=True)
class Candidate:
    """Settings of a run.

    Attributes:
        size: a preset.
        start: key of STARTS.
        lengths: tokens of a row; of each for an equal part of the time.
        packing: of the records.
        tokens: in the rows of one update.
        learning_rate, mask_rate, generator_size: as in PretrainingConfig.
        generator_first: share of the time in which a generator as large as the discriminator is trained alone; both
            start from it then.
    """

    size: str
    start: str
    lengths: tuple[int, ...]
    packing: str
    tokens: int
    learning_rate: float
    mask_rate: float
    generator_size: float
    generator_first: float

    @property
    def name(self):
        values = dataclasses.asdict(self) | {"lengths": "+".join(map(str, self.lengths))}
        return "-".join(f"{value:g}" if isinstance(value, float) else str(value) for value in values.values())

    def config(self, length, *, seed, settings):
        """PretrainingConfig of the rows of one length, without its end."""
        start = [f"{name}={value}" for name, value in zip(_STARTS, STARTS[self.start], strict=True)]
        return with_overrides(preset(self.size), [
            "sequence_length=None", f"batch_size={self.tokens // length}", f"seed={seed}",
            f"optimizer.learning_rate={self.learning_rate}", f"masking.mask_rate={self.mask_rate}",
            f"model.generator_size={1.0 if self.generator_first else self.generator_size}", *start,
            f"evaluation_steps={_NEVER}", f"checkpoint_steps={_CHECKPOINT_STEPS}", "keep_checkpoints=1", *settings])

    def stages(self, seconds):
        """What is trained one after the other: (settings of the stage, length of its rows, its seconds)."""
        alone = [(("discriminator_weight=0",), self.lengths[0], seconds * self.generator_first)]
        share = seconds * (1 - self.generator_first) / len(self.lengths)
        return (alone if self.generator_first else []) + [((), length, share) for length in self.lengths]


# In the order in which they are tried; the search begins with the first of each.
SEARCH = {"size": ("tiny", "mini", "small"), "start": tuple(STARTS), "learning_rate": (2.5e-4, 5e-4, 1e-3, 2e-3),
          "generator_size": (0.5, 0.25, 1.0), "generator_first": (0.0, 0.4), "tokens": (4096, 2048, 8192),
          "lengths": ((128,), (64,), (64, 128)), "packing": ("carry_over", "documents", "full_sequence"),
          "mask_rate": (0.15, 0.25)}
PEER_RATES = (2.5e-4, 5e-4)
FIRST = Candidate(**{name: choices[0] for name, choices in SEARCH.items()})


@dataclasses.dataclass(frozen=True)
class Bench:
    """What all runs have in common.

    Attributes:
        work: folder of vocabulary, records and runs.
        corpus: what the records are built from.
        data: folder that the task sets are read from.
        results: folder of the JSON files.
        settings: of PretrainingConfig, over those of every candidate.
        tasks: name -> TaskSet.
        tuning: FineTuningConfig, but for length and seed.
        proxy_seconds, seconds: time of a run that searches and of one that confirms.
        steps: updates in place of time, to try the queue.
        seeds: of the runs that confirm.
        peer_python: command of an interpreter that has torch and transformers.
        peer: "precision" (float32, or bfloat16 for autocast) and "is_compiled", the fastest of training_step.py.
    """

    work: pathlib.Path
    corpus: str
    data: pathlib.Path
    results: pathlib.Path = RESULTS
    settings: tuple[str, ...] = ()
    tasks: dict = dataclasses.field(default_factory=lambda: {name: TASK_SETS[name] for name in ("sst2", "conll2003")})
    tuning: FineTuningConfig = FineTuningConfig(learning_rate=1e-3, bias_correction=True, precision="auto")
    proxy_seconds: float = 180
    seconds: float = 1800
    steps: int | None = None
    seeds: tuple[int, ...] = (0, 1, 2)
    peer_python: str = ".venv-torch/bin/python"
    peer: dict = dataclasses.field(default_factory=lambda: {"precision": "bfloat16", "is_compiled": False})


def vocabulary_of(bench):
    """The vocabulary of all runs, learned once."""
    folder = bench.work / "vocabulary"
    if not folder.is_dir():
        Vocabulary.learn(bench.corpus, size=VOCABULARY_SIZE).save(folder)
    return Vocabulary.load(folder)


def records_of(bench, packing, length):
    """Folder of the records of one packing and length, built once."""
    folder = bench.work / f"records-{packing}-{length}"
    if not folder.is_dir():
        build_pretraining_data(bench.corpus, vocabulary=vocabulary_of(bench), sequence_length=length, packing=packing,
                               output=folder, workers=os.cpu_count())
    return folder


def pretrain_ours(candidate, seconds, *, seed, bench, folder):
    """Trains a candidate, one stage after the other: {"model", "updates"}."""
    last, updates = None, 0
    for number, (changes, length, share) in enumerate(candidate.stages(seconds)):
        config = candidate.config(length, seed=seed, settings=(*bench.settings, *changes))
        config = replace(config, **{"time_budget": f"{share:.3f}s"} if bench.steps is None else (
            {"train_steps": bench.steps}))
        result = pretrain(config, data=records_of(bench, candidate.packing, length), output=folder / f"stage-{number}",
                          init_from=last)
        if not result.is_finished:
            sys.exit(128 + result.stopped_by)
        last, updates = result.folder, updates + result.step
    return {"model": last, "updates": updates}


def pretrain_nothing(candidate, seconds, *, seed, bench, folder):
    """Random weights, for what fine-tuning reaches by itself."""
    write_random_networks(candidate, seed=seed, bench=bench, folder=folder)
    return {"model": folder / "discriminator", "updates": 0}


def write_random_networks(candidate, *, seed, bench, folder):
    """Model folders of both networks with random weights, and the settings of the rows of the last length."""
    length, vocabulary = candidate.lengths[-1], vocabulary_of(bench)
    config = dataclasses.replace(candidate, start="random").config(length, seed=seed, settings=bench.settings)
    config = replace(config, sequence_length=length, model=replace(config.model, vocabulary_size=vocabulary.size))
    shutil.rmtree(folder, ignore_errors=True)
    pretrainer = new_pretrainer(config, vocabulary, strategy_for("one_device"))
    for network in (pretrainer.discriminator, pretrainer.generator):
        network.save_to_preset(folder / network.name, vocabulary=vocabulary)
    return config


def pretrain_theirs(candidate, seconds, *, seed, bench, folder):
    """Trains Hugging Face's networks from our random weights on rows of the last length."""
    shutil.rmtree(folder, ignore_errors=True)
    config = write_random_networks(candidate, seed=seed, bench=bench, folder=folder / "ours")
    for network in ("discriminator", "generator"):
        convert_checkpoint(folder / "ours" / network, folder / network, to="huggingface")
    length, vocabulary = config.sequence_length, vocabulary_of(bench)
    records = records_of(bench, "carry_over", length)
    rows = read_manifest(records).splits["train"].rows
    batch = next(pretraining_dataset(records, batch_size=rows, seed=seed).as_numpy_iterator())
    np.savez(folder / "rows.npz", **{name: batch[name] for name in ("token_ids", "segment_ids", "padding_mask")})
    optimizer, masking = config.optimizer, config.masking
    write_json_atomically(folder / "settings.json", {
        "folder": str(folder), "seconds": seconds, "steps": bench.steps, "seed": seed, "batch_size": config.batch_size,
        **bench.peer, "learning_rate": optimizer.learning_rate, "warmup_steps": optimizer.warmup_steps,
        "weight_decay": optimizer.weight_decay, "clip_norm": optimizer.clip_norm,
        "generator_weight": config.generator_weight, "discriminator_weight": config.discriminator_weight,
        "dropout": config.model.hidden_dropout,
        "special_ids": {name: getattr(vocabulary, f"{name}_id") for name in ("cls", "sep", "mask")},
        "masking": {"mask_rate": masking.mask_rate, "mask_symbol_rate": masking.mask_symbol_rate,
                    "slots": masking.max_masked(length)}})
    allocator = find_tcmalloc()
    environment = {**os.environ, **({"LD_PRELOAD": allocator} if allocator else {}), "HF_HUB_OFFLINE": "1",
                   "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))}
    subprocess.run([*shlex.split(bench.peer_python), THEIR_SIDE, folder / "settings.json", folder / "answer.json"],
                   check=True, env=environment)
    return json.loads((folder / "answer.json").read_text(encoding="utf-8")) | {"model": folder / "trained"}


SIDES = {"ours": pretrain_ours, "hugging-face": pretrain_theirs, "nothing": pretrain_nothing}


def run_trial(side, candidate, seconds, *, seed, bench):
    """Pretraining and fine-tuning of one seed, from its file or from new runs.

    Returns:
        Dict: updates, and scores by task, each with "validation" and "test" in per cent.
    """
    name = f"{side}-{seconds / 60:g}m-{candidate.name}-{seed}"
    path = bench.results / "trials" / "quality" / f"{name}.json"
    if path.is_file():
        return json.loads(path.read_text(encoding="utf-8"))
    folder = bench.work / "runs" / name
    trained = SIDES[side](candidate, seconds, seed=seed, bench=bench, folder=folder)
    scores = {task: tune(trained["model"], task, seed=seed, bench=bench) for task in bench.tasks}
    result = {"side": side, "candidate": dataclasses.asdict(candidate), "seconds": seconds, "seed": seed,
              "updates": trained["updates"], "scores": scores, "settings": list(bench.settings),
              **({"peer": bench.peer | {"has_tcmalloc": bool(find_tcmalloc())}} if side == "hugging-face" else {}),
              "machine": f"{os.cpu_count()} CPU cores", "commit": versions().get("git_commit")}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json_atomically(path, result)
    shutil.rmtree(folder)
    return result


def tune(model, task, *, seed, bench):
    """The scores of a model after fine-tuning on one task, in per cent."""
    row = bench.tasks[task]
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        config = replace(bench.tuning, seed=seed, sequence_length=row.sequence_length)
        best = finetune(config, task=row.task, **row.write(bench.data, scratch), model=model, output=scratch / "run",
                        metric=row.metric).best
    return {"validation": 100 * best.validation[row.metric], "test": 100 * best.test[row.metric]}


def search(bench):
    """The candidate that the runs of three minutes lead to; each setting's best stays for the settings after it.

    Writes a row of the table for each setting.
    """
    best = FIRST
    for number, (name, choices) in enumerate(SEARCH.items()):
        results = {}
        for choice in choices:
            candidate = dataclasses.replace(best, **{name: choice})
            results[choice] = run_trial("ours", candidate, bench.proxy_seconds, seed=bench.seeds[0], bench=bench)
            print(f"{name}={choice}: {_mean(results[choice]):.1f}, {results[choice]['updates']} updates", flush=True)
        best = dataclasses.replace(best, **{name: max(results, key=lambda choice: _mean(results[choice]))})
        write_json_atomically(bench.results / f"quality-search-{number}.json", {
            "table": "quality search", "row": {
                "setting": name.replace("_", " "), "kept": _told(getattr(best, name)),
                "mean of both scores, updates": "; ".join(
                    f"{_told(choice)}: {_mean(result):.1f}, {result['updates']:,}"
                    for choice, result in results.items())},
            "machine": f"{os.cpu_count()} CPU cores",
            "command": "python benchmarks/quality_for_time.py ../shared/data WORK search"})
    return best


def _mean(result):
    return statistics.mean(task["validation"] for task in result["scores"].values())


def _told(choice):
    """A choice as the table shows it."""
    if isinstance(choice, tuple):
        return " then ".join(map(str, choice))
    return f"{choice:g}" if isinstance(choice, float) else str(choice).replace("_", " ")


def at_their_rate(winner, bench):
    """The winner with the rate of PEER_RATES that serves the peer best in a run of three minutes."""
    candidates = [dataclasses.replace(winner, learning_rate=rate) for rate in PEER_RATES]
    return max(candidates, key=lambda candidate: _mean(
        run_trial("hugging-face", candidate, bench.proxy_seconds, seed=bench.seeds[0], bench=bench)))


def confirm(bench):
    """Trains the winner for the whole time on both sides, seed by seed, and writes a row of the table for each."""
    winner = search(bench)
    candidates = {"ours": winner, "hugging-face": at_their_rate(winner, bench), "nothing": winner}
    told = {"ours": "here", "hugging-face": "Hugging Face in PyTorch", "nothing": "none, random weights"}
    trials = {side: [] for side in SIDES}
    for seed in bench.seeds:
        for side in SIDES:
            seconds = 0 if side == "nothing" else bench.seconds
            trials[side].append(run_trial(side, candidates[side], seconds, seed=seed, bench=bench))
            write_json_atomically(bench.results / f"quality-for-time-{side}.json", {
                "table": "quality for time", "row": {
                    "pretraining": told[side], "minutes": f"{seconds / 60:g}",
                    "rate": f"{candidates[side].learning_rate:g}" if seconds else "",
                    "updates": f"{statistics.median(trial['updates'] for trial in trials[side]):,.0f}",
                    **{row.what: [trial["scores"][task]["test"] for trial in trials[side]]
                       for task, row in bench.tasks.items()}},
                "candidate": dataclasses.asdict(candidates[side]), "machine": f"{os.cpu_count()} CPU cores",
                "caps": f"at most {MOST_TRAINED} training and {MOST_SCORED} test rows, {bench.tuning.epochs:g} epochs",
                "command": "python benchmarks/quality_for_time.py ../shared/data WORK confirm"})
    return trials


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("work", type=pathlib.Path)
    parser.add_argument("part", choices=("search", "confirm"))
    parser.add_argument("--set", action="append", default=[], help="setting of all our runs, as precision=bfloat16")
    parser.add_argument("--seeds", type=int, default=len(Bench.seeds), help="how many, from 0 on")
    parser.add_argument("--peer_python", default=Bench.peer_python)
    parser.add_argument("--peer_precision", default="bfloat16", choices=("float32", "bfloat16"))
    parser.add_argument("--peer_compiled", action="store_true")
    given = parser.parse_args()
    bench = Bench(work=given.work, corpus=str(given.data / "pretrain" / "wiki_en" / "train-*.txt.xz"),
                  data=given.data / "finetune", settings=tuple(given.set), seeds=tuple(range(given.seeds)),
                  peer_python=given.peer_python,
                  peer={"precision": given.peer_precision, "is_compiled": given.peer_compiled})
    bench.work.mkdir(parents=True, exist_ok=True)
    print((search if given.part == "search" else confirm)(bench))


if __name__ == "__main__":
    main()
