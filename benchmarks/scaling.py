"""How time and memory of a pretraining step grow with batch, length and size, and whether it waits for its data.

    python benchmarks/scaling.py --output=FILE.json [--preset=small] [--axes=batch,length,size,data] [--rounds=5]

Each point is a process of its own, alone on the machine; rounds in which other programs took more than 5 % of it are
dropped and counted. "Growth" is the exponent k of y ~ x^k, fitted to all points of an axis, beside that of the model's
FLOPs. Axis data trains on records, made of the texts that ship with the package, and measures the share of time in
which the step waits for a batch. Prints the tables, writes JSON and, beside it, a picture of the same name (.png).
"""

import argparse
import dataclasses
import io
import math
import pathlib
import shlex
import statistics
import sys
import tempfile

from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from benchmarks.alternation import (
    MOST_OTHER_LOAD,
    ROOT,
    Worker,
    describe_machine,
    median_and_spread,
    names_out_of,
    say,
    take_turns,
)
from benchmarks.markdown_table import markdown
from benchmarks.model_flops import training_step_flops
from benchmarks.step_variants import MATMUL_PRECISIONS, OURS, WARM_UP_STEPS, Size, native_precisions
from electra_tf.config import PRESETS
from electra_tf.files import write_bytes_atomically, write_json_atomically
from electra_tf.records.builder import build_pretraining_data
from electra_tf.sample_data import movie_reviews
from electra_tf.text.vocabulary import Vocabulary

WORKER = ROOT / "benchmarks" / "training_step_ours.py"
WAITING_WORKER = ROOT / "benchmarks" / "waiting_for_data.py"
BATCHES, LENGTHS = (1, 2, 4, 8, 16, 32, 64), (128, 256, 512, 1024, 2048)
AXES = ("batch", "length", "size", "data")
_SAMPLE_PIECES = 8192


def sizes_of(axis, *, preset, presets):
    """x -> Size of every point of an axis.

    >>> sizes_of("length", preset="small", presets=())[2048].batch_size   # 2, which fits into the memory
    """
    return {"batch": {batch: Size(preset, 128, batch) for batch in BATCHES},
            "length": {length: Size(preset, length, 2) for length in LENGTHS},
            "size": {name: Size(name, 128, 8) for name in presets},
            "data": {f"{name}, {length} x {batch}": Size(name, length, batch)
                     for name, length, batch in ((preset, 128, 16), ("tiny", 64, 64))}}[axis]


def growth(points, name):
    """Exponent k of y ~ x^k, by least squares of the logarithms; None for fewer than two points.

    Args:
        points: list of dict with the numbers "x" and `name`; those where `name` is None are left out.
        name: of y.

    >>> growth([{"x": 1, "seconds": 2.0}, {"x": 2, "seconds": 4.0}, {"x": 4, "seconds": 8.0}], "seconds")   # 1.0
    """
    pairs = [(math.log(point["x"]), math.log(point[name])) for point in points if point[name]]
    return statistics.linear_regression(*zip(*pairs)).slope if len(pairs) > 1 else None


def step_flops(size):
    return training_step_flops(size.config().model, batch_size=size.batch_size, masked=size.slots,
                               sequence_length=size.sequence_length)


def measure(worker_file, size, settings, *, options, folder, **build):
    """The rounds of one point."""
    command = (sys.executable, worker_file)
    with Worker(str(size), command, log=pathlib.Path(folder) / "worker.log") as worker:
        worker.ask("build", size=dataclasses.asdict(size), settings=settings, warm_up_steps=WARM_UP_STEPS, **build)
        return take_turns([worker], lambda name: [{"do": "round", "steps": options.steps_per_round}],
                          rounds=options.rounds, most_other_load=options.most_other_load, report=say)[str(size)]


def cost_points(axis, options, folder):
    """One dict for each point of an axis and each of our variants: x, time, memory and work."""
    points = []
    for x, size in sizes_of(axis, preset=options.preset, presets=options.presets).items():
        for name, (precision, settings) in OURS.items():
            if precision not in options.precisions:
                continue
            say(f"{name} at {size}.")
            rounds = measure(WORKER, size, settings, options=options, folder=folder)
            seconds = median_and_spread(rounds, "seconds")
            flops = step_flops(size)
            # A size stands at the place of its work.
            points.append({"axis": axis, "variant": name, "label": x, "x": flops if axis == "size" else x,
                           "size": str(size), "seconds": seconds["median"], **{
                               key: seconds[key] for key in ("lowest", "highest", "kept_rounds", "dropped_rounds")},
                           "flops": flops, "tokens": size.batch_size * size.sequence_length,
                           "peak_memory": max(turn["peak_memory"] for turn in rounds), "rounds": rounds})
    return points


def waiting_points(options, folder):
    """One dict for each size and variant: the share of time in which the step waited for its batch."""
    texts = movie_reviews("train")
    vocabulary, points = Vocabulary.learn(texts, size=_SAMPLE_PIECES), []
    for number, size in enumerate(sizes_of("data", preset=options.preset, presets=()).values()):
        records = pathlib.Path(folder) / f"records-{number}"
        build_pretraining_data(texts, vocabulary=vocabulary, sequence_length=size.sequence_length, output=records)
        for name, (precision, settings) in OURS.items():
            if precision in options.precisions:
                say(f"{name} on records, at {size}.")
                rounds = measure(WAITING_WORKER, size, settings, options=options, folder=folder, records=str(records))
                share = median_and_spread(rounds, "waiting_share")
                points.append({"axis": "data", "variant": name, "size": str(size), "waiting_share": share["median"],
                               "highest": share["highest"], "kept_rounds": share["kept_rounds"],
                               "dropped_rounds": share["dropped_rounds"], "rounds": rounds})
    return points


