"""How transforms are looked up; runs against the underlay or the real tf2, whichever is installed."""

import math
import threading

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS: run scripts/test")
tf2_ros = pytest.importorskip("tf2_ros", reason="needs tf2_ros: run scripts/test")

from geometry_msgs.msg import TransformStamped  # noqa: E402
from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from rclpy.duration import Duration  # noqa: E402
from rclpy.time import Time  # noqa: E402
from scipy.spatial.transform import Rotation  # noqa: E402

LATEST = Time()


def matrix(message):
    """The 4x4 matrix of a transform message."""
    at, turn = message.transform.translation, message.transform.rotation
    result = np.eye(4)
    result[:3, :3] = Rotation.from_quat([turn.x, turn.y, turn.z, turn.w]).as_matrix()
    result[:3, 3] = at.x, at.y, at.z
    return result


def transform(parent, child, stamp_s=0.0, x=0.0, y=0.0, yaw_deg=0.0):
    message = TransformStamped()
    message.header.frame_id, message.child_frame_id = parent, child
    message.header.stamp = Time(nanoseconds=round(stamp_s * 1e9)).to_msg()
    message.transform.translation.x, message.transform.translation.y = float(x), float(y)
    message.transform.rotation.z = math.sin(math.radians(yaw_deg) / 2)
    message.transform.rotation.w = math.cos(math.radians(yaw_deg) / 2)
    return message


def at(stamp_s):
    return Time(nanoseconds=round(stamp_s * 1e9))


def planar(message):
    """x, y, yaw in degrees of a transform message."""
    rotation = message.transform.rotation
    yaw_deg = math.degrees(2 * math.atan2(rotation.z, rotation.w))
    return message.transform.translation.x, message.transform.translation.y, (yaw_deg + 180) % 360 - 180


@pytest.fixture
def buffer():
    return tf2_ros.Buffer()


@pytest.fixture
def robot(buffer):
    """odom -> base moves one metre and turns 90 deg from 1 s to 2 s; base -> camera is static."""
    buffer.set_transform(transform("odom", "base", 1.0), "test")
    buffer.set_transform(transform("odom", "base", 2.0, x=1.0, yaw_deg=90.0), "test")
    buffer.set_transform_static(transform("base", "camera", x=0.5), "test")
    return buffer


def test_between_two_stamps_translation_is_linear_and_rotation_spherical(robot):
    assert planar(robot.lookup_transform("odom", "base", at(1.25))) == pytest.approx((0.25, 0.0, 22.5))


def test_rotation_is_interpolated_the_short_way(buffer):
    buffer.set_transform(transform("odom", "base", 1.0, yaw_deg=170), "test")
    buffer.set_transform(transform("odom", "base", 2.0, yaw_deg=190), "test")
    assert abs(planar(buffer.lookup_transform("odom", "base", at(1.5)))[2]) == pytest.approx(180)


def test_a_lookup_goes_through_all_edges_and_carries_the_names_and_stamp_asked_for(robot):
    found = robot.lookup_transform("odom", "camera", at(2.0))
    assert planar(found) == pytest.approx((1.0, 0.5, 90.0))
    assert (found.header.frame_id, found.child_frame_id) == ("odom", "camera")
    assert Time.from_msg(found.header.stamp).nanoseconds == 2_000_000_000


def test_a_lookup_downwards_is_the_inverse(robot):
    assert planar(robot.lookup_transform("camera", "odom", at(2.0))) == pytest.approx((-0.5, 1.0, -90.0))


def test_siblings_are_joined_at_their_common_parent(robot):
    robot.set_transform_static(transform("base", "laser", y=0.3), "test")
    assert planar(robot.lookup_transform("laser", "camera", at(1.5))) == pytest.approx((0.5, -0.3, 0.0))


def test_edges_above_the_common_parent_need_no_data_at_the_stamp(robot):
    robot.set_transform_static(transform("base", "laser", y=0.3), "test")
    assert robot.can_transform("laser", "camera", at(99.0))


@given(st.lists(st.tuples(*[st.floats(-5, 5)] * 3, *[st.floats(-math.pi, math.pi)] * 3), min_size=2, max_size=5),
       st.data())
