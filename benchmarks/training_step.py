"""Whole pretraining steps of this package and of its peers, in turns on the same machine.

    python benchmarks/training_step.py --preset=small --sequence_length=128 --batch_size=16 \
        --peers=huggingface,keras_hub --output=FILE.json [--torch_python=.venv-torch/bin/python]

A step is forward, backward, clipping, optimizer, masking and sampling, dropout on. Each variant is a process of its own
that sleeps while the others work. Rounds in which other programs took more than 5 % of the machine are dropped and
counted. Before anything is timed, every whole step computes the losses of one batch with the same weights, masked
positions and samples, dropout off; where they differ there are no ratios, and the exit status is 1. Prints a table and
writes JSON that holds every round.
"""

import argparse
import pathlib
import shlex
import sys
import tempfile

from benchmarks.alternation import (
    Worker,
    add_options,
    best_instructions,
    describe_machine,
    median_and_spread,
    names_out_of,
    say,
    start_workers,
    take_turns,
)
from benchmarks.markdown_table import markdown
from benchmarks.model_flops import script_flops_of_a_step, training_step_flops
from benchmarks.step_variants import (
    MATMUL_PRECISIONS,
    PEERS,
    Size,
    native_precisions,
    our_variants,
    prepare_request,
    variants_of,
)
from electra_tf.config import PRESETS
from electra_tf.files import write_json_atomically

# Relative, of losses and gradient norm; bfloat16 has 8 bits, and another sample here and there.
TOLERANCES = {"float32": 1e-3, "bfloat16": 2e-2}


def differing(losses, precision_of):
    """Variants whose losses are not those of our float32 step.

    Args:
        losses: name of a variant -> dict of numbers; the first is what the others are compared with.
        precision_of: name of a variant -> "float32" or "bfloat16".

    Returns:
        List of sentences.

    >>> differing({"a": {"loss": 1.0}, "b": {"loss": 1.01}}, {"a": "float32", "b": "float32"})   # ['b: loss is ...']
    """
    expected = next(iter(losses.values()))
    return [f"{name}: {kind} is {found[kind]:.6g}, expected {value:.6g}" for name, found in losses.items()
            for kind, value in expected.items()
            if not abs(found[kind] - value) <= TOLERANCES[precision_of[name]] * abs(value)]


def ratio(rows, precisions):
    """How much faster our best step is than the best whole step of a peer, both out of these precisions.

    Args:
        rows: list of dict with is_ours, is_whole_step, precision and seconds (median, or None).
        precisions: those that count.

    Returns:
        float, or None where one of the two was not measured.

    >>> ratio([{"is_ours": True, "precision": "float32", "is_whole_step": True, "seconds": 1.0}, ...], ["float32"])
    """
    best = {is_ours: min((row["seconds"] for row in rows if row["is_ours"] == is_ours and row["is_whole_step"]
                          and row["precision"] in precisions and row["seconds"]), default=None)
            for is_ours in (True, False)}
    return best[False] / best[True] if best[True] and best[False] else None


def matmul_peaks(variants, rounds):
    """The best rate of large products in each precision over all libraries: {precision: {flops_per_second, by}}."""
    found = {}
    for variant in variants:
        if variant.measures_peak and variant.name in rounds:
            peak = median_and_spread(rounds[variant.name], "peak")["median"]
            if peak and peak > found.get(variant.precision, {}).get("flops_per_second", 0):
                found[variant.precision] = {"flops_per_second": peak, "by": variant.name}
    return found


def summary(variants, rounds, *, size, flops, peaks):
    """One dict for each variant that was measured."""
    rows = []
    for variant in variants:
        if variant.name not in rounds:
            continue
        seconds = median_and_spread(rounds[variant.name], "seconds")
        median, peak = seconds["median"], peaks.get(variant.precision)
        rows.append({
            "name": variant.name, "is_ours": variant.is_ours, "precision": variant.precision,
            "is_whole_step": variant.is_whole_step, "seconds": median, **{
                key: seconds[key] for key in ("lowest", "highest", "kept_rounds", "dropped_rounds")},
            "tokens_per_second": median and size.batch_size * size.sequence_length / median,
            "fraction_of_peak": flops / median / peak["flops_per_second"] if median and peak and variant.is_whole_step
            else None,
            "peak_memory": max(turn["peak_memory"] for turn in rounds[variant.name])})
    return rows


def table(rows, *, with_memory):
    """Markdown of `summary`."""
    header = ["variant", "s/step, median (range)", "tokens/s", "share of the matmul peak", "rounds (dropped)"]
    lines = [[*header, *(["peak memory, GB"] if with_memory else [])]]
    for row in rows:
        is_measured = row["seconds"] is not None
        lines.append([
            row["name"], f"{row['seconds']:.3f} ({row['lowest']:.3f}-{row['highest']:.3f})" if is_measured else "-",
            f"{row['tokens_per_second']:,.0f}" if is_measured else "-",
            f"{row['fraction_of_peak']:.0%}" if row["fraction_of_peak"] else "-",
            f"{row['kept_rounds']} ({row['dropped_rounds']})",
            *([f"{row['peak_memory'] / 2**30:.2f}"] if with_memory else [])])
    return markdown(lines)


