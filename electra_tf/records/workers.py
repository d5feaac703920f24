"""Worker processes that answer one request after the other, in order, reading only a few requests ahead.

Plain subprocesses that speak pickle over pipes: the children of `multiprocessing` would run the caller's main script
again, which imports TensorFlow into each of them, or fails where the script has no `__main__` guard.
"""

import collections
import concurrent.futures
import contextlib
import functools
import gc
import os
import pathlib
import pickle
import queue
import signal
import subprocess
import sys

import electra_tf
from electra_tf.errors import InputError

_IN_FLIGHT_PER_WORKER = 3


@contextlib.contextmanager
def worker_pool(workers, make_work, *arguments):
    """A function like `map` of one piece of work, spread over processes.

    Args:
        workers: number of processes; 1 works in this process.
        make_work: function at the top of a module; `make_work(*arguments)` gives the work of one process, a function
            of one item.
        arguments: what can be pickled.

    Yields:
        Function (items) -> iterator of the results in the order of the items.

    Raises:
        InputError: the system killed a process.
        RuntimeError: the work raised an error, which stands on stderr.

    >>> with worker_pool(2, make_packer, vocabulary, settings) as pack:
    ...     for packed in pack(chunks): ...
    """
    if workers == 1:
        yield functools.partial(map, make_work(*arguments))
        return
    with contextlib.ExitStack() as stack:
        idle = queue.SimpleQueue()
        for _ in range(workers):
            idle.put(stack.enter_context(_WorkerProcess(make_work, arguments)))

        def answer(item):
            process = idle.get()
            try:
                return process.answer(item)
            finally:
                idle.put(process)

        executor = stack.enter_context(concurrent.futures.ThreadPoolExecutor(workers))
        try:
            yield functools.partial(map_in_order, executor, answer, in_flight=workers * _IN_FLIGHT_PER_WORKER)
        finally:
            executor.shutdown(wait=False, cancel_futures=True)


def map_in_order(executor, function, items, *, in_flight):
    """`map` over an executor that takes at most `in_flight` items before their results are asked for.

    >>> list(map_in_order(executor, abs, [-1, -2, -3], in_flight=2))   # [1, 2, 3]
    """
    waiting = collections.deque()
    for item in items:
        waiting.append(executor.submit(function, item))
        if len(waiting) >= in_flight:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


class _WorkerProcess(contextlib.AbstractContextManager):
    """One process that runs `_serve`; ends when its stdin is closed, so also when this process dies."""

    def __init__(self, make_work, arguments):
        package_folder = pathlib.Path(electra_tf.__file__).resolve().parents[1]
        paths = [str(package_folder), *filter(None, [os.environ.get("PYTHONPATH")])]
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)})
        self._start = (make_work, arguments)

    def answer(self, item):
        try:
            if self._start:
                self._send(self._start)
                self._start = None
            self._send(item)
            return pickle.load(self._process.stdout)
        except (EOFError, BrokenPipeError, pickle.UnpicklingError):
            pass
        code = self._process.wait()
        if code == -signal.SIGKILL:
            raise InputError("the system killed a worker process, most likely for lack of memory; use fewer workers.")
        raise RuntimeError(f"a worker process ended with code {code}; its error stands above.")

    def _send(self, value):
        pickle.dump(value, self._process.stdin, protocol=pickle.HIGHEST_PROTOCOL)
        self._process.stdin.flush()

    def __exit__(self, *error):
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()


def _serve():
    """The life of a worker process: make the work, then answer items until there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the parent, which closes the pipe
    gc.disable()  # packing makes no reference cycles, and looking for them through a million words costs a tenth
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever is printed must not end up among the answers
    work = None
    while True:
        try:
            if work is None:
                make_work, arguments = pickle.load(requests)
                work = make_work(*arguments)
            item = pickle.load(requests)
        except EOFError:
            return
        pickle.dump(work(item), answers, protocol=pickle.HIGHEST_PROTOCOL)
        answers.flush()


if __name__ == "__main__":
    _serve()
