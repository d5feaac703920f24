import os
import signal
import threading

import pytest

from electra_tf.training.stop_signals import StopSignals


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_is_noted_and_the_second_acts_as_usual(number):
    seen, before = [], signal.signal(number, lambda *_: seen.append("usual"))
    try:
        with StopSignals() as stop:
            assert stop.received is None
            os.kill(os.getpid(), number)
            assert stop.received == number and seen == []
            os.kill(os.getpid(), number)
            assert seen == ["usual"]
        os.kill(os.getpid(), number)
        assert seen == ["usual", "usual"]
    finally:
        signal.signal(number, before)


def test_handlers_are_as_before_when_no_signal_came():
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    with StopSignals():
        assert signal.getsignal(signal.SIGTERM) != before[0]
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


def test_outside_the_main_thread_nothing_changes():
    received = []

    def work():
        with StopSignals() as stop:
            received.append(stop.received)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert received == [None]