@settings(max_examples=30, deadline=None)
def test_any_pair_of_frames_agrees_with_the_product_of_matrices(edges, data):
    buffer, world_T_frame = tf2_ros.Buffer(), {"0": np.eye(4)}
    for number, (x, y, z, *angles) in enumerate(edges, start=1):
        parent = data.draw(st.sampled_from(sorted(world_T_frame)))
        message = transform(parent, str(number), 1.0, x, y)
        message.transform.translation.z = z
        rotation = message.transform.rotation
        rotation.x, rotation.y, rotation.z, rotation.w = Rotation.from_euler("xyz", angles).as_quat().tolist()
        buffer.set_transform(message, "test")
        world_T_frame[str(number)] = world_T_frame[parent] @ matrix(message)
    target, source = (data.draw(st.sampled_from(sorted(world_T_frame))) for _ in range(2))
    expected = np.linalg.inv(world_T_frame[target]) @ world_T_frame[source]
    assert matrix(buffer.lookup_transform(target, source, at(1.0))) == pytest.approx(expected, abs=1e-6)


def test_time_zero_is_the_latest_stamp_that_all_moving_edges_have(robot):
    robot.set_transform(transform("map", "odom", 1.5, y=3.0), "test")
    found = robot.lookup_transform("map", "camera", LATEST)
    assert Time.from_msg(found.header.stamp).nanoseconds == 1_500_000_000
    assert planar(found)[:2] == pytest.approx((0.5 + 0.5 * math.cos(math.pi / 4), 3.0 + 0.5 * math.sin(math.pi / 4)))


def test_a_static_transform_holds_at_every_stamp_and_its_latest_stamp_is_zero(buffer):
    buffer.set_transform_static(transform("base", "camera", 5.0, x=0.5), "test")
    assert planar(buffer.lookup_transform("base", "camera", at(12345.0))) == pytest.approx((0.5, 0.0, 0.0))
    assert Time.from_msg(buffer.lookup_transform("base", "camera", LATEST).header.stamp).nanoseconds == 0


def test_a_frame_in_itself_is_the_identity_even_when_unknown(buffer):
    assert planar(buffer.lookup_transform("nowhere", "nowhere", at(1.0))) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("stamp_s, text", [(0.5, "into the past"), (2.5, "into the future")])
def test_outside_the_history_nothing_is_extrapolated(robot, stamp_s, text):
    with pytest.raises(tf2_ros.ExtrapolationException, match=text):
        robot.lookup_transform("odom", "camera", at(stamp_s))


def test_a_single_transform_holds_at_its_own_stamp_only(buffer):
    buffer.set_transform(transform("odom", "base", 1.0, x=1.0), "test")
    assert buffer.can_transform("odom", "base", at(1.0))
    with pytest.raises(tf2_ros.ExtrapolationException, match="only time"):
        buffer.lookup_transform("odom", "base", at(1.001))


def test_an_unknown_frame_is_named(robot):
    with pytest.raises(tf2_ros.LookupException, match='"gripper" passed to .* does not exist'):
        robot.lookup_transform("odom", "gripper", LATEST)


@pytest.mark.parametrize("stamp", [LATEST, at(1.5)])
def test_two_trees_are_not_connected(robot, stamp):
    robot.set_transform_static(transform("other", "thing"), "test")
    with pytest.raises(tf2_ros.ConnectivityException, match="not part of the same tree"):
        robot.lookup_transform("odom", "thing", stamp)


@pytest.mark.parametrize("name, text", [("", "cannot be empty"), ("/odom", "cannot start with a '/'")])
def test_a_name_that_is_empty_or_begins_with_a_slash_is_refused(robot, name, text):
    with pytest.raises(tf2_ros.InvalidArgumentException, match=text):
        robot.lookup_transform(name, "base", LATEST)


def test_all_errors_are_transform_exceptions():
    for error in ("LookupException", "ConnectivityException", "ExtrapolationException", "InvalidArgumentException"):
        assert issubclass(getattr(tf2_ros, error), tf2_ros.TransformException)


def test_a_loop_is_an_error_not_a_hang(buffer):
    buffer.set_transform_static(transform("a", "b"), "test")
    buffer.set_transform_static(transform("b", "a"), "test")
    buffer.set_transform_static(transform("c", "d"), "test")
    with pytest.raises(tf2_ros.TransformException, match="loop"):
        buffer.lookup_transform("d", "a", at(1.0))


