"""What a node says of itself: rates and latency of the last seconds, and what the levels mean."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from types import SimpleNamespace

import pytest

from cl_localization.ros.nodes.diagnostics import Refusals

pytest.importorskip("cl_localization.msg", reason="ROS 2 or the built messages are not here: run scripts/test")

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from hypothesis import given
from hypothesis import strategies as st
from rclpy.parameter import Parameter

from cl_localization.errors import RosError
from cl_localization.ros.nodes.config import NodeConfig
from cl_localization.ros.nodes.diagnostics import MAX_SAMPLES, NodeDiagnostics, Rates, Window, memory_mb
from cl_localization.ros.nodes.managed_node import ManagedNode
from ros_world import RosWorld, wait_until


class Clock:
    """A clock that is set."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_a_window_forgets_what_is_older_than_it() -> None:
    clock = Clock()
    window = Window(clock)
    assert math.isnan(window.percentile(50))
    window.add(1.0)
    clock.now_s += 6
    window.add(3.0)
    assert window.percentile(50) == 2.0 and window.values() == [1.0, 3.0]
    clock.now_s += 6
    assert window.values() == [3.0]
    clock.now_s += 6
    assert math.isnan(window.percentile(95))


def test_a_window_is_bounded_in_memory() -> None:
    window = Window(Clock())
    for number in range(MAX_SAMPLES + 5):
        window.add(float(number))
    assert len(window.values()) == MAX_SAMPLES


@given(st.lists(st.tuples(st.floats(0.05, 3), st.integers(0, 50)), min_size=1, max_size=60))
def test_a_rate_is_the_growth_over_the_last_seconds(steps: list[tuple[float, int]]) -> None:
    clock = Clock()
    rates, count, history = Rates(clock), 0, [(clock.now_s, 0)]
    assert math.isnan(rates.hz("images", 0))
    for pause_s, more in steps:
        clock.now_s, count = clock.now_s + pause_s, count + more
        history.append((clock.now_s, count))
        found = rates.hz("images", count)
        since_s, before = max(((at_s, one) for at_s, one in history if clock.now_s - at_s >= 10.0), default=history[0])
        assert found == pytest.approx((count - before) / (clock.now_s - since_s))


def test_a_counter_that_was_set_back_begins_anew() -> None:
    clock = Clock()
    rates = Rates(clock)
    rates.hz("images", 100)
    clock.now_s += 1
    assert math.isnan(rates.hz("images", 0))
    clock.now_s += 1
    assert rates.hz("images", 5) == 5.0


def nothing(item: object) -> str:
    """Work that succeeds."""
    return ""


def diagnosed(ros: RosWorld, problem: str = "", processed: tuple[int, ...] = (0, 5),
              work: Callable[[object], str] = nothing) -> list[DiagnosticStatus]:
    """The statuses of a node that published once after each count of items, and was then deactivated."""
    heard = ros.heard(DiagnosticArray, "/diagnostics")
    node = ros.add(ManagedNode("watched", NodeConfig(), context=ros.context))
    diagnostics = NodeDiagnostics(node)
    wait_until(lambda: diagnostics._publisher.get_subscription_count())
    watched, done = diagnostics.watch(work), 0
    for count in processed:
        for _ in range(done, count):
            with suppress(RosError):
                watched(SimpleNamespace(arrived_s=0.0))
        done = count
        diagnostics.publish([problem], {"processed": count}, None, {"state": "TRACKING"})
    node.active.close()
    wait_until(lambda: len(heard) > len(processed))
    return [array.status[0] for array in heard]


def test_a_status_has_name_hardware_and_all_values_with_units(ros: RosWorld) -> None:
    status = diagnosed(ros)[1]
    values = {entry.key: entry.value for entry in status.values}
    assert (status.name, status.level, status.message) == ("/watched", DiagnosticStatus.OK, "OK") and status.hardware_id
    assert list(values) == ["processed", "refused", "processed [Hz]", "refused [Hz]", "latency p50 [ms]",
                            "latency p95 [ms]", "map", "map version", "codes", "map digest", "state",
                            "memory [MB]"]
    assert (
        values["state"] == "TRACKING" and float(values["processed [Hz]"]) > 0 and float(values["latency p50 [ms]"]) > 0
    )
    assert 10 < float(values["memory [MB]"]) < 100_000 and memory_mb() > 10


def test_a_problem_is_a_warning_while_items_are_worked_on_and_an_error_when_none_are(ros: RosWorld) -> None:
    warned = diagnosed(ros, "images lost")
    assert [status.level for status in warned] == [DiagnosticStatus.WARN, DiagnosticStatus.WARN, DiagnosticStatus.STALE]
    assert warned[1].message == "images lost"


def test_a_problem_of_a_node_that_does_nothing_is_an_error(ros: RosWorld) -> None:
    assert diagnosed(ros, "no images", (3, 3))[1].level == DiagnosticStatus.ERROR


def test_a_node_that_is_not_active_says_stale_once(ros: RosWorld) -> None:
    statuses = diagnosed(ros)
    assert [status.level for status in statuses] == [DiagnosticStatus.OK, DiagnosticStatus.OK, DiagnosticStatus.STALE]
    assert statuses[-1].message == "not active"


def test_a_node_that_refuses_every_image_warns_and_then_reports_an_error(ros: RosWorld) -> None:
    def refuse(item: object) -> str:
        raise RosError("camera_info", "must hold a calibration")
    first, second, third, _ = diagnosed(ros, processed=(1, 20, 40), work=refuse)
    assert (first.level, first.message) == (DiagnosticStatus.WARN,
                                            "the last image was refused: camera_info must hold a calibration")
    assert second.level == DiagnosticStatus.ERROR and second.message.startswith("the last 20 images were refused: ")
    assert third.level == DiagnosticStatus.ERROR


def test_a_clock_that_never_comes_is_an_error_though_images_are_processed(ros: RosWorld) -> None:
    heard = ros.heard(DiagnosticArray, "/diagnostics")
    node = ros.add(ManagedNode("watched", NodeConfig(), context=ros.context,
                               parameter_overrides=[Parameter("use_sim_time", value=True)]))
    diagnostics, count = NodeDiagnostics(node), 0
    diagnostics._clock._moved_s -= 10.0

    def publish() -> bool:
        nonlocal count
        count += 1
        diagnostics.watch(nothing)(SimpleNamespace(arrived_s=0.0))
        diagnostics.publish([], {"processed": count}, None, {})
        return bool(heard)
    wait_until(publish)
    node.active.close()
    assert heard[0].status[0].level == DiagnosticStatus.ERROR
    assert heard[0].status[0].message.startswith("use_sim_time is set, but nothing publishes /clock")


def test_the_last_refusal_is_a_problem_until_an_image_succeeds() -> None:
    refusals, problems = Refusals(), []
    for reason in ("the image has no timestamp", "another reason", "", "again"):
        refusals.refuse(reason) if reason else refusals.succeed()
        problems.append(refusals.problem)
    assert problems == ["the last image was refused: the image has no timestamp",
                        "the last 2 images were refused: another reason", "", "the last image was refused: again"]
    assert (refusals.succeeded, refusals.refused) == (1, 3)


def test_an_error_of_any_kind_is_a_refusal_and_goes_on_its_way() -> None:
    refusals = Refusals()
    with pytest.raises(KeyError):
        refusals.watch(lambda item: {}[item])("frame")
    assert refusals.problem == "the last image was refused: 'frame'"
