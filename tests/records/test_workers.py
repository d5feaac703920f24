"""Worker processes: order, bounded reading, errors, and a life that ends with their parent's."""

import contextlib
import functools
import itertools
import operator
import os
import select
import signal
import subprocess
import sys

import pytest

from electra_tf.errors import InputError
from electra_tf.records.workers import map_in_order, worker_pool

# Work is made of functions that a worker process can import: functools.partial(pow, 3) answers 2 with 9.


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_results_come_in_the_order_of_the_items(workers):
    with worker_pool(workers, functools.partial, pow, 3) as power:
        assert list(power(range(20))) == [3**number for number in range(20)]


def test_two_workers_are_two_processes():
    with worker_pool(2, functools.partial, operator.call) as call:
        processes = set(call([os.getpid] * 40))
    assert os.getpid() not in processes
    assert len(processes) == 2


def test_a_process_killed_by_the_system_is_told_in_one_sentence():
    with pytest.raises(InputError, match="killed a worker process, most likely for lack of memory; use fewer"), \
            worker_pool(2, functools.partial, signal.raise_signal) as work:
        list(work([signal.SIGKILL]))


def test_an_error_in_the_work_ends_it_with_its_traceback(capfd):
    with pytest.raises(RuntimeError, match="a worker process ended with code 1; its error stands above"), \
            worker_pool(2, functools.partial, int) as work:
        list(work(["17", "seventeen"]))
    assert "invalid literal for int() with base 10: 'seventeen'" in capfd.readouterr().err


def test_what_the_work_prints_does_not_end_up_among_the_answers(capfd):
    with worker_pool(2, functools.partial, print, "printed") as work:
        assert list(work(["a", "b"])) == [None, None]
    captured = capfd.readouterr()
    assert captured.out == ""
    assert captured.err.count("printed") == 2  # two processes write at once: parts of their lines may mix


def test_a_process_that_gets_nothing_to_do_ends_without_a_word(capfd):
    with worker_pool(3, functools.partial, pow, 3) as power:
        assert list(power([2])) == [9]
    assert capfd.readouterr().err == ""


def test_a_script_without_a_main_guard_runs_once_and_passes_nothing_on(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("import functools, sys\n"
                      "print('the script runs')\n"
                      "import fractions  # stands for TensorFlow\n"
                      "from electra_tf.records.workers import worker_pool\n"
                      "loaded = \"'fractions' in __import__('sys').modules\"\n"
                      "with worker_pool(2, functools.partial, eval, loaded) as work:\n"
                      "    print(*work([{}, {}]))\n")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=600,
                          env={**os.environ, "PYTHONPATH": os.getcwd()})
    assert done.stdout == "the script runs\nFalse False\n", done.stderr


def test_workers_end_when_their_parent_is_killed():
    code = ("import functools, operator, os, signal\n"
            "from electra_tf.records.workers import worker_pool\n"
            "with worker_pool(2, functools.partial, operator.call) as call:\n"
            "    print(*set(call([os.getpid] * 40)), flush=True)\n"
            "    os.kill(os.getpid(), signal.SIGKILL)\n")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=600)
    processes = [int(number) for number in done.stdout.split()]
    assert len(processes) == 2, done.stderr
    for process in processes:
        with contextlib.suppress(ProcessLookupError):  # it has ended already
            ended, _, _ = select.select([os.pidfd_open(process)], [], [], 30)
            assert ended


class EagerExecutor:
    """Does the work when it is asked for, and counts what has been asked for but not yet taken."""

    def __init__(self):
        self.waiting = self.most_waiting = 0

    def submit(self, function, item):
        self.waiting += 1
        self.most_waiting = max(self.most_waiting, self.waiting)
        value = function(item)

        def result():
            self.waiting -= 1
            return value
        return type("Future", (), {"result": staticmethod(result)})


def test_only_a_few_items_are_in_flight():
    executor = EagerExecutor()
    read = itertools.count()
    results = map_in_order(executor, abs, (-number for number in iter(lambda: next(read), 50)), in_flight=4)
    assert [next(results), next(results)] == [0, 1]
    assert next(read) == 5, "four items were read for the first result, one more for the second"
    assert list(results)[-1] == 49
    assert executor.most_waiting == 4
