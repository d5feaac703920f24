"""The progress line, with a clock and a stream that the test holds in its hands."""

import io

import pytest

from electra_tf.progress import Progress, clock_time


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


class Terminal(io.StringIO):
    def isatty(self):
        return True


def lines_after(updates, *, stream=None, **settings):
    """What is written when the job is at `done` after `seconds`, for each pair, and then ends."""
    clock, stream = Clock(), stream or io.StringIO()
    settings = {"total": 1000, "unit": "steps", "description": "Training", **settings}
    with Progress(settings.pop("total"), stream=stream, clock=clock, **settings) as progress:
        for seconds, done in updates:
            clock.now = 100.0 + seconds
            progress.update(done, note="loss 1.5")
    return stream.getvalue()


def test_a_log_gets_a_line_every_ten_seconds_and_one_at_the_end():
    assert lines_after([(4, 100), (9.9, 240), (10, 250), (15, 400), (25, 1000)]).splitlines() == [
        "Training: 250 of 1,000 steps (25 %), 25.0 steps/s, 0:30 left, loss 1.5",
        "Training: 1,000 of 1,000 steps (100 %), 40.0 steps/s, 0:00 left, loss 1.5",
        "Training: 1,000 of 1,000 steps (100 %), 40.0 steps/s, 0:25 in all, loss 1.5"]


def test_a_terminal_gets_one_line_that_is_written_over():
    written = lines_after([(1, 2), (1.1, 3), (100, 500)], stream=Terminal())
    first, second, third = written.removeprefix("\r").split("\r")
    assert first == "Training: 2 of 1,000 steps (0 %), 2.0 steps/s, 8:19 left, loss 1.5"
    assert second.rstrip() == "Training: 500 of 1,000 steps (50 %), 5.0 steps/s, 1:40 left, loss 1.5"
    assert third == "Training: 500 of 1,000 steps (50 %), 5.0 steps/s, 1:40 in all, loss 1.5\n"


def test_a_shorter_line_covers_the_longer_one_before():
    clock, stream = Clock(), Terminal()
    with Progress(10, unit="MB", description="Reading", stream=stream, clock=clock) as progress:
        for note in ("a long note", ""):
            clock.now += 1
            progress.update(1.0, note=note)
    long, short = stream.getvalue().split("\r")[1:3]
    assert len(short) == len(long)


def test_what_was_done_before_does_not_count_for_the_rate():
    assert lines_after([(20, 920)], start=900).splitlines()[0] == (
        "Training: 920 of 1,000 steps (92 %), 1.0 steps/s, 1:20 left, loss 1.5")


def test_without_a_total_there_is_no_time_left():
    assert lines_after([(10, 3.25)], total=None, unit="MB").splitlines()[0] == (
        "Training: 3.2 MB, 0.33 MB/s, loss 1.5")


def test_a_job_that_fails_does_not_claim_to_be_complete():
    clock, stream = Clock(), io.StringIO()
    with pytest.raises(RuntimeError), Progress(10, unit="steps", description="Training", stream=stream, clock=clock):
        raise RuntimeError
    assert stream.getvalue() == "Training: 0 of 10 steps (0 %)\n"


def test_stderr_is_where_progress_goes(capsys):
    with Progress(2, unit="steps", description="Training"):
        pass
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("Training: 0 of 2 steps (0 %)")


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (3725, "1:02:05"), (-1, "0:00")])
def test_seconds_read_like_a_clock(seconds, text):
    assert clock_time(seconds) == text
