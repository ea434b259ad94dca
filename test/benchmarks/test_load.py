"""More images than the CPU can work on never queue up; real nodes under load, for long."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest

pytest.importorskip("cl_localization.msg", reason="ROS 2 or the built messages are not here: run scripts/test")

from cl_localization.msg import LocalizationStatus
from diagnostic_msgs.msg import DiagnosticArray

from benchmarks.image_rate import run_image_rate
from benchmarks.load import LoadOutcome, Shown, run_load
from benchmarks.nodes import house, load_row, soak_rows
from benchmarks.soak import run_soak
from cl_localization.localizer import Localizer
from cl_localization.ros.conversions import stamp_ns
from cl_localization.ros.nodes.localizer import LocalizerNode
from ros_robot import Robot
from ros_world import wait_until

FLOOD, SLOW_S = 40, 0.3
MAX_BEHIND = 8
"""A backlog would make the last images of a flood some fifteen behind the newest; a busy machine alone delays them by a
few."""


def test_a_flood_of_images_is_served_by_the_newest_and_the_others_are_counted(ros, room, room_map, frames,
                                                                              monkeypatch) -> None:
    robot, worked_on, original = Robot(ros, room), [], Localizer.localize

    def slow(localizer: Localizer, frame, *guess):
        newest_ns = max(list(robot.shown))
        found = original(localizer, frame, *guess)
        wait_until(lambda: max(list(robot.shown)) > newest_ns + SLOW_S * 1e9 or len(robot.shown) >= FLOOD)
        worked_on.append((newest_ns, frame.stamp_ns))
        return found

    node = ros.start(LocalizerNode, map_file=str(room_map), diagnostics_period_s=0.1)
    statuses, arrays = ros.heard(LocalizationStatus, "/localizer/status"), ros.heard(DiagnosticArray, "/diagnostics")
    robot.show_until(frames, lambda: any(status.reason == "ok" for status in statuses))
    monkeypatch.setattr(Localizer, "localize", slow)
    shown_before = len(robot.shown)
    robot.show_until(frames, lambda: len(robot.shown) >= max(FLOOD, shown_before + FLOOD // 2))
    last_ns = max(robot.shown)
    monkeypatch.undo()
    robot.show_until(frames, lambda: any(stamp_ns(status.header.stamp) >= last_ns for status in statuses))
    stamps = [stamp_ns(status.header.stamp) for status in statuses]
    assert stamps == sorted(stamps) and worked_on
    shown = sorted(robot.shown)
    assert all(shown.index(newest) - shown.index(taken) <= MAX_BEHIND for newest,
               taken in worked_on), "an old image was served"
    values = wait_until(lambda: [values for values in ({entry.key: entry.value for entry in array.status[0].values}
                                                       for array in arrays)
                                 if int(values.get("dropped", 0)) > 0])[-1]
    assert float(values["dropped [Hz]"]) > 0 and int(values["waiting"]) <= 1
    assert node._stream.answered + node._stream.dropped >= len(stamps)


@pytest.fixture(scope="module")
def small_house() -> Iterator[Shown]:
    """A house that is mapped, and a way through it, as small images."""
    with house(3, 10.0, "160x120", mapped=30, shown=15) as shown:
        yield shown


@pytest.mark.parametrize(("mapper", "title"), [
    ("process", "mapper in a process of its own"),
    pytest.param("none", "alone", marks=pytest.mark.long),
    pytest.param("composed", "mapper in the same process", marks=pytest.mark.long)])
def test_nodes_alone_beside_a_mapper_and_composed_serve_poses(small_house: Shown, mapper: str, title: str) -> None:
    outcome = run_load(mapper, "all", small_house, 0.5, 3.0)
    assert outcome.served_hz > 0 and outcome.latency_ms(50) <= outcome.latency_ms(95)
    assert (outcome.learned_hz > 0) == (mapper != "none") and load_row(outcome, 1.5)[0] == title


def test_poses_on_tf_are_counted_with_the_time_that_they_take(small_house: Shown) -> None:
    outcome = run_image_rate("none", True, small_house, 0.5, 2.0)
    assert outcome.tf_hz > 0 and 0 < outcome.latency_ms_p50 <= outcome.latency_ms_p95


def test_a_run_without_poses_has_no_latency() -> None:
    assert math.isnan(LoadOutcome("none", "all", 10.0, 0.0, 0.0, []).latency_ms(50))


def test_memory_and_latency_of_a_short_soak_are_measured_and_bounded(small_house: Shown) -> None:
    outcome = run_soak(small_house, 0.5, 2.0, 8.0)  # at 10 Hz; the long one below is at full rate
    assert outcome.images > 0 and outcome.learned > 0 and len(outcome.latency_ms) > 0
    assert all(outcome.memory_growth_percent(node) < 20 for node in ("mapper", "localizer"))
    assert len(soak_rows(outcome)) == 10


@pytest.mark.long
def test_memory_stays_flat_for_half_an_hour_at_full_rate() -> None:
    with house(3, 30.0, "320x240", mapped=60, shown=30) as shown:
        outcome = run_soak(shown, 4.0, 120.0, 1800.0)
    assert all(outcome.memory_growth_percent(node) < 2 for node in ("mapper", "localizer"))
