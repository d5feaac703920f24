"""Long-lived worker processes that work in turns (A B A B ...), and what else the machine did meanwhile.

A worker is a program that calls `serve`: it reads one request (a line of JSON) at a time, answers it, and sleeps on its
standard input in between. Only the standard library is used, because workers run in other interpreters, too.
"""

import argparse
import collections
import contextlib
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import time
from typing import NamedTuple

ROOT = pathlib.Path(__file__).resolve().parent.parent
CORES = len(os.sched_getaffinity(0))
SECONDS_BETWEEN_TURNS = 1.0  # the threads of the one before still spin for a while
MOST_OTHER_LOAD = 0.05  # of all cores; a round in which others took more is dropped
_TICKS = os.sysconf("SC_CLK_TCK")
# Fields of /proc/PID/stat after the name in parentheses: session, then the times of a process and of its dead children.
_SESSION, _FIRST_TIME, _LAST_TIME = 3, 11, 15
# Fields of the first line of /proc/stat: user, nice, system, idle, iowait, irq, softirq, steal.
_IDLE, _STEAL = (3, 4), 7
_LOG_LINES = 15


class WorkerFailed(Exception):
    """A worker ended without an answer; the text is the end of what it said."""


# --- the worker's side -------------------------------------------------------------------------------------------

def serve(commands):
    """Answers requests until there are no more.

    Args:
        commands: name -> function whose keyword arguments come from the request and whose result JSON can hold.

    >>> serve({"round": lambda steps: {"seconds": time_of(steps)}})
    """
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever libraries print does not belong among the answers
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(commands[request.pop("do")](**request)), file=answers, flush=True)


def forget_peak_memory():
    """From now on `peak_memory` counts anew, from what is held now."""
    pathlib.Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def peak_memory():
    """Bytes of the largest resident set of this process since its start or `forget_peak_memory`."""
    status = pathlib.Path("/proc/self/status").read_text(encoding="utf-8")
    return 1024 * int(status.partition("VmHWM:")[2].split()[0])


def timed_steps(run, steps):
    """What a worker answers to "round": seconds of each step, and the largest memory since the warm-up.

    Args:
        run: function of a number of steps, which are done when it returns.
        steps: how many to take.

    >>> timed_steps(run, 4)   # {"seconds": 0.5, "peak_memory": 1500000000}
    """
    began = time.perf_counter()
    run(steps)
    return {"seconds": (time.perf_counter() - began) / steps, "peak_memory": peak_memory()}


# --- the measuring side ------------------------------------------------------------------------------------------

class Worker:
    """A process that answers requests, in a session of its own.

    Args:
        name: what it is called in tables and messages.
        command: list of str, the program and its arguments.
        log: path of the file that takes what it prints.
        environment: names -> values besides this process' own.

    >>> with Worker("ours", [sys.executable, "worker.py"], log="ours.log") as worker:
    ...     worker.ask("round", steps=4)
    """

    def __init__(self, name, command, *, log, environment=None):
        self.name, self._log = name, pathlib.Path(log)
        with open(self._log, "w", encoding="utf-8") as log_file:
            self._process = subprocess.Popen(
                [str(part) for part in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log_file,
                text=True, start_new_session=True, env={**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})})

    @property
    def session(self):
        return self._process.pid

    def ask(self, do, **settings):
        """The answer to a request.

        Raises:
            WorkerFailed: there is none.
        """
        try:
            print(json.dumps({"do": do, **settings}), file=self._process.stdin, flush=True)
            answer = self._process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            said = self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LOG_LINES:]
            raise WorkerFailed(f"{self.name} ended at {do!r}:\n" + "\n".join(said))
        return json.loads(answer)

    def close(self):
        """Ends it: at the end of its input a worker stops."""
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()


class Started(NamedTuple):
    """The workers that could be started; by name, what these answered and what the others said at their end."""

    workers: list
    answers: dict
    failures: dict


@contextlib.contextmanager
def start_workers(variants, prepare, *, folder, needed=(), report=print):
    """A worker for each variant; one that ends while it is made ready is told of and left out.

    Args:
        variants: list of what has a name, a command and an environment, as `Worker` takes them.
        prepare: function (worker, variant) that makes the worker ready; what it returns is kept.
        folder: pathlib.Path of a folder for what they print.
        needed: names of variants without which there is nothing to measure.
        report: function of one sentence.

    Yields:
        Started.

    Raises:
        WorkerFailed: a variant in `needed` ended.

    >>> with start_workers(variants, lambda worker, variant: worker.ask("build"), folder=folder) as started:
    ...     take_turns(started.workers, ...)
    """
    started = Started([], {}, {})
    with contextlib.ExitStack() as stack:
        for number, variant in enumerate(variants):
            report(f"Starting {variant.name}.")
            worker = stack.enter_context(Worker(variant.name, variant.command, log=folder / f"{number}.log",
                                                environment=variant.environment))
            try:
                started.answers[variant.name] = prepare(worker, variant)
                started.workers.append(worker)
            except WorkerFailed as failure:
                if variant.name in needed:
                    raise
                started.failures[variant.name] = str(failure)
                report(str(failure))
        yield started


