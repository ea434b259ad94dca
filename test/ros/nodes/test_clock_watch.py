"""Whether a node's clock runs, by the steady clock of the machine."""

from __future__ import annotations

from types import SimpleNamespace

from cl_localization.ros.nodes.diagnostics import PATIENCE_S, ClockWatch


class Clock:
    """A ROS clock that stands where it is put."""

    def __init__(self, simulated: bool) -> None:
        self.ns, self.ros_time_is_active = 0, simulated

    def now(self) -> SimpleNamespace:
        return SimpleNamespace(nanoseconds=self.ns)


def test_simulated_time_that_never_comes_is_an_error_by_wall_clock() -> None:
    clock, now_s = Clock(simulated=True), 100.0
    watch = ClockWatch(clock, lambda: now_s)
    assert watch.problem == "" and watch.is_missing
    now_s += PATIENCE_S + 1
    assert watch.problem.startswith("use_sim_time is set, but nothing publishes /clock; start the simulator")
    clock.ns = 10
    assert watch.problem == "" and not watch.is_missing


def test_a_clock_that_stands_still_is_named() -> None:
    clock, now_s = Clock(simulated=True), 100.0
    clock.ns = 10
    watch = ClockWatch(clock, lambda: now_s)
    assert watch.problem == ""
    now_s += 7
    assert watch.problem == "/clock has stood still for 7 s"


def test_the_system_s_clock_needs_no_watch() -> None:
    clock, now_s = Clock(simulated=False), 100.0
    watch = ClockWatch(clock, lambda: now_s)
    now_s += 100
    assert watch.problem == "" and not watch.is_missing
