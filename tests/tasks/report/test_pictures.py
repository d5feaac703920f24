"""What stands in the curves: mean and spread wherever the trials can be compared."""

import numpy as np
import pytest
from matplotlib.axes import Axes

from electra_tf.tasks.report.parts import Curves
from electra_tf.tasks.report.pictures import draw_curves


@pytest.fixture
def drawn(monkeypatch):
    """Function of curves that draws them: label -> what was drawn under it, the last of equal ones."""
    found, fill, plot = {}, Axes.fill_between, Axes.plot

    def fill_between(self, steps, low, high, **settings):
        found[settings["label"]] = [list(values) for values in (steps, low, high)]
        return fill(self, steps, low, high, **settings)

    def plotted(self, *points, **settings):
        found[settings["label"]] = [list(values) for values in points]
        return plot(self, *points, **settings)
    monkeypatch.setattr(Axes, "fill_between", fill_between)
    monkeypatch.setattr(Axes, "plot", plotted)

    def draw(curves, faded=()):
        found.clear()
        draw_curves(Curves("accuracy", curves, faded))
        return found
    return draw


def test_folds_that_were_scored_at_other_steps_have_a_mean_and_a_spread(drawn):
    found = drawn({"fold 0": [(10, 0.5), (20, 0.7), (30, 0.8)], "fold 1": [(12, 0.4), (24, 0.7), (36, 0.9)]})
    steps = [12, 20, 24, 30]  # all that both have come by
    one, other = [0.54, 0.7, 0.74, 0.8], [0.4, 0.6, 0.7, 0.8]
    np.testing.assert_allclose(found["mean"], [steps, np.mean([one, other], axis=0)])
    np.testing.assert_allclose(found["smallest to largest"], [steps, other, one])


def test_a_step_that_stands_twice_counts_as_it_was_last(drawn):
    """A loss is noted every 50 updates and at each evaluation, which may be the same update."""
    found = drawn({"a": [(50, 0.7), (50, 0.6), (100, 0.5)], "b": [(50, 0.4), (100, 0.3)]})
    np.testing.assert_allclose(found["mean"], [[50, 100], [0.5, 0.4]])


@pytest.mark.parametrize("curves", [
    {"a": [(10, 0.5), (20, 0.6)], "b": [(30, 0.5), (40, 0.6)]}, {"a": [(10, 0.5), (20, 0.6)]},
    {"a": [(10, 0.5), (20, 0.6)], "b": []}])
def test_where_nothing_can_be_compared_there_is_no_mean(drawn, curves):
    assert not {"mean", "smallest to largest"} & set(drawn(curves))


def test_collapsed_trials_are_named_though_one_of_them_was_never_scored(drawn):
    found = drawn({"diverged": [], "constant": [(10, 0.5), (20, 0.5)], "well": [(10, 0.6), (20, 0.7)]},
                  ("diverged", "constant"))
    assert found["collapsed"] == [[10, 20], [0.5, 0.5]] and "mean" not in found
