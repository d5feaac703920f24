"""The picture of a run: a panel for each number that there is."""

import json

import pytest
from matplotlib.figure import Figure

from electra_tf.training.callbacks.curve import draw_curve

START = {"event": "start", "step": 0, "unigram_loss": 7.2, "time": "2026-01-01T00:00:00+00:00"}


def record(event, step, **numbers):
    return {"event": event, "step": step, "tokens": step * 1000, "generator_loss": 6.0, "generator_accuracy": 0.2,
            "discriminator_loss": 0.0, "constant_guess_loss": -0.0, **numbers}


@pytest.mark.parametrize(("numbers", "titles"), [
    ({}, ["generator loss (nats)", "generator accuracy"]),
    ({"discriminator_loss": 0.3, "constant_guess_loss": 0.4},
     ["generator loss (nats)", "generator accuracy", "discriminator loss (nats)"])])
def test_a_generator_alone_has_no_panel_for_a_discriminator(tmp_path, monkeypatch, numbers, titles):
    drawn, save = [], Figure.savefig

    def savefig(figure, *arguments, **options):
        drawn.append({axes.get_title(): [line.get_label() for line in axes.lines] for axes in figure.axes})
        save(figure, *arguments, **options)

    monkeypatch.setattr(Figure, "savefig", savefig)
    records = [START, record("train", 100, **numbers), record("train", 200, **numbers),
               record("validation", 200, **numbers)]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in records))
    draw_curve(tmp_path)
    assert list(drawn[0]) == titles and (tmp_path / "curve.png").stat().st_size > 5000
    assert drawn[0]["generator loss (nats)"] == ["training", "held out", "word frequencies"]
    assert drawn[0].get("discriminator loss (nats)", ["training", "held out", "constant guess"]) == [
        "training", "held out", "constant guess"]