def test_transforms_older_than_the_cache_time_are_refused_and_forgotten():
    buffer = tf2_ros.Buffer(cache_time=Duration(seconds=2))
    for stamp_s in (1.0, 2.0, 3.5, 4.0, 1.5):
        buffer.set_transform(transform("odom", "base", stamp_s, x=stamp_s), "test")
    assert not buffer.can_transform("odom", "base", at(1.5))
    assert planar(buffer.lookup_transform("odom", "base", at(3.0)))[0] == pytest.approx(3.0)


def test_transforms_may_arrive_in_any_order(buffer):
    for stamp_s in (3.0, 1.0, 2.0):
        buffer.set_transform(transform("odom", "base", stamp_s, x=stamp_s**2), "test")
    assert planar(buffer.lookup_transform("odom", "base", at(1.5)))[0] == pytest.approx(2.5)


@pytest.mark.parametrize("change", [
    lambda message: setattr(message.transform.translation, "x", math.nan),
    lambda message: setattr(message.transform.rotation, "w", 0.0),
    lambda message: setattr(message.transform.rotation, "w", 1.02),
    lambda message: setattr(message.transform.rotation, "w", 1e200),
    lambda message: setattr(message, "child_frame_id", "odom"),
    lambda message: setattr(message, "child_frame_id", ""),
    lambda message: setattr(message.header, "frame_id", ""),
], ids=["nan", "quaternion without length", "quaternion too long", "quaternion far too long", "own parent", "no child",
        "no parent"])
def test_a_transform_that_makes_no_sense_is_ignored(buffer, change):
    message = transform("odom", "base", 1.0)
    change(message)
    buffer.set_transform(message, "test")
    assert not buffer.can_transform("odom", "base", LATEST)


def test_a_quaternion_that_is_nearly_of_length_one_is_brought_to_it(buffer):
    message = transform("odom", "base", 1.0, yaw_deg=60)
    message.transform.rotation.z *= 1.004
    message.transform.rotation.w *= 1.004
    buffer.set_transform(message, "test")
    found = buffer.lookup_transform("odom", "base", LATEST).transform.rotation
    assert (found.z, found.w) == pytest.approx((math.sin(math.radians(30)), math.cos(math.radians(30))))


def test_leading_slashes_of_what_is_sent_are_dropped(buffer):
    buffer.set_transform(transform("/odom", "/base", 1.0, x=2.0), "test")
    assert planar(buffer.lookup_transform("odom", "base", LATEST))[0] == 2.0


def test_clear_forgets_what_moves_and_keeps_what_is_static(robot):
    robot.clear()
    assert not robot.can_transform("odom", "base", LATEST)
    assert robot.can_transform("base", "camera", LATEST)


def test_can_transform_gives_the_reason_on_wish(robot):
    possible, reason = robot.can_transform("odom", "base", at(9.0), return_debug_tuple=True)
    assert not possible and "future" in reason


def test_a_lookup_waits_for_a_transform_up_to_its_timeout(robot):
    late = threading.Timer(0.1, robot.set_transform, [transform("odom", "base", 3.0, x=2.0, yaw_deg=90), "test"])
    late.start()
    try:
        found = robot.lookup_transform("odom", "base", at(2.5), timeout=Duration(seconds=5))
    finally:
        late.join()
    assert planar(found) == pytest.approx((1.5, 0.0, 90.0))


def test_a_lookup_gives_up_after_its_timeout(robot):
    with pytest.raises(tf2_ros.ExtrapolationException, match="future"):
        robot.lookup_transform("odom", "base", at(9.0), timeout=Duration(seconds=0.05))


def test_a_future_is_done_when_the_transform_comes(robot):
    future = robot.wait_for_transform_async("odom", "base", at(2.5))
    assert not future.done()
    robot.set_transform(transform("odom", "base", 3.0, x=2.0, yaw_deg=90), "test")
    assert future.done() and planar(future.result()) == pytest.approx((1.5, 0.0, 90.0))


def test_a_future_of_a_known_transform_is_done_at_once(robot):
    assert robot.wait_for_transform_async("odom", "base", at(1.5)).done()


def test_stamps_may_be_messages(robot):
    assert planar(robot.lookup_transform("odom", "base", at(1.5).to_msg()))[0] == pytest.approx(0.5)


def test_a_stamp_of_another_kind_is_a_type_error(robot):
    with pytest.raises(TypeError, match="time must have sec and nanosec, or nanoseconds"):
        robot.lookup_transform("odom", "base", 1.5)
