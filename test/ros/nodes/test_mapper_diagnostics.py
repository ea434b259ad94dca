"""The watch over a growing map: when it is examined, and what status and diagnostics get."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("cl_localization.msg", reason="ROS 2 or the built messages are not here: run scripts/test")

from cl_localization.msg import MappingStatus

from cl_localization.mapping.audit.health import MapHealth, map_health
from cl_localization.ros.nodes.mapper_diagnostics import PERIOD_KEYFRAMES, HealthWatch
from map_makers import empty_map

WRONG = MapHealth(("axes", "drift"), codes_seen_once_percent=90.0, matches_agree_percent=3.0)
KEYFRAME, KNOWN = SimpleNamespace(is_keyframe=True), SimpleNamespace(is_keyframe=False)


class Examined:
    """A mapper that counts how often it is asked."""

    def __init__(self) -> None:
        self.asked, self.map_code = 0, empty_map()
        self.without_scale: set[str] = set()
        self.apart: set[str] = set()

    def examine(self) -> MapHealth:
        self.asked += 1
        return WRONG


def test_a_map_is_examined_after_some_keyframes_and_not_for_other_images() -> None:
    watch, mapper = HealthWatch(), Examined()
    for result in [KEYFRAME] * (PERIOD_KEYFRAMES - 1) + [KNOWN, None] * 20:
        watch.observe(mapper, result)
    assert (mapper.asked, watch.problem) == (0, "")
    watch.observe(mapper, KEYFRAME)
    assert (mapper.asked, watch.problem) == (1, "axes; drift")


def test_a_map_is_examined_at_once_when_its_scale_is_not_known() -> None:
    watch, mapper = HealthWatch(), Examined()
    mapper.without_scale = {"default"}
    watch.observe(mapper, KEYFRAME)
    assert mapper.asked == 1


def test_a_map_is_examined_at_once_when_a_part_was_begun_or_joined() -> None:
    watch, mapper = HealthWatch(), Examined()
    for name in ("kitchen", "kitchen 2"):
        mapper.map_code.add_keyframe(np.eye(4), 1, mapper.map_code.scene_number(name))
    mapper.apart = {"kitchen 2"}
    watch.observe(mapper, KNOWN)
    assert mapper.asked == 1
    watch.health = map_health(mapper.map_code, apart=mapper.apart)
    watch.observe(mapper, KNOWN)
    assert mapper.asked == 1 and "kitchen (1 keyframes); kitchen 2 (1 keyframes)" in watch.problem
    mapper.map_code.join_scene(1, 0)
    watch.observe(mapper, KNOWN)
    assert mapper.asked == 2


def test_a_map_can_be_examined_at_once_and_is_then_not_soon_again() -> None:
    watch, mapper = HealthWatch(), Examined()
    for _ in range(PERIOD_KEYFRAMES - 1):
        watch.observe(mapper, KEYFRAME)
    watch.examine(mapper)
    assert (mapper.asked, watch.health) == (1, WRONG)
    watch.observe(mapper, KEYFRAME)
    assert mapper.asked == 1


def test_another_map_has_its_own_health() -> None:
    watch, mapper = HealthWatch(), Examined()
    for _ in range(PERIOD_KEYFRAMES):
        watch.observe(mapper, KEYFRAME)
    watch.use(mapper)
    assert watch.problem == ""
    mapper.map_code.health = WRONG.to_json()
    watch.use(mapper)
    assert watch.health == WRONG


def test_the_status_has_what_is_known() -> None:
    watch, mapper, status = HealthWatch(), Examined(), MappingStatus()
    mapper.map_code.health = WRONG.to_json()
    watch.use(mapper)
    watch.fill_status(status)
    assert list(status.health_warnings) == ["axes", "drift"] and status.codes_seen_once_percent == 90.0
    assert math.isnan(status.pose_innovation_factor) and math.isnan(status.depth_over_triangulated)
