"""curve.png: the run as a picture, beside what knowing nothing would reach."""

import io
import pathlib

from matplotlib.figure import Figure

from electra_tf.files import write_bytes_atomically
from electra_tf.training.callbacks.log_file import history, read_log

CURVE_FILE = "curve.png"


class Curve:
    """Draws the run's log anew at each evaluation.

    Args:
        folder: the run folder.

    >>> Curve("runs/small")({"event": "validation", "step": 1000})
    """

    def __init__(self, folder):
        self._folder = pathlib.Path(folder)

    def __call__(self, record):
        if record["event"] == "validation":
            draw_curve(self._folder)


def draw_curve(folder):
    """Writes curve.png from the log of a run: losses and accuracy over the tokens consumed.

    A generator that is trained alone has two panels; a discriminator's loss is a third.

    Args:
        folder: the run folder.

    >>> draw_curve("runs/small")
    """
    records = history(read_log(folder))
    panels = {"generator_loss": "generator loss (nats)", "generator_accuracy": "generator accuracy"}
    if any(record.get("discriminator_loss") for record in records):
        panels["discriminator_loss"] = "discriminator loss (nats)"
    figure = Figure(figsize=(4 * len(panels), 3.6), layout="constrained")
    axes_of = dict(zip(panels, figure.subplots(1, len(panels)), strict=True))
    for event, colour in (("train", "tab:blue"), ("validation", "tab:orange")):
        chosen = [record for record in records if record["event"] == event]
        style = {"color": colour, "label": "training" if event == "train" else "held out",
                 "marker": "." if event == "validation" or len(chosen) < 2 else None}
        for name, axes in axes_of.items():
            axes.plot([record["tokens"] / 1e6 for record in chosen], [record[name] for record in chosen], **style)
    train = [record for record in records if record["event"] == "train"]
    if any(record["constant_guess_loss"] for record in train):
        axes_of["discriminator_loss"].plot(
            [record["tokens"] / 1e6 for record in train], [record["constant_guess_loss"] for record in train], "--",
            color="grey", label="constant guess")
    starts = [record for record in records if record["event"] == "start"]
    if starts:
        axes_of["generator_loss"].axhline(
            starts[-1]["unigram_loss"], linestyle="--", color="grey", label="word frequencies")
    for name, axes in axes_of.items():
        axes.set(title=panels[name], xlabel="million tokens")
        axes.grid(alpha=0.3)
        axes.legend()
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=110)
    write_bytes_atomically(pathlib.Path(folder) / CURVE_FILE, picture.getvalue())