def growths(points):
    """One dict for each axis and variant that has points: how time, memory and FLOPs grow."""
    found = []
    for axis, variant in dict.fromkeys((point["axis"], point["variant"]) for point in points):
        chosen = [point for point in points if (point["axis"], point["variant"]) == (axis, variant)]
        found.append({"axis": axis, "variant": variant, **{
            name: growth(chosen, name) for name in ("seconds", "peak_memory", "flops")}})
    return found


def shown(value, form):
    return "-" if value is None else format(value, form)


def cost_table(points):
    """Time and memory of every point; lists of text, the first with the names of the columns."""
    costs = [["axis", "length x batch", "variant", "s/step (range)", "tokens/s", "GFLOP/s of the model", "memory, GB",
              "rounds (dropped)"]]
    for point in points:
        seconds = point["seconds"]
        costs.append([
            point["axis"], point["size"], point["variant"],
            f"{seconds:.3f} ({point['lowest']:.3f}-{point['highest']:.3f})" if seconds else "-",
            shown(seconds and point["tokens"] / seconds, ",.0f"),
            shown(seconds and point["flops"] / seconds / 1e9, ".0f"),
            f"{point['peak_memory'] / 2**30:.2f}", f"{point['kept_rounds']} ({point['dropped_rounds']})"])
    return costs


def tables(points, waiting):
    """All tables in Markdown."""
    growth_rows = [["axis", "variant", "growth of time", "of memory", "of the model's FLOPs"], *(
        [row["axis"], row["variant"], *(shown(row[name], ".2f") for name in ("seconds", "peak_memory", "flops"))]
        for row in growths(points))]
    data = [["length x batch", "variant", "share of time waiting for data, median", "highest", "rounds (dropped)"], *(
        [point["size"], point["variant"], shown(point["waiting_share"], ".2%"), shown(point["highest"], ".2%"),
         f"{point['kept_rounds']} ({point['dropped_rounds']})"] for point in waiting)]
    return "\n\n".join(markdown(rows) for rows in (cost_table(points), growth_rows, data) if len(rows) > 1)


def draw(points, path):
    """A picture: time and memory over each axis; dashed, what grows as the FLOPs do from the largest point down."""
    axes_names = list(dict.fromkeys(point["axis"] for point in points))
    figure = Figure(figsize=(4 * len(axes_names), 6.4), layout="constrained")
    grid = figure.subplots(2, len(axes_names), squeeze=False)
    titles = {"batch": "rows in a batch", "length": "tokens in a row", "size": "preset, by the FLOPs of a step"}
    for column, axis in enumerate(axes_names):
        for colour, variant in zip(("tab:blue", "tab:orange", "tab:green", "tab:red"), OURS):
            chosen = [point for point in points if (point["axis"], point["variant"]) == (axis, variant)
                      and point["seconds"]]
            if not chosen:
                continue
            xs, last = [point["x"] for point in chosen], chosen[-1]
            grid[0][column].plot(xs, [point["seconds"] for point in chosen], ".-", color=colour, label=variant)
            grid[0][column].plot(xs, [last["seconds"] * point["flops"] / last["flops"] for point in chosen], "--",
                                 color=colour, alpha=0.5)
            grid[1][column].plot(xs, [point["peak_memory"] / 2**30 for point in chosen], ".-", color=colour,
                                 label=variant)
        labels = {point["x"]: str(point["label"]) for point in points if point["axis"] == axis}
        for line, title in enumerate(("seconds for a step", "largest memory, GB")):
            plot = grid[line][column]
            plot.set(xscale="log", yscale="log", xlabel=titles[axis], title=title)
            plot.set_xticks(list(labels), list(labels.values()))
            plot.yaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
            plot.yaxis.set_major_formatter("{x:g}")
            plot.minorticks_off()
            plot.grid(alpha=0.3)
            plot.legend()
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=110)
    write_bytes_atomically(path, picture.getvalue())


def read_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", choices=PRESETS, default="small", help="of the axes batch, length and data")
    parser.add_argument("--presets", type=names_out_of(PRESETS), default=["tiny", "mini", "small", "base"],
                        help="of the axis size")
    parser.add_argument("--axes", type=names_out_of(AXES), default=list(AXES), help=", ".join(AXES))
    parser.add_argument("--precisions", type=names_out_of(MATMUL_PRECISIONS), default=native_precisions(),
                        help=f"{', '.join(MATMUL_PRECISIONS)}; what the processor multiplies itself if left out")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps_per_round", type=int, default=3)
    parser.add_argument("--most_other_load", type=float, default=MOST_OTHER_LOAD,
                        help="share of the machine that others may take in a round that counts, 0..1")
    parser.add_argument("--output", required=True, type=pathlib.Path)
    return parser.parse_args()


def main():
    options = read_options()
    with tempfile.TemporaryDirectory() as folder:
        points = [point for axis in options.axes if axis != "data" for point in cost_points(axis, options, folder)]
        waiting = waiting_points(options, folder) if "data" in options.axes else []
    columns, *costs = cost_table(points)
    write_json_atomically(options.output, {
        "table": "scaling", "rows": [dict(zip(columns, row, strict=True)) for row in costs],
        "command": "python " + shlex.join(sys.argv), "machine": describe_machine(),
        "growths": growths(points), "points": points, "waiting": waiting, "most_other_load": options.most_other_load})
    if points:
        draw(points, options.output.with_suffix(".png"))
    print(tables(points, waiting))


if __name__ == "__main__":
    main()
