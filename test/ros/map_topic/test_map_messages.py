"""MapCode messages: exact round trips, and nothing believed that does not fit together."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("cl_localization.msg", reason="ROS 2 or the built messages are not here: run scripts/test")

import contextlib

from builtin_interfaces.msg import Time
from cl_localization.msg import MapCode as MapCodeMessage
from hypothesis import given
from hypothesis import strategies as st
from rclpy.serialization import deserialize_message, serialize_message

from cl_localization.config import MapCodeConfig
from cl_localization.errors import LocalizationError, MapError, RosError
from cl_localization.map.map_code import MapCode
from cl_localization.ros.map_topic.map_messages import COLUMNS, checksum, map_delta, map_message
from map_makers import assert_same_map, empty_map, grow


def message_of(steps: int = 2, since: int = 0) -> MapCodeMessage:
    """What a mapper sends of a small map."""
    map_code = empty_map()
    for _ in range(steps):
        grow(map_code)
    return map_message(map_code.delta_since(since), 123)


def over_the_wire(message: MapCodeMessage) -> MapCodeMessage:
    return deserialize_message(serialize_message(message), MapCodeMessage)


@given(st.integers(0, 4), st.integers(1, 40), st.sampled_from([1, 8, 64]))
def test_a_snapshot_comes_back_exactly(steps: int, codes: int, dim: int) -> None:
    map_code = empty_map(dim=dim)
    for _ in range(steps):
        grow(map_code, codes)
    received = map_delta(over_the_wire(map_message(map_code.delta_since(0), 123)))
    assert_same_map(MapCode.from_snapshot(received, MapCodeConfig()), map_code)


@given(st.integers(1, 3), st.integers(1, 3), st.integers(0, 4))
def test_a_delta_brings_a_copy_to_the_same_map(before: int, after: int, removed: int) -> None:
    map_code = empty_map()
    for _ in range(before):
        grow(map_code)
    copy = MapCode.from_snapshot(map_delta(over_the_wire(map_message(map_code.delta_since(0), 1))), MapCodeConfig())
    version = map_code.version
    for _ in range(after):
        grow(map_code)
    map_code.remove(map_code.codes.rows()[:removed])
    copy.apply(map_delta(over_the_wire(map_message(map_code.delta_since(version), 2))))
    assert_same_map(copy, map_code)


def test_stamp_and_frame_are_in_the_header() -> None:
    message = message_of()
    assert message.header.frame_id == "map"
    assert (message.header.stamp.sec, message.header.stamp.nanosec) == (0, 123)


@pytest.mark.parametrize("field, value, kind, match", [
    ("dim", 0, RosError, "dim must lie in"), ("dim", 9, RosError, "keys must have"),
    ("dim", 2**32 - 1, RosError, "dim must lie in"),
    ("map_id", "", RosError, "map_id must have 1 to"), ("encoder", "x" * 2000, RosError, "encoder must have 1 to"),
    ("scene_names", [""], RosError, "scene must have 1 to"),
    ("scene_names", ["a"] * 70000, RosError, "scene_names must be at most"),
    ("source", "x" * 2000, RosError, "source must have at most"),
    ("scene_names", [], MapError, "scenes must be below"), ("cell_size_m", 0.0, MapError,
                                                            "cell_size_m must be positive"),
    ("cell_size_m", float("nan"), MapError, "cell_size_m must be positive"),
    ("base_version", 10**6, MapError, "must be above its base"),
    ("keys", [1, 2], RosError, "keys must have"), ("positions_m", [0.0], RosError, "positions_m must have"),
    ("keyframe_poses", [0.0] * 7, RosError, "keyframe_poses must have")])
def test_what_does_not_fit_together_is_refused(field: str, value: object, kind: type, match: str) -> None:
    message = message_of()
    setattr(message, field, value)
    message.checksum = checksum(message)
    with pytest.raises(kind, match=match):
        map_delta(message)


@pytest.mark.parametrize("column, value, kind, match", [
    ("positions_m", np.nan, MapError, "positions_m must be finite"),
    ("sigmas_m", 0, MapError, "sigmas_m must be positive"),
    ("keyframe_poses", np.inf, MapError, "keyframe_poses must be finite"),
    ("keyframe_poses", 0.0, MapError, "unit quaternions"),
    ("scenes", 9, MapError, "scenes must be below"), ("ids", 4_000_000_000, MapError, "must not exceed"),
    ("ids", 1, RosError, "each row once")])
def test_invalid_numbers_are_refused(column: str, value: float, kind: type, match: str) -> None:
    message = message_of()
    values = np.array(getattr(message, column), COLUMNS[column].dtype)
    values[:1 if column == "ids" and value > 1 else 7] = value
    setattr(message, column, values.tolist())
    message.checksum = checksum(message)
    with pytest.raises(kind, match=match):
        map_delta(message)


@given(st.data())
def test_a_message_damaged_in_transport_is_refused(data: st.DataObject) -> None:
    message = message_of()
    name = data.draw(st.sampled_from([*sorted(COLUMNS), "version", "base_version", "map_id", "source", "cell_size_m",
                                      "frame_id", "stamp"]))
    if name in COLUMNS:
        column = getattr(message, name)
        if len(column) == 0:
            column.append(1)
        else:
            column[data.draw(st.integers(0, len(column) - 1))] += 1
    elif name in ("frame_id", "stamp"):
        setattr(message.header, name, {"frame_id": "other", "stamp": Time(sec=7)}[name])
    else:
        setattr(message, name, {"map_id": "other", "source": "other", "cell_size_m": 0.5}.get(name, 99))
    with pytest.raises(RosError, match="must have the checksum .* it was damaged in transport"):
        map_delta(message)


def test_a_frame_name_without_end_is_refused() -> None:
    message = message_of()
    message.header.frame_id = "m" * 2000
    with pytest.raises(RosError, match="frame_id must have at most 1000 characters"):
        map_delta(message)


def test_a_message_above_the_limit_is_refused_with_the_parameter_to_raise() -> None:
    with pytest.raises(RosError, match="at most 0.0001 MB.*map_topic.max_message_mb"):
        map_delta(message_of(), max_bytes=100)


@given(st.data())
def test_random_contents_are_refused_or_applied_but_never_crash(data: st.DataObject) -> None:
    message = message_of()
    name = data.draw(st.sampled_from(sorted(COLUMNS)))
    column = COLUMNS[name]
    size = data.draw(st.sampled_from([0, 1, len(getattr(message, name))]))
    raw = data.draw(st.binary(min_size=size * np.dtype(column.dtype).itemsize,
                              max_size=size * np.dtype(column.dtype).itemsize))
    setattr(message, name, np.frombuffer(raw, column.dtype).tolist())
    message.checksum = checksum(message)
    with contextlib.suppress(LocalizationError):
        MapCode.from_snapshot(map_delta(message), MapCodeConfig())
