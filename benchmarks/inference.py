"""The discriminator alone, and raw texts to labels, on every engine and in Hugging Face, in turns on the same machine.

    python benchmarks/inference.py --output=FILE.json [--preset=small] [--torch_python=.venv-torch/bin/python]

Texts go from str to label on both sides: tokenizing, padding and the network. Each variant is a process of its own
that sleeps while the others work; rounds in which other programs took more than 5 % of the machine are dropped and
counted. Before anything is timed, all variants answer the same inputs with the same weights; one whose answers differ
too much is shown and not compared. Prints a table and writes JSON with the seconds of every call. Engines that are not
installed are left out: `make engines` installs them.
"""

import argparse
import pathlib
import shlex
import statistics
import sys
import tempfile

import numpy as np

from benchmarks.alternation import ROOT, Worker, add_options, describe_machine, say, start_workers, take_turns
from benchmarks.best_of_sides import cells, ratio_rows, ratios
from benchmarks.inference_workloads import WORKLOADS
from benchmarks.markdown_table import markdown
from benchmarks.step_variants import Variant, find_tcmalloc
from electra_tf.config import PRESETS
from electra_tf.files import write_json_atomically

# Of probabilities, against Keras in float32.
TOLERANCES = {"float32": 1e-4, "bfloat16": 5e-2}
_REFERENCE = "ours, tensorflow float32"


def our_variants(folder):
    """Every engine in every precision that it has; the first is what the others are compared with."""
    command = sys.executable, ROOT / "benchmarks" / "inference_ours.py"
    return [Variant(f"ours, {engine} {precision}", True, precision, command,
                    ({"do": "build", "folder": folder, "engine": engine, "precision": precision},))
            for engine, precision in (("tensorflow", "float32"), ("onnx", "float32"), ("openvino", "float32"),
                                      ("openvino", "bfloat16"))]


def peer_variants(folder, torch_python):
    """Hugging Face, eager and compiled, with the faster allocator where the machine has it."""
    allocator = find_tcmalloc()
    environment = {"HF_HUB_OFFLINE": "1", **({"LD_PRELOAD": allocator} if allocator else {})}
    return [Variant(f"Hugging Face {precision}{', compiled' * is_compiled}{', tcmalloc' * bool(allocator)}", False,
                    precision, (torch_python, ROOT / "benchmarks" / "inference_hugging_face.py"),
                    ({"do": "build", "folder": folder, "precision": precision, "is_compiled": is_compiled},),
                    # Weights become constants of the program, packed as the matrix library likes them.
                    environment | ({"TORCHINDUCTOR_FREEZING": "1"} if is_compiled else {}))
            for precision in ("float32", "bfloat16") for is_compiled in (False, True)]


def largest_difference(answers, expected):
    """Of a probability, over all inputs of `answers`.

    >>> largest_difference({"ids": [[0.5]], "reviews": [0.1]}, {"ids": [[0.4]], "reviews": [0.1]})   # 0.1
    """
    return max(float(np.abs(np.subtract(answers[name], expected[name])).max()) for name in expected)


def timings(rounds):
    """Of each workload the calls' seconds in the rounds that were kept: median, 99th percentile, spread of the medians.

    Args:
        rounds: list of rounds of one variant, from `take_turns`.

    Returns:
        Dict of workload -> dict of median, p99, lowest and highest median of a round, calls; empty without a round.

    >>> timings([{"ids_1": [0.02, 0.04, 0.03], "is_kept": True}])["ids_1"]["median"]   # 0.03
    """
    kept, found = [turn for turn in rounds if turn["is_kept"]], {}
    for name in WORKLOADS if kept else ():
        seconds = [call for turn in kept for call in turn[name]]
        medians = [statistics.median(turn[name]) for turn in kept]
        found[name] = {"median": statistics.median(seconds), "p99": float(np.percentile(seconds, 99)),
                       "lowest": min(medians), "highest": max(medians), "calls": len(seconds)}
    return found


