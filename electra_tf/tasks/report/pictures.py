"""Curves and histograms as SVG, drawn by matplotlib in the colours of the page, light or dark."""

import io

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from electra_tf.tasks.confusion_picture import AS_WRITTEN
from electra_tf.tasks.report.html_elements import svg_element, tag

# A colour that stands for one of the page's, which a browser knows by name: the page decides between light and dark.
_INK, _MUTED, _GRID, _FIRST, _SECOND = "#010101", "#020202", "#030303", "#040404", "#050505"
_CSS = {_INK: "var(--ink)", _MUTED: "var(--muted)", _GRID: "var(--line)", _FIRST: "var(--first)",
        _SECOND: "var(--second)"}
_STYLE = {
    **AS_WRITTEN, "svg.fonttype": "none", "font.size": 9, "text.color": _INK, "axes.edgecolor": _GRID,
    "axes.labelcolor": _MUTED,
    "axes.grid": True, "axes.axisbelow": True, "grid.color": _GRID, "grid.linewidth": 0.6, "xtick.color": _MUTED,
    "ytick.color": _MUTED, "axes.spines.top": False, "axes.spines.right": False, "axes.titlesize": 10,
    "axes.titlelocation": "left", "legend.frameon": False, "legend.fontsize": 8, "figure.facecolor": "none",
    "axes.facecolor": "none", "savefig.facecolor": "none", "lines.linewidth": 1.2}
_SIZE = (4.6, 3.0)  # inches; two stand side by side, on a phone one below the other
_MOST_BINS = 30


def draw_curves(curves):
    """The picture of Curves: each trial thin, their mean thick, all between smallest and largest shaded."""
    shown = {name: points for name, points in curves.curves.items() if points}
    faded = [name for name in shown if name in curves.faded]
    counted = [dict(points) for name, points in shown.items() if name not in faded]

    def draw(axes):
        for number, (name, points) in enumerate(shown.items()):
            is_faded, is_single = name in faded, len(shown) == 1
            axes.plot(*zip(*points, strict=True), color=_MUTED if is_faded else _FIRST,
                      linestyle="--" if is_faded else "-", alpha=1.0 if is_single else 0.55,
                      linewidth=2 if is_single else 0.9, marker="o", markersize=3,
                      label="collapsed" if name in faded[:1] else
                      "each trial" if not is_single and number == 0 else None)
        steps, values = _on_common_steps(counted) if len(counted) > 1 else ([], None)
        if steps:
            axes.fill_between(steps, values.min(axis=0), values.max(axis=0), color=_FIRST, alpha=0.15, linewidth=0,
                              label="smallest to largest")
            axes.plot(steps, values.mean(axis=0), color=_FIRST, linewidth=2.2, label="mean")
        axes.set(title=curves.name, xlabel="updates")
        axes.set_xlim(left=0)
        if len(shown) > 1:
            axes.legend()
    return _picture(draw, f"{curves.name} over the updates: {_curves_words(shown)}")


def _on_common_steps(curves):
    """Where several curves can be compared.

    Trials are scored at other steps where their training sets differ, as folds do; between two of its own steps a curve
    is taken to be straight.

    Args:
        curves: list of dicts of step -> value.

    Returns:
        (sorted list of all steps in the range that every curve covers, float array [curves, steps]).
    """
    first, last = max(map(min, curves)), min(map(max, curves))
    steps = sorted({step for points in curves for step in points if first <= step <= last})
    return steps, np.array([np.interp(steps, *zip(*sorted(points.items()), strict=True)) for points in curves])


def _curves_words(shown):
    return "; ".join(f"{name} from {points[0][1]:.4g} to {points[-1][1]:.4g}" for name, points in shown.items())


def draw_histogram(histogram):
    """The picture of a Histogram: the first set of numbers filled, others as outlines."""
    everything = np.concatenate([np.asarray(values, float) for values in histogram.values.values()])
    edges = np.histogram_bin_edges(everything, bins=min(_MOST_BINS, max(5, int(len(everything) ** 0.5))))

    def draw(axes):
        for number, (name, values) in enumerate(histogram.values.items()):
            weights = np.full(len(values), 1 / len(values)) if histogram.as_shares else None
            axes.hist(values, bins=edges, weights=weights, label=name, color=_SECOND if number else _FIRST,
                      **({"histtype": "step", "linewidth": 1.8} if number else {"alpha": 0.45}))
        counted = f"share of the {histogram.counted}" if histogram.as_shares else histogram.counted
        axes.set(title=histogram.name, ylabel=counted)
        if len(histogram.values) > 1:
            axes.legend()
    words = "; ".join(f"{name} from {min(values):.4g} to {max(values):.4g}, mean {np.mean(values):.4g}"
                      for name, values in histogram.values.items())
    return _picture(draw, f"histogram of {histogram.name}: {words}")


def _picture(draw, words):
    """An SVG element with a description in words for those who do not see it."""
    # Its own salt keeps the names inside one picture apart from those in the others of a page, and always the same.
    with matplotlib.rc_context({**_STYLE, "svg.hashsalt": words}):
        figure = Figure(figsize=_SIZE, layout="constrained")
        draw(figure.add_subplot())
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata={"Date": None})
    text = file.getvalue()
    for colour, name in _CSS.items():
        text = text.replace(colour, name)
    svg = svg_element(text)
    svg.attrib.update({"role": "img", "aria-label": words})
    svg.insert(0, tag("title", words))
    return svg
