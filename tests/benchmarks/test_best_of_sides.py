"""The ratios of a comparison are those of the best of each side, among what did the same work."""

import pytest

from benchmarks.best_of_sides import cells, ratio_rows, ratios


def row(is_ours, precision, *, differs=False, **medians):
    return {"is_ours": is_ours, "precision": precision, "differs": differs,
            "timings": {name: {"median": median} for name, median in medians.items()}}


ROWS = [row(True, "float32", a=4.0, b=9.0), row(True, "float32", a=2.0, b=10.0), row(True, "bfloat16", a=1.0, b=8.0),
        row(False, "float32", a=6.0, b=3.0), row(False, "float32", a=5.0, b=None), row(False, "bfloat16", a=8.0),
        row(False, "float32", differs=True, a=0.1, b=0.1)]


@pytest.mark.parametrize("precisions, expected", [
    (["float32"], {"a": 2.5, "b": 3 / 9}), (["bfloat16"], {"a": 8.0, "b": None}),
    (["float32", "bfloat16"], {"a": 5.0, "b": 3 / 8}), (["int8"], {"a": None, "b": None})])
def test_the_best_of_each_side_is_compared(precisions, expected):
    assert ratios(ROWS, precisions, "ab") == expected


def test_ratios_become_rows_of_the_table():
    lines = [{"side": "ours", "first": "1.0", "rounds": "7"},
             *ratio_rows({"all": {"a": 2.4999, "b": None}}, title="side", columns={"a": "first", "b": "second"})]
    assert cells(lines) == [["side", "first", "rounds", "second"], ["ours", "1.0", "7", ""], ["all", "2.50x", "", "-"]]