def table_rows(rows, found):
    """The table's rows: milliseconds of each variant, then the ratios.

    Args:
        rows: list of dict with name, differs, difference, kept, dropped and timings.
        found: name of the ratio -> what `ratios` returns.

    Returns:
        List of dict of column -> text.
    """
    def cell(timing, workload):
        if timing is None:
            return "-"
        tail = f" (p99 {1e3 * timing['p99']:.1f})" if workload.batch_size == 1 else ""
        return f"{1e3 * timing['median']:.1f}{tail}"

    lines = [{"variant, ms": row["name"] + ", differs" * row["differs"],
              **{workload.told: cell(row["timings"].get(name), workload) for name, workload in WORKLOADS.items()},
              "probabilities differ by": f"{row['difference']:.0e}",
              "rounds (dropped)": f"{row['kept']} ({row['dropped']})"} for row in rows]
    columns = {name: workload.told for name, workload in WORKLOADS.items()}
    return lines + ratio_rows(found, title="variant, ms", columns=columns)


def measure(options, folder):
    """(variants by name, answers of the start, rounds, failures) of all that could be started."""
    variants = [variant for variant in our_variants(str(folder)) + peer_variants(str(folder), options.torch_python)
                if variant.name == _REFERENCE or not any(word in variant.name for word in options.without)]
    with Worker("preparation", variants[0].command, log=folder / "preparation.log") as worker:
        worker.ask("prepare", folder=str(folder), preset=options.preset)
    calls = {name: options.calls if workload.batch_size == 1 else options.batch_calls
             for name, workload in WORKLOADS.items()}

    def prepare(worker, variant):
        answers = {"build": worker.ask(**variant.start[0]), "answers": worker.ask("answers")}
        for name in WORKLOADS:  # every shape once, before anything counts
            worker.ask("round", workload=name, calls=options.warm_up_calls)
        return answers

    with start_workers(variants, prepare, folder=folder, needed=[_REFERENCE], report=say) as started:
        rounds = take_turns(started.workers, lambda name: [
            {"do": "round", "workload": workload, "calls": number} for workload, number in calls.items()],
            rounds=options.rounds, most_other_load=options.most_other_load, report=say)
    return {variant.name: variant for variant in variants}, started.answers, rounds, started.failures


def summary(variants, started, rounds):
    """One dict for each variant that was measured."""
    expected, rows = started[_REFERENCE]["answers"], []
    for name, turns in rounds.items():
        variant, difference = variants[name], largest_difference(started[name]["answers"], expected)
        kept = sum(turn["is_kept"] for turn in turns)
        rows.append({"name": name, "is_ours": variant.is_ours, "precision": variant.precision,
                     "difference": difference, "differs": not difference <= TOLERANCES[variant.precision],
                     "kept": kept, "dropped": len(turns) - kept, "timings": timings(turns)})
    return rows


def read_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", choices=PRESETS, default="small")
    parser.add_argument("--calls", type=int, default=100, help="of each workload of one text, in a round")
    parser.add_argument("--batch_calls", type=int, default=4, help="of each workload of 32, in a round")
    parser.add_argument("--warm_up_calls", type=int, default=64, help="of each workload, before the first round")
    add_options(parser, rounds=7)
    return parser.parse_args()


def main():
    options = read_options()
    with tempfile.TemporaryDirectory() as folder:
        variants, started, rounds, failures = measure(options, pathlib.Path(folder))
    rows = summary(variants, started, rounds)
    found = {f"our best over the best peer, {told}": ratios(rows, precisions, WORKLOADS) for told, precisions in (
        ("float32", ("float32",)), ("bfloat16", ("bfloat16",)), ("any precision", tuple(TOLERANCES)))}
    lines = table_rows(rows, found)
    write_json_atomically(options.output, {
        "table": "inference", "rows": lines, "command": "python " + shlex.join(sys.argv),
        "machine": describe_machine(), "preset": options.preset, "ratios": found, "failures": failures,
        "started": {name: answer["build"] for name, answer in started.items()}, "variants": rows,
        "most_other_load": options.most_other_load, "rounds": rounds})
    print(markdown(cells(lines)))


if __name__ == "__main__":
    main()
