"""Growth of time and memory, and the table of everything before training."""

import pathlib

import pytest

from benchmarks import data
from benchmarks.scaling import draw, growth, growths, sizes_of, tables
from benchmarks.step_variants import OURS

VARIANT = next(iter(OURS))


def points(axis="batch"):
    """Time grows as x^2, memory not at all; the last point was never measured."""
    return [{"axis": axis, "variant": VARIANT, "x": x, "label": x, "size": f"small, 128 x {x}", "tokens": 128 * x,
             "seconds": seconds, "lowest": seconds, "highest": seconds, "kept_rounds": 1, "dropped_rounds": 0,
             "flops": 1e9 * x, "peak_memory": 2**30, "rounds": []}
            for x, seconds in ((1, 0.5), (2, 2.0), (4, 8.0), (8, None))]


def test_growth_is_the_exponent():
    assert growth(points(), "seconds") == pytest.approx(2)
    assert growth(points(), "peak_memory") == pytest.approx(0)
    assert growth(points()[-1:], "seconds") is None


def test_every_axis_has_a_row_of_growth_and_every_point_a_row_of_cost():
    found = tables([*points(), *points("length")], [])
    assert [row["axis"] for row in growths([*points(), *points("length")])] == ["batch", "length"]
    assert "| batch | ours float32 | 2.00 | 0.00 | 1.00 |" in found
    assert "| batch | small, 128 x 4 | ours float32 | 8.000 (8.000-8.000) | 64 | 0 | 1.00 | 1 (0) |" in found
    assert "| batch | small, 128 x 8 | ours float32 | - | - | - | 1.00 | 1 (0) |" in found


def test_waiting_for_data_is_a_table_of_its_own():
    waiting = [{"axis": "data", "variant": VARIANT, "size": "tiny, 64 x 64", "waiting_share": 0.0123, "highest": 0.02,
                "kept_rounds": 3, "dropped_rounds": 1, "rounds": []}]
    assert tables([], waiting).endswith("| tiny, 64 x 64 | ours float32 | 1.23% | 2.00% | 3 (1) |")


def test_the_picture_is_a_png(tmp_path):
    draw([*points(), *points("size")], tmp_path / "scaling.png")
    assert (tmp_path / "scaling.png").read_bytes().startswith(b"\x89PNG")


def test_axes_reach_where_they_are_asked_for():
    lengths = sizes_of("length", preset="small", presets=())
    assert min(lengths) == 128 and max(lengths) == 2048
    assert all(size.config().model.max_positions >= length for length, size in lengths.items())
    assert list(sizes_of("size", preset="small", presets=("mini", "base"))) == ["mini", "base"]
    assert {size.preset for size in sizes_of("batch", preset="mini", presets=()).values()} == {"mini"}


def test_every_job_on_data_is_there_and_writes_where_it_is_told():
    for script, arguments in data.jobs(pathlib.Path("texts"), megabytes=100, runs=3):
        text = (pathlib.Path(data.__file__).parent / script).read_text(encoding="utf-8")
        assert '"--results"' in text
        assert all(f'"{argument.partition("=")[0]}"' in text for argument in arguments if argument.startswith("--"))


def test_results_of_one_table_stand_together():
    results = [{"table": "a", "row": {"engine": "one", "MB/s": [4.5, 4.0]}}, {"table": "b", "row": {"us": 3}},
               {"table": "a", "row": {"engine": "two", "cores": 2}}]
    assert data.tables(results) == (
        "### a\n\n| engine | MB/s | cores |\n| --- | --- | --- |\n| one | 4.0-4.5 |  |\n| two |  | 2 |\n\n"
        "### b\n\n| us |\n| --- |\n| 3 |")


def test_the_command_that_wrote_into_a_folder_of_a_moment_is_not_kept():
    result = {"row": {"MB/s": 4.0}, "command": "python x.py --results=DIR"}
    assert data.without_command(result) == {"row": {"MB/s": 4.0}}


def test_rates_of_every_job_stand_in_one_row():
    results = {"builder-one": {"row": {"MB/s": [4.5, 4.0], "workers": 2}}, "encoding": {"row": {"us": 3}},
               "tokenizer-fast": {"row": {"English, MB/s": [9.0], "Chinese, MB/s": [7.0]}}}
    assert data.rates(results) == {"builder-one, MB/s": "4.0-4.5", "tokenizer-fast, English, MB/s": "9.0-9.0",
                                   "tokenizer-fast, Chinese, MB/s": "7.0-7.0"}
