"""The present on the clock of the images."""

from __future__ import annotations

import pytest

pytest.importorskip("cl_localization.msg", reason="ROS 2 or the built messages are not here: run scripts/test")

from rclpy.time import Time

from cl_localization.ros.images.images_clock import ImagesClock

SECOND = 1_000_000_000


class FakeClock:
    """A node's clock that stands where it is put."""

    def __init__(self, simulated: bool = False) -> None:
        self.ns, self.ros_time_is_active = 500 * SECOND, simulated

    def now(self) -> Time:
        return Time(nanoseconds=self.ns)


class Times:
    """The clock under test between a system clock and a steady one, both in our hands."""

    def __init__(self, simulated: bool = False) -> None:
        self.system, self.steady_ns = FakeClock(simulated), 7 * SECOND
        self.clock = ImagesClock(self.system, lambda: self.steady_ns)

    def go_on(self, seconds: float) -> None:
        self.system.ns += round(seconds * SECOND)
        self.steady_ns += round(seconds * SECOND)


def test_for_a_driver_s_images_it_is_the_node_s_clock() -> None:
    times = Times()
    assert times.clock.now_ns() == 500 * SECOND
    times.clock.observe(times.system.ns - SECOND // 20)
    times.go_on(0.25)
    assert times.clock.now_ns() == times.system.ns and times.clock.silent_ns() == SECOND // 4


@pytest.mark.parametrize("stamp_ns", [20 * SECOND, 900 * SECOND])
def test_for_a_bag_that_plays_without_a_clock_it_goes_on_from_the_last_stamp(stamp_ns: int) -> None:
    times = Times()
    times.clock.observe(stamp_ns)
    times.go_on(0.3)
    assert times.clock.now_ns() == stamp_ns + round(0.3 * SECOND) and times.clock.silent_ns() == round(0.3 * SECOND)


def test_a_system_clock_that_is_set_between_images_changes_nothing() -> None:
    times = Times()
    times.clock.observe(times.system.ns)
    times.system.ns += 3600 * SECOND
    assert times.clock.now_ns() == 500 * SECOND and times.clock.silent_ns() == 0


def test_simulated_time_is_what_it_says_and_stands_while_that_stands() -> None:
    times = Times(simulated=True)
    times.clock.observe(400 * SECOND)
    times.steady_ns += 50 * SECOND
    assert times.clock.now_ns() == 500 * SECOND and times.clock.silent_ns() == 0
    times.system.ns += 2 * SECOND
    assert times.clock.silent_ns() == 2 * SECOND


def test_simulated_time_that_never_comes_does_not_stop_the_time() -> None:
    times = Times(simulated=True)
    times.system.ns = 0
    times.clock.observe(400 * SECOND)
    times.steady_ns += 5 * SECOND
    assert times.clock.now_ns() == 405 * SECOND and times.clock.silent_ns() == 5 * SECOND


def test_for_images_that_come_three_seconds_late_it_is_the_node_s_clock() -> None:
    times = Times()
    times.clock.observe(times.system.ns - 3 * SECOND)
    times.go_on(0.1)
    assert times.clock.now_ns() == times.system.ns
