"""What the person at the terminal reads."""

import io

import pytest

from electra_tf.progress import Progress
from electra_tf.training.callbacks.console import Console

NUMBERS = {"generator_loss": 7.0249, "generator_accuracy": 0.0512, "discriminator_loss": 0.39144,
           "constant_guess_loss": 0.40231, "discriminator_auc": 0.6127, "tokens_per_second": 8123.4, "epochs": 1.2345}


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture(params=[io.StringIO, Terminal])
def watched(request):
    """(console, clock, stream) of a run at step 40 of 100, on a terminal and in a file."""
    stream, clock = request.param(), Clock()
    with Progress(100, unit="steps", description="Pretraining", start=20, stream=stream, clock=clock) as progress:
        yield Console(progress), clock, stream


def test_the_progress_line_has_the_newest_numbers(watched):
    console, clock, stream = watched
    console({"event": "train", "step": 40, **NUMBERS})
    clock.now = 10.0
    console.update(40)
    assert ("Pretraining: 40 of 100 steps (40 %), 2.0 steps/s, 0:30 left, generator 7.025 (accuracy 0.051), "
            "discriminator 0.3914 (constant guess 0.4023), 8,123 tokens/s, 1.23 epochs") in stream.getvalue()


def test_where_the_clock_ends_the_run_the_line_ends_with_the_time_left():
    stream, clock = io.StringIO(), Clock()
    with Progress(None, unit="steps", description="Pretraining", stream=stream, clock=clock) as progress:
        console = Console(progress, tells_time_left=True)
        console({"event": "train", "step": 40, **NUMBERS, "seconds_left": 1725.0})
        clock.now = 10.0
        console.update(40)
    line = stream.getvalue().splitlines()[0]
    assert line.startswith("Pretraining: 40 steps, 4.0 steps/s, ") and line.endswith("1.23 epochs, 28:45 left")


@pytest.mark.parametrize(("record", "line"), [
    ({"event": "validation", **NUMBERS}, "step 1,040: held out: generator 7.025 (accuracy 0.051), discriminator "
                                         "0.3914 (constant guess 0.4023), AUC 0.613"),
    ({"event": "validation", **NUMBERS, "discriminator_loss": 0.0, "constant_guess_loss": -0.0},
     "step 1,040: held out: generator 7.025 (accuracy 0.051)"),
    ({"event": "validation", **NUMBERS, "constant_guess_loss": -0.0},
     "step 1,040: held out: generator 7.025 (accuracy 0.051), discriminator 0.3914"),
    ({"event": "warning", "message": "the generator does not learn"},
     "step 1,040: WARNING: the generator does not learn"),
    ({"event": "start"}, "step 1,040: resumed"),
    ({"event": "stop", "signal": "SIGTERM"},
     "step 1,040: SIGTERM: saved and stopped; the same command goes on from here")])
def test_what_is_special_has_a_line_of_its_own(watched, record, line):
    console, _, stream = watched
    console({"step": 1040, **record})
    assert line in [text.strip() for text in stream.getvalue().replace("\r", "\n").split("\n")]


@pytest.mark.parametrize("record", [
    {"event": "train", "step": 40, **NUMBERS}, {"event": "checkpoint", "step": 40}, {"event": "start", "step": 0}])
def test_what_is_usual_has_none(watched, record):
    console, _, stream = watched
    before = stream.getvalue()
    console(record)
    assert stream.getvalue() == before
