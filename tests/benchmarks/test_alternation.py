"""Workers that take turns, and rounds that do not count because others used the machine."""

import math
import os
import sys
import types

import pytest

from benchmarks import alternation
from benchmarks.alternation import (
    ProcessorTime,
    Worker,
    WorkerFailed,
    describe_machine,
    median_and_spread,
    other_load,
    processor_time,
    start_workers,
    take_turns,
)

WORKER = """
import os, sys
from benchmarks.alternation import forget_peak_memory, peak_memory, serve

def turn(number):
    print("what a library prints")
    with open(sys.argv[1], "a") as file:
        file.write(f"{sys.argv[2]}{number} ")
    return {"seconds": float(number)}

def work(million):
    sum(range(million * 1_000_000))
    return {}

def hold(megabytes):
    bytearray(b"x" * (megabytes << 20))
    before = peak_memory()
    forget_peak_memory()
    return {"before": before, "after": peak_memory()}

serve({"turn": turn, "work": work, "hold": hold, "fail": lambda: sys.exit("no more memory")})
"""


@pytest.fixture
def start(tmp_path, monkeypatch):
    monkeypatch.setattr(alternation, "SECONDS_BETWEEN_TURNS", 0.0)
    (tmp_path / "worker.py").write_text(WORKER)
    started = []

    def start_one(name):
        worker = Worker(name, [sys.executable, tmp_path / "worker.py", tmp_path / "turns", name],
                        log=tmp_path / f"{name}.log")
        started.append(worker)
        return worker

    yield start_one
    for worker in started:
        worker.close()


def variants_of(tmp_path, *names):
    (tmp_path / "worker.py").write_text(WORKER)
    return [types.SimpleNamespace(name=name, environment={"NAME": name}, command=[
        sys.executable, tmp_path / "worker.py", tmp_path / "turns", name]) for name in names]


def test_a_variant_that_fails_at_its_start_is_told_of_and_left_out(tmp_path):
    def prepare(worker, variant):
        return worker.ask("fail") if variant.name == "b" else worker.ask("turn", number=len(variant.name))

    said = []
    with start_workers(variants_of(tmp_path, "a", "b", "ccc"), prepare, folder=tmp_path, report=said.append) as started:
        assert [worker.name for worker in started.workers] == ["a", "ccc"]
        assert started.answers == {"a": {"seconds": 1.0}, "ccc": {"seconds": 3.0}}
        assert started.failures == {"b": "b ended at 'fail':\nno more memory"}
        pids = [worker.session for worker in started.workers]
    assert said == ["Starting a.", "Starting b.", "b ended at 'fail':\nno more memory", "Starting ccc."]
    assert not any(os.path.exists(f"/proc/{pid}") for pid in pids)


def test_nothing_is_measured_without_a_variant_that_is_needed(tmp_path):
    with pytest.raises(WorkerFailed, match="b ended at 'fail'"), start_workers(
            variants_of(tmp_path, "a", "b"), lambda worker, variant: worker.ask("fail"), folder=tmp_path,
            needed=["b"], report=lambda sentence: None):
        raise AssertionError("not reached")


def test_workers_take_turns(start, tmp_path):
    numbers = iter(range(100))
    rounds = take_turns([start("a"), start("b")], lambda name: [{"do": "turn", "number": next(numbers)}], rounds=3,
                        most_other_load=math.inf, report=lambda sentence: None)
    assert (tmp_path / "turns").read_text() == "a0 b1 a2 b3 a4 b5 "
    assert [turn["seconds"] for turn in rounds["b"]] == [1.0, 3.0, 5.0]
    assert all(turn["is_kept"] for turn in rounds["a"])
    assert "what a library prints" in (tmp_path / "a.log").read_text()


def test_a_round_in_which_others_worked_is_dropped(start, monkeypatch):
    moments = iter([ProcessorTime(0, 0, 0), ProcessorTime(8, 8, 4),  # alone
                    ProcessorTime(8, 8, 4), ProcessorTime(16, 12, 8)])  # others took 4 of 16 seconds or 2 of 8
    monkeypatch.setattr(alternation, "processor_time", lambda session: next(moments))
    rounds = take_turns([start("a")], lambda name: [{"do": "turn", "number": 1}], rounds=2,
                        report=lambda sentence: None)
    assert [turn["is_kept"] for turn in rounds["a"]] == [True, False]
    assert median_and_spread(rounds["a"], "seconds") == {
        "median": 1.0, "lowest": 1.0, "highest": 1.0, "kept_rounds": 1, "dropped_rounds": 1}


def test_other_load_is_what_the_worker_did_not_do():
    before = ProcessorTime(machine=10.0, own=3.0, clock=100.0)
    assert other_load(before, ProcessorTime(14.0, 7.0, 102.0), cores=2) == 0.0
    assert other_load(before, ProcessorTime(14.0, 6.0, 102.0), cores=2) == pytest.approx(0.25)
    assert other_load(before, ProcessorTime(14.0, 8.0, 102.0), cores=2) == 0.0  # clocks tick unevenly


def test_the_work_of_a_worker_counts_as_own(start):
    worker = start("a")
    worker.ask("turn", number=0)
    before = processor_time(worker.session)
    worker.ask("work", million=20)
    after, elsewhere = processor_time(worker.session), processor_time(session=-1)
    used = sum(os.times()[:4])
    assert after.own - before.own > 0.1
    assert elsewhere.own == pytest.approx(used, abs=0.5)
    assert after.machine - before.machine >= 0.9 * (after.own - before.own)


def test_peak_memory_counts_from_where_it_was_forgotten(start):
    answer = start("a").ask("hold", megabytes=200)
    assert answer["before"] > 200 << 20
    assert answer["after"] < answer["before"] - (100 << 20)


def test_a_worker_that_ends_says_why(start):
    with pytest.raises(WorkerFailed, match="a ended at 'fail':\nno more memory"):
        start("a").ask("fail")


def test_no_round_left_gives_no_median():
    found = median_and_spread([{"seconds": 1.0, "is_kept": False}], "seconds")
    assert found == {"median": None, "lowest": None, "highest": None, "kept_rounds": 0, "dropped_rounds": 1}


def test_the_machine_is_described_in_a_line():
    assert f"{alternation.CORES} cores, " in describe_machine() and "GB" in describe_machine()
