"""Work in spare time: used while there is some, left when somebody takes all."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from cl_localization.ros.workers.spare_time import (
    AVOID_S,
    LOOK_S,
    SpareTime,
    has_cpu_times,
    idle_seconds,
    thread_seconds,
)


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
