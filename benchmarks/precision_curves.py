"""Does a run in bfloat16 with the fused operations learn what float32 does? The same 2,000 updates on both paths.

Preset tiny with dropout; the same records, masks and dropout in every run of one seed. Other seeds show how far equally
good runs lie apart. Runs that are done are not run again, one that was stopped goes on:

    python benchmarks/precision_curves.py RECORDS WORK        RECORDS: rows of 64 tokens
"""

import io
import os
import pathlib
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from matplotlib.figure import Figure

from electra_tf.config import preset, with_overrides
from electra_tf.files import write_bytes_atomically, write_json_atomically
from electra_tf.training.callbacks.log_file import history, read_log
from electra_tf.training.pretrain import pretrain

RESULTS = pathlib.Path(__file__).resolve().parent / "results"
STEPS = 2000
PLAIN = ("precision=float32", "kernels=off")
RUNS = {
    "float32, plain TensorFlow": (*PLAIN, "seed=0"),
    "bfloat16, fused operations": ("precision=bfloat16", "seed=0"),
    "float32, plain TensorFlow, another seed": (*PLAIN, "seed=1"),
    "float32, fused operations": ("precision=float32", "seed=0"),
    "bfloat16, fused operations, another seed": ("precision=bfloat16", "seed=1"),
    "bfloat16, fused operations, a third seed": ("precision=bfloat16", "seed=2"),
}
LOSSES = ("generator_loss", "discriminator_loss")


def config_of(settings, *, steps=STEPS):
    """PretrainingConfig of one run."""
    return with_overrides(preset("tiny"), [
        "sequence_length=None", f"train_steps={steps}", f"evaluation_steps={max(1, steps // 10)}", "log_steps=50",
        "checkpoint_steps=200", f"optimizer.warmup_steps={steps // 10}", "model.hidden_dropout=0.1",
        "model.attention_dropout=0.1", *settings])


def run(name, records, work, *, steps=STEPS):
    """The held-out evaluations of one run: list of dict.

    >>> run("float32, plain TensorFlow", "records", pathlib.Path("work"))[-1]["generator_loss"]
    """
    folder = work / name.replace(", ", "-").replace(" ", "-")
    result = pretrain(config_of(RUNS[name], steps=steps), data=records, output=folder)
    if not result.is_finished:
        sys.exit(128 + result.stopped_by)
    return [{"step": record["step"], **{loss: record[loss] for loss in LOSSES}}
            for record in history(read_log(folder)) if record["event"] == "validation"]


def draw(curves, path):
    """Both held-out losses of all runs over the updates."""
    figure = Figure(figsize=(10, 3.8), layout="constrained")
    for axes, loss in zip(figure.subplots(1, 2), LOSSES):
        for name, records in curves.items():
            axes.plot([record["step"] for record in records], [record[loss] for record in records], ".-", label=name)
        axes.set(title=f"{loss.replace('_', ' ')}, held out (nats)", xlabel="updates")
        axes.grid(alpha=0.3)
        axes.legend()
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=110)
    write_bytes_atomically(path, picture.getvalue())


def main(records, work):
    curves = {}
    for name in RUNS:
        curves[name] = run(name, records, pathlib.Path(work))
        last = curves[name][-1]
        write_json_atomically(RESULTS / f"precision-{list(RUNS).index(name)}.json", {
            "table": "precision", "row": {"run": name, "updates": last["step"], **{
                f"{loss.replace('_', ' ')}, held out": f"{last[loss]:.4f}" for loss in LOSSES}},
            "curve": curves[name], "command": "python benchmarks/precision_curves.py RECORDS WORK",
            "machine": f"{os.cpu_count()} CPU cores"})
        draw(curves, RESULTS / "precision.png")


if __name__ == "__main__":
    main(*sys.argv[1:])
