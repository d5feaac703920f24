"""The confusion matrix as a picture."""

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

# More labels than this give a picture without numbers in its cells.
_MOST_NUMBERED = 20


# Names are shown as they are: "$$" is a label, and no formula.
AS_WRITTEN = {"text.parse_math": False}


@matplotlib.rc_context(AS_WRITTEN)
def draw_confusion(confusion, labels, *, path, title):
    """Draws how often each label was taken for which; colours are shares of the true label.

    Args:
        confusion: int array [labels, labels], true label in the row.
        labels: names.
        path: PNG file to write.
        title: words above the picture.

    >>> draw_confusion(scores.confusion, ["neg", "pos"], path="confusion.png", title="validation")
    """
    shares = confusion / confusion.sum(axis=1, keepdims=True).clip(min=1)
    side = 2.5 + 0.5 * min(len(labels), 40)
    figure = Figure(figsize=(side + 1, side), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(image, ax=axes, label="share of the true label")
    axes.set(xticks=range(len(labels)), yticks=range(len(labels)), xlabel="predicted", ylabel="true", title=title)
    axes.set_xticklabels(labels, rotation=45, ha="right")
    axes.set_yticklabels(labels)
    if len(labels) <= _MOST_NUMBERED:
        for row, column in ((row, column) for row in range(len(labels)) for column in range(len(labels))):
            axes.text(column, row, f"{confusion[row, column]:,}", ha="center", va="center",
                      color="white" if shares[row, column] > 0.5 else "black")
    figure.savefig(path, dpi=100)
