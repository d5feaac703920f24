"""The runs that compare number formats differ in nothing else, and the queue shows what they reached."""

from benchmarks import precision_curves
from benchmarks.precision_curves import RUNS, config_of, draw, run
from electra_tf.config import replace
from tests.training.tiny_run import tiny_config, write_records


def test_the_runs_differ_in_format_operations_and_seed_alone():
    same = {replace(config_of(settings), precision="auto", kernels="auto", seed=0) for settings in RUNS.values()}
    assert len(same) == 1 and len({config_of(settings) for settings in RUNS.values()}) == len(RUNS)


def test_a_run_gives_its_curve_and_a_picture(tmp_path, monkeypatch):
    monkeypatch.setattr(precision_curves, "config_of", lambda settings, steps: tiny_config(
        train_steps=steps, evaluation_steps=steps // 2))
    records = write_records(tmp_path / "records")
    curve = run("float32, plain TensorFlow", records, tmp_path / "work", steps=4)
    assert [record["step"] for record in curve] == [2, 4] and 3 < curve[-1]["generator_loss"] < 8
    draw({"one": curve}, tmp_path / "curve.png")
    assert (tmp_path / "curve.png").stat().st_size > 5000