class ProcessorTime(NamedTuple):
    """Seconds up to a moment: of all cores' work, of the work that is ours, and by the clock."""

    machine: float
    own: float
    clock: float


def processor_time(session):
    """What the machine, and this process with the session of a worker, have done up to now."""
    own = sum(os.times()[:4])
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue  # ended meanwhile
        if int(fields[_SESSION]) == session:
            own += sum(map(int, fields[_FIRST_TIME:_LAST_TIME])) / _TICKS
    with open("/proc/stat", encoding="ascii") as file:
        numbers = [int(field) for field in file.readline().split()[1:_STEAL + 2]]
    busy = sum(number for place, number in enumerate(numbers) if place not in _IDLE)
    return ProcessorTime(busy / _TICKS, own, time.monotonic())


def other_load(before, after, *, cores=CORES):
    """Share of the cores that others took between two moments, 0..1.

    >>> other_load(ProcessorTime(0, 0, 0), ProcessorTime(3.0, 2.5, 2.0), cores=2)   # 0.125
    """
    others = (after.machine - before.machine) - (after.own - before.own)
    return max(0.0, others / (cores * (after.clock - before.clock)))


def take_turns(workers, requests, *, rounds, most_other_load=MOST_OTHER_LOAD, report=print):
    """Asks every worker the same in turns.

    Args:
        workers: list of Worker.
        requests: function of a worker's name -> list of requests (dictionaries with "do"), made in each of its turns.
        rounds: number of turns of each worker.
        most_other_load: share of the cores, 0..1.
        report: function of one sentence for each round.

    Returns:
        name -> list of rounds: the answers' fields together with "other_load", and "is_kept", False where others took
        more of the machine than `most_other_load`.
    """
    found = collections.defaultdict(list)
    for number in range(1, rounds + 1):
        for worker in workers:
            time.sleep(SECONDS_BETWEEN_TURNS)
            before, answer = processor_time(worker.session), {}
            for request in requests(worker.name):
                answer |= worker.ask(**request)
            load = round(other_load(before, processor_time(worker.session)), 4)
            found[worker.name].append({**answer, "other_load": load, "is_kept": load <= most_other_load})
        loads = [turns[-1]["other_load"] for turns in found.values()]
        report(f"Round {number} of {rounds}: others took up to {max(loads):.0%} of the machine.")
    return dict(found)


def median_and_spread(rounds, name):
    """A number's median over the kept rounds, its extremes, and how many rounds were dropped.

    Args:
        rounds: list of rounds from `take_turns`.
        name: the number's name in them.

    Returns:
        dict of median, lowest, highest (None where no round was kept), kept_rounds, dropped_rounds.

    >>> median_and_spread([{"s": 2.0, "is_kept": True}, {"s": 9.0, "is_kept": False}], "s")["median"]   # 2.0
    """
    values = [turn[name] for turn in rounds if turn["is_kept"]]
    return {"median": statistics.median(values) if values else None, "lowest": min(values, default=None),
            "highest": max(values, default=None), "kept_rounds": len(values),
            "dropped_rounds": len(rounds) - len(values)}


def describe_machine():
    """One line: cores, processor, what it can do with bfloat16, memory."""
    about = _processor()
    model = about.partition("model name")[2].partition("\n")[0].strip("\t :") or platform.machine()
    gigabytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    able = ", ".join(_instructions()[:2])
    return f"{CORES} cores, {model} ({able}), {gigabytes:.0f} GB, Python {platform.python_version()}"


def best_instructions():
    """What decides how fast matrices are multiplied here, as "AVX2"; empty where it is none that is known."""
    return "".join(_instructions()[:1])


def _instructions():
    flags = set(_processor().partition("\nflags")[2].partition("\n")[0].split())
    return [name for flag, name in (("amx_bf16", "AMX"), ("avx512_bf16", "AVX-512 BF16"), ("avx512f", "AVX-512"),
                                    ("avx2", "AVX2")) if flag in flags]


def _processor():
    return pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8")


def add_options(parser, *, rounds):
    """The options of all benchmarks with workers: which of them, for how long, under what load, and where to."""
    parser.add_argument("--without", type=lambda text: text.split(","), default=[],
                        help="words; variants whose name holds one are left out, as compiled")
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--most_other_load", type=float, default=MOST_OTHER_LOAD,
                        help="share of the machine that others may take in a round that counts, 0..1")
    parser.add_argument("--torch_python", default=".venv-torch/bin/python",
                        help="interpreter with torch and transformers")
    parser.add_argument("--output", required=True, type=pathlib.Path)


def names_out_of(known):
    """Type of an option that takes names with commas between them."""
    def read(text):
        names = [name for name in text.split(",") if name]
        if unknown := [name for name in names if name not in known]:
            raise argparse.ArgumentTypeError(f"{unknown[0]!r} is not known; choose out of {', '.join(known)}")
        return names
    return read


def say(sentence):
    """Tells of the run's progress, apart from what it prints at its end."""
    print(sentence, file=sys.stderr, flush=True)
