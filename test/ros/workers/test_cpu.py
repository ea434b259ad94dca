"""Sharing the CPU: threads, niceness, turns."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import faiss
import pytest
import torch

from cl_localization.ros.workers.cpu import (
    AVOID_S,
    LOOK_S,
    SpareTime,
    has_cpu_times,
    idle_seconds,
    thread_seconds,
)

pytest.importorskip("rclpy", reason="ROS 2 is not here: run scripts/test")

from cl_localization.ros.workers.cpu import Turns, in_spare_time, settle_worker
from ros_world import WAIT_S, wait_until


def node(threads: int = 0, shares_process: bool = False) -> SimpleNamespace:
    """What settle_worker looks at of a node."""
    return SimpleNamespace(config=SimpleNamespace(threads=threads), shares_process=shares_process)


def settled(one: SimpleNamespace, niceness: int) -> tuple[int, int, int]:
    """What a thread has after settling: threads of networks, of searches, and its niceness above this thread's."""
    def work() -> tuple[int, int, int]:
        settle_worker(one, niceness)
        nice = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
        return torch.get_num_threads(), faiss.omp_get_max_threads(), nice

    threads_before = torch.get_num_threads()
    with ThreadPoolExecutor(1) as pool:
        network, search, nice = pool.submit(work).result(WAIT_S)
    torch.set_num_threads(threads_before)
    return network, search, nice - os.getpriority(os.PRIO_PROCESS, 0)


def test_a_worker_has_all_cores_unless_told_and_half_of_them_where_it_gives_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(6)))
    assert settled(node(), 0) == (6, 6, 0)
    assert settled(node(), 5)[:2] == (3, 3)
    assert settled(node(threads=2), 0) == (2, 2, 0)
    assert settled(node(shares_process=True), 5) == (6, 6, 0)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0})
    assert settled(node(), 5)[:2] == (1, 1)


@pytest.mark.skipif(os.getpriority(os.PRIO_PROCESS, 0) != 0, reason="the tests are run with a niceness themselves")
def test_niceness_holds_for_the_worker_only_and_not_in_a_shared_process() -> None:
    assert settled(node(), 7)[2] == 7
    assert settled(node(), 25)[2] == 19
    assert settled(node(shares_process=True), 7)[2] == 0


class Player:
    """Takes turns in a thread, one for each time it is let in."""

    def __init__(self, turn) -> None:
        self.working, self.leave = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self._work, args=(turn,), daemon=True)
        self.thread.start()

    def _work(self, turn) -> None:
        with turn():
            self.working.set()
            assert self.leave.wait(WAIT_S)


def test_only_one_works_at_a_time() -> None:
    turns = Turns()
    first = Player(turns.first)
    assert first.working.wait(WAIT_S)
    second = Player(turns.second)
    assert not second.working.wait(0.05)
    first.leave.set()
    assert second.working.wait(WAIT_S)
    again = Player(turns.first)
    assert not again.working.wait(0.05)
    second.leave.set()
    assert again.working.wait(WAIT_S)
    again.leave.set()


def test_the_second_gets_a_turn_after_a_while_though_the_first_has_always_something_to_do() -> None:
    turns, ended, got = Turns(patience_s=0.02), threading.Event(), []

    def busy() -> None:
        while not ended.is_set():
            with turns.first():
                ended.wait(0.005)

    thread = threading.Thread(target=busy, daemon=True)
    thread.start()
    for number in range(5):
        with turns.second():
            got.append(number)
    ended.set()
    thread.join(WAIT_S)
    assert got == [0, 1, 2, 3, 4] and not thread.is_alive()


def test_an_error_in_a_turn_ends_it() -> None:
    turns = Turns()
    for turn in (turns.first, turns.second):
        with pytest.raises(ZeroDivisionError), turn():
            raise ZeroDivisionError
    after = Player(turns.second)
    wait_until(after.working.is_set)
    after.leave.set()


@pytest.mark.parametrize("niceness, shares_process, expected", [
    (10, False, True), (0, False, False), (10, True, False)], ids=["gives way", "does not", "takes turns"])
def test_only_a_nice_process_of_its_own_works_in_spare_time(niceness, shares_process, expected) -> None:
    active, work = ExitStack(), threading.Event().set
    one = SimpleNamespace(active=active, **vars(node(shares_process=shares_process)))
    assert (in_spare_time(one, work, niceness) is not work) == expected
    active.close()


class Machine:
    """The clocks of a machine whose CPU does what a test says."""

    def __init__(self) -> None:
        self.now_s = self.idle_s = self.got_s = self.waited_s = 0.0

    def spare_time(self) -> SpareTime:
        return SpareTime(lambda: None, lambda: self.now_s, lambda: self.idle_s, lambda: (self.got_s, self.waited_s))

    def pass_time(self, seconds: float, idle_s: float = 0.0) -> None:
        self.now_s += seconds
        self.idle_s += idle_s

    def work(self, got_s: float, waited_s: float = 0.0) -> None:
        self.got_s += got_s
        self.waited_s += waited_s
        self.now_s += got_s + waited_s


def policy() -> int:
    return os.sched_getscheduler(threading.get_native_id())


def test_work_goes_to_a_thread_of_the_least_priority_only_while_the_cpu_has_time_to_spare() -> None:
    machine, policies = Machine(), []
    spare_time = machine.spare_time()
    work = spare_time.wrap(lambda item: policies.append(policy()))
    for idle_s in (0.0, LOOK_S, 0.0):
        machine.pass_time(LOOK_S, idle_s)
        work("image")
    assert policies == [os.SCHED_OTHER, os.SCHED_IDLE, os.SCHED_OTHER]
    spare_time.close()


def test_what_the_thread_itself_used_counts_as_spare() -> None:
    machine = Machine()
    spare_time = machine.spare_time()
    machine.pass_time(LOOK_S, LOOK_S)
    spare_time.wrap(machine.work)(LOOK_S * os.cpu_count())
    assert spare_time.is_available()
    spare_time.close()


def test_a_thread_that_hardly_got_a_core_is_left_alone_for_a_while() -> None:
    machine = Machine()
    spare_time = machine.spare_time()
    machine.pass_time(LOOK_S, LOOK_S)
    spare_time.wrap(lambda item: machine.work(0.1, 10.0))("image")
    machine.pass_time(AVOID_S / 2, AVOID_S)
    assert not spare_time.is_available()
    machine.pass_time(AVOID_S / 2, AVOID_S)
    assert spare_time.is_available()
    spare_time.close()


def test_what_the_work_raises_reaches_the_caller_in_either_thread() -> None:
    machine, seen = Machine(), []

    def fail(item: str) -> None:
        seen.append(policy())
        raise ValueError(item)

    spare_time = machine.spare_time()
    for idle_s in (0.0, LOOK_S):
        machine.pass_time(LOOK_S, idle_s)
        with pytest.raises(ValueError, match="image"):
            spare_time.wrap(fail)("image")
    assert seen == [os.SCHED_OTHER, os.SCHED_IDLE]
    spare_time.close()


def test_the_clocks_are_read_from_the_kernel(tmp_path: Path) -> None:
    stat = tmp_path / "stat"
    stat.write_text("cpu  10 20 30 400 50 6 7 0 0 0\ncpu0 1 2 3 4 5\n")
    assert idle_seconds(stat) == 450 / os.sysconf("SC_CLK_TCK")
    assert idle_seconds() > 0
    assert has_cpu_times() and not has_cpu_times(tmp_path)
    before_s = thread_seconds()
    sum(range(1_000_000))
    assert thread_seconds()[0] > before_s[0]
