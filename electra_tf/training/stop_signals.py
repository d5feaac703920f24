"""SIGTERM and SIGINT as a wish that a job fulfils when it is ready."""

import signal
import threading


class StopSignals:
    """While the block runs, the first SIGTERM or SIGINT is only noted; a second one acts as usual.

    Outside the main thread, where Python delivers no signals, nothing is changed.

    >>> with StopSignals() as stop:
    ...     while not stop.received:
    ...         step()
    """

    def __init__(self):
        self.received = None  # signal.Signals or None

    def __enter__(self):
        self._before = {}
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *error):
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number, frame):
        self.received = signal.Signals(number)
        signal.signal(number, self._before[number])
