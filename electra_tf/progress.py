"""A progress line on stderr with rate and time left, for every job that takes longer than a moment."""

import sys
import time

_TERMINAL_SECONDS = 0.2
_LOG_SECONDS = 10.0


class Progress:
    """Shows how far a job is: one line that is rewritten on a terminal, a line every ten seconds elsewhere.

    Args:
        total: amount of work, or None if it is not known.
        unit: what is counted, "steps" or "MB".
        description: what the job does, the start of the line.
        start: amount that was done before (a resumed job); it does not count for the rate.
        stream: where to write; stderr by default.
        clock: seconds, rising.

    >>> with Progress(1000, unit="steps", description="Pretraining") as progress:
    ...     progress.update(250, note="loss 17.3")
    Pretraining: 250 of 1,000 steps (25 %), 4.1 steps/s, 3:03 left, loss 17.3
    """

    def __init__(self, total, *, unit, description, start=0, stream=None, clock=time.monotonic):
        self._total, self._unit, self._description = total, unit, description
        self._start = self._done = start
        self._stream = sys.stderr if stream is None else stream
        self._clock = clock
        self._rewrites = self._stream.isatty()
        self._note = ""
        self._width = 0

    def __enter__(self):
        self._began = self._shown = self._clock()
        return self

    def __exit__(self, error_type, error, traceback):
        self._show(ended=error_type is None)
        if self._rewrites:
            self._stream.write("\n")
            self._stream.flush()

    def update(self, done, *, note=""):
        """Sets the amount done so far, and words of the moment for the end of the line."""
        self._done, self._note = done, note
        if self._clock() - self._shown >= (_TERMINAL_SECONDS if self._rewrites else _LOG_SECONDS):
            self._show()

    def say(self, text):
        """Writes a line of its own; a progress line that is rewritten goes on below it."""
        self._stream.write("\r" + text.ljust(self._width) + "\n" if self._rewrites else text + "\n")
        self._stream.flush()

    def _show(self, *, ended=False):
        self._shown = self._clock()
        line = self._line(ended)
        if self._rewrites:
            self._stream.write("\r" + line.ljust(self._width))
            self._width = len(line)
        else:
            self._stream.write(line + "\n")
        self._stream.flush()

    def _line(self, ended):
        elapsed = self._shown - self._began
        rate = (self._done - self._start) / elapsed if elapsed > 0 else 0.0
        parts = [f"{self._description}: {_amount(self._done)}"]
        if self._total:
            parts[0] += f" of {_amount(self._total)} {self._unit} ({100 * self._done / self._total:.0f} %)"
        else:
            parts[0] += f" {self._unit}"
        if rate > 0:
            parts.append(f"{_amount(rate)} {self._unit}/s")
        if ended:
            parts.append(f"{clock_time(elapsed)} in all")
        elif rate > 0 and self._total:
            parts.append(f"{clock_time((self._total - self._done) / rate)} left")
        if self._note:
            parts.append(self._note)
        return ", ".join(parts)


def clock_time(seconds):
    """Seconds as a clock shows them.

    >>> clock_time(3725)   # '1:02:05'
    """
    minutes, seconds = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def _amount(number):
    if isinstance(number, int) or number >= 100:
        return f"{number:,.0f}"
    return f"{number:.1f}" if number >= 0.95 else f"{number:.2g}"
