"""From labelled texts to a tuned classifier, and from reviews to labels: this package and Hugging Face in turns.

    python benchmarks/finetuning_time.py ../shared/data/finetune --output=FILE.json [--preset=small] [--rows=0]
        [--predicted_rows=0] [--torch_python=.venv-torch/bin/python]

Trains one epoch of SST-2, then labels the test reviews of IMDB; the time holds tokenizing, tracing or compiling, and
every update. Both sides begin with the same weights, put texts of similar length together and pad a batch to its
longest text. Each variant is a process of its own that sleeps while the others work. Before anything is timed, the
losses of one batch are compared; where they differ, the exit status is 1. Prints a table and writes JSON with every
round.
"""

import argparse
import itertools
import pathlib
import shlex
import sys
import tempfile

from benchmarks.alternation import (
    ROOT,
    Worker,
    add_options,
    describe_machine,
    median_and_spread,
    say,
    start_workers,
    take_turns,
)
from benchmarks.best_of_sides import cells, ratio_rows, ratios
from benchmarks.finetuning_time_data import SETTINGS, write_data
from benchmarks.markdown_table import markdown
from benchmarks.step_variants import Variant, find_tcmalloc
from electra_tf.config import PRESETS
from electra_tf.files import write_json_atomically

TOLERANCES = {"float32": 1e-3, "bfloat16": 2e-2}  # relative, of the loss of one batch
COLUMNS = {"training": "an epoch of SST-2, s", "prediction": "IMDB, s", "both": "together, s"}


def variants_of(folder, torch_python):
    """This package in both precisions, and Hugging Face eager and compiled in both (bfloat16 is autocast)."""
    allocator = find_tcmalloc()
    environment = {"HF_HUB_OFFLINE": "1", **({"LD_PRELOAD": allocator} if allocator else {})}
    common = {"do": "build", "folder": folder, "settings": SETTINGS}
    ours = [Variant(f"ours {precision}", True, precision,
                    (sys.executable, ROOT / "benchmarks" / "finetuning_time_ours.py"),
                    ({**common, "precision": precision},)) for precision in TOLERANCES]
    peers = [Variant(f"Hugging Face {precision}{', compiled' * is_compiled}{', tcmalloc' * bool(allocator)}", False,
                     precision, (torch_python, ROOT / "benchmarks" / "finetuning_time_hugging_face.py"),
                     ({**common, "precision": precision, "is_compiled": is_compiled},), environment)
             for precision in TOLERANCES for is_compiled in (False, True)]
    return ours + peers


def differing(losses, precision_of):
    """A sentence for each variant whose loss is not that of the first.

    >>> differing({"a": 0.7, "b": 0.8}, {"a": "float32", "b": "float32"})   # ['b: the loss is 0.8, expected 0.7']
    """
    expected = next(iter(losses.values()))
    return [f"{name}: the loss is {loss:.6g}, expected {expected:.6g}" for name, loss in losses.items()
            if not abs(loss - expected) <= TOLERANCES[precision_of[name]] * abs(expected)]


def measure(options, folder):
    """(variants by name, losses of one batch, rounds, failures)."""
    variants = [variant for variant in variants_of(str(folder), options.torch_python)
                if not any(word in variant.name for word in options.without)]
    write_data(options.data, folder, rows=options.rows, predicted_rows=options.predicted_rows)
    with Worker("preparation", (sys.executable, ROOT / "benchmarks" / "inference_ours.py"),
                log=folder / "preparation.log") as worker:
        worker.ask("prepare", folder=str(folder), preset=options.preset)

    def prepare(worker, variant):
        worker.ask(**variant.start[0])
        return worker.ask("loss")["loss"]

    with start_workers(variants, prepare, folder=folder, report=say) as started:
        rounds = take_turns(started.workers, lambda name: [{"do": "train"}, {"do": "predict"}], rounds=options.rounds,
                            most_other_load=options.most_other_load, report=say)
    return {variant.name: variant for variant in variants}, started.answers, rounds, started.failures


def summary(variants, rounds):
    """One dict for each variant that was measured."""
    for turn in itertools.chain.from_iterable(rounds.values()):
        turn["both"] = turn["training"] + turn["prediction"]
    return [{"name": name, "is_ours": variants[name].is_ours, "precision": variants[name].precision,
             "timings": {time: median_and_spread(turns, time) for time in COLUMNS},
             "trained_tokens": turns[0]["trained_tokens"], "accuracy": turns[-1]["accuracy"]}
            for name, turns in rounds.items()]


def table_rows(rows, found):
    """The table's rows: seconds of each variant, then the ratios; list of dict of column -> text."""
    def cell(time):
        if time["median"] is None:
            return "-"
        return f"{time['median']:.1f} ({time['lowest']:.1f}-{time['highest']:.1f})"

    lines = [{"variant": row["name"], **{column: cell(row["timings"][time]) for time, column in COLUMNS.items()},
              "tokens trained on, with padding": f"{row['trained_tokens']:,}",
              "rounds (dropped)": "{kept_rounds} ({dropped_rounds})".format_map(row["timings"]["both"])}
             for row in rows]
    return lines + ratio_rows(found, title="variant", columns=COLUMNS)


def read_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=pathlib.Path, help="folder that holds glue/SST-2 and imdb")
    parser.add_argument("--preset", choices=PRESETS, default="small")
    parser.add_argument("--rows", type=int, default=0, help="sentences to train on; 0: all")
    parser.add_argument("--predicted_rows", type=int, default=0, help="reviews to label; 0: all")
    add_options(parser, rounds=3)
    return parser.parse_args()


def main():
    options = read_options()
    with tempfile.TemporaryDirectory() as folder:
        variants, losses, rounds, failures = measure(options, pathlib.Path(folder))
    wrong = differing(losses, {name: variant.precision for name, variant in variants.items()})
    rows = summary(variants, rounds)
    found = {} if wrong else {
        f"our best over the best peer, {told}": ratios(rows, precisions, COLUMNS)
        for told, precisions in (("float32", ("float32",)), ("any precision", tuple(TOLERANCES)))}
    lines = table_rows(rows, found)
    write_json_atomically(options.output, {
        "table": "fine-tuning time", "rows": lines, "command": "python " + shlex.join(sys.argv),
        "machine": describe_machine(), "preset": options.preset, "settings": SETTINGS, "ratios": found,
        "losses": losses, "losses_differ": wrong, "failures": failures, "variants": rows,
        "most_other_load": options.most_other_load, "rounds": rounds})
    if wrong:
        sys.exit("The two sides do not do the same work, so there are no ratios: " + "; ".join(wrong) + ".")
    print(markdown(cells(lines)))


if __name__ == "__main__":
    main()