def row_of_results(size, rows, ratios):
    """The row of the README's table."""
    def best(is_ours, precisions):
        chosen = [row for row in rows if row["is_ours"] == is_ours and row["is_whole_step"] and row["seconds"]
                  and row["precision"] in precisions]
        return min(chosen, key=lambda row: row["seconds"], default=None)

    cells = {"size (length x batch)": str(size), "processor": best_instructions()}
    for told, precisions, key in (("float32", ("float32",), "ratio_float32"),
                                  ("any precision", MATMUL_PRECISIONS, "ratio_any_precision")):
        for side, is_ours in (("ours", True), ("best peer", False)):
            row = best(is_ours, precisions)
            cells[f"{side}, {told}, tokens/s"] = f"{row['tokens_per_second']:,.0f} ({row['name']})" if row else "-"
        cells[f"ratio, {told}"] = f"{ratios[key]:.2f}" if ratios[key] else "-"
    return cells


def measure(size, options, folder):
    """(variants, answers of the start, rounds, failures) of all that could be started."""
    interpreters = {"torch": options.torch_python, "model_garden": options.garden_python}
    variants = [variant for variant in variants_of(size, peers=options.peers, precisions=options.precisions,
                                                   interpreters=interpreters, folder=folder)
                if not any(word in variant.name for word in options.without)]
    with Worker("preparation", our_variants(size, folder)[0].command, log=folder / "preparation.log") as worker:
        worker.ask(**prepare_request(size, folder))
    with start_workers(variants, answers_of_the_start, folder=folder, report=say,
                       needed=[variant.name for variant in variants if variant.is_ours]) as started:
        by_name = {variant.name: variant for variant in variants}
        rounds = take_turns(started.workers, lambda name: [
            {"do": "round", "steps": options.steps_per_round},
            *([{"do": "peak", "precision": by_name[name].precision}] if by_name[name].measures_peak else [])],
            rounds=options.rounds, most_other_load=options.most_other_load, report=say)
    return variants, started.answers, rounds, started.failures


def answers_of_the_start(worker, variant):
    """What a variant answers to its first requests, all together."""
    answers = {}
    for request in variant.start:
        answers |= worker.ask(**request)
    return answers


def read_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", choices=PRESETS, default="small")
    parser.add_argument("--sequence_length", type=int, default=128)
    parser.add_argument("--batch_size", type=int, default=16)
    parser.add_argument("--peers", type=names_out_of(PEERS), default=["huggingface"], help=", ".join(PEERS))
    parser.add_argument("--precisions", type=names_out_of(MATMUL_PRECISIONS), default=native_precisions(),
                        help=f"{', '.join(MATMUL_PRECISIONS)}; what the processor multiplies itself if left out")
    parser.add_argument("--steps_per_round", type=int, default=4)
    parser.add_argument("--peak_memory", action="store_true", help="show the largest memory of each process")
    parser.add_argument("--garden_python", help="interpreter with tf-models-official, for --peers=model_garden")
    add_options(parser, rounds=7)
    options = parser.parse_args()
    for peer, flag in (("huggingface", "torch_python"), ("model_garden", "garden_python")):
        path = getattr(options, flag)
        if peer in options.peers and not (path and pathlib.Path(path).is_file()):
            parser.error(f"--{flag}={path} is no file; --peers={peer} needs the Python of an environment of its own")
    return options


def main():
    options = read_options()
    size = Size(options.preset, options.sequence_length, options.batch_size)
    with tempfile.TemporaryDirectory() as folder:
        variants, started, rounds, failures = measure(size, options, pathlib.Path(folder))
    counted = {"batch_size": size.batch_size, "sequence_length": size.sequence_length}
    flops = training_step_flops(size.config().model, masked=size.slots, **counted)
    peaks = matmul_peaks(variants, rounds)
    rows = summary(variants, rounds, size=size, flops=flops, peaks=peaks)
    losses = {name: {key: answer[key] for key in ("generator_loss", "discriminator_loss", "gradient_norm")}
              for name, answer in started.items() if "generator_loss" in answer}
    wrong = differing(losses, {variant.name: variant.precision for variant in variants})
    ratios = {"ratio_any_precision": None if wrong else ratio(rows, MATMUL_PRECISIONS),
              "ratio_float32": None if wrong else ratio(rows, ("float32",))}
    write_json_atomically(options.output, {
        "table": "training step", "row": row_of_results(size, rows, ratios),
        "command": "python " + shlex.join(sys.argv), "machine": describe_machine(), **ratios,
        "model_flops": flops, "script_flops": script_flops_of_a_step(size.config().model, **counted),
        "matmul_peaks": peaks, "losses": losses, "losses_differ": wrong, "failures": failures, "variants": rows,
        "started": started, "steps_per_round": options.steps_per_round, "most_other_load": options.most_other_load,
        "rounds": rounds})
    if wrong:
        sys.exit("The two sides do not do the same work, so there are no ratios: " + "; ".join(wrong) + ".")
    print(table(rows, with_memory=options.peak_memory))
    for name, value in ratios.items():
        print(f"{name}: {'not measured' if value is None else format(value, '.2f')}")


if __name__ == "__main__":
    main()
