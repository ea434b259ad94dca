"""A localizer follows a mapper live, whenever it comes and whatever it misses."""

from __future__ import annotations

import pytest

pytest.importorskip("cl_localization.msg", reason="ROS 2 or the built messages are not here: run scripts/test")

from cl_localization.srv import LoadMap
from rcl_interfaces.msg import Log
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.qos import DurabilityPolicy, QoSProfile
from std_srvs.srv import Trigger

from cl_localization.ros.map_topic.map_messages import checksum, map_message
from cl_localization.ros.map_topic.map_stream import HISTORY
from cl_localization.ros.nodes.localizer import LocalizerNode
from cl_localization.ros.nodes.mapper import MapperNode
from map_makers import assert_same_map
from ros_map_sender import Sender, version_of
from ros_world import RosWorld, wait_until


def test_a_late_localizer_gets_the_whole_map_of_an_idle_mapper(ros: RosWorld) -> None:
    sender = Sender(ros)
    sender.grow(3 * HISTORY)
    localizer = ros.start(LocalizerNode)
    wait_until(lambda: version_of(localizer) == sender.map_code.version)
    assert_same_map(localizer._map.follower.map_code, sender.map_code)


def test_a_localizer_follows_every_change(ros: RosWorld) -> None:
    sender, localizer = Sender(ros), ros.start(LocalizerNode)
    for _ in range(20):
        sender.grow(5)
        wait_until(lambda: version_of(localizer) == sender.map_code.version)
    assert_same_map(localizer._map.follower.map_code, sender.map_code)


def test_a_localizer_that_missed_a_change_gets_the_whole_map_by_itself(ros: RosWorld) -> None:
    sender, localizer = Sender(ros), ros.start(LocalizerNode, map_topic__resync_period_s=0.1)
    sender.grow(2)
    wait_until(lambda: version_of(localizer) == sender.map_code.version)
    localizer._map.follower.map_code.version -= 1  # as if the last message had not arrived
    sender.grow(2)
    wait_until(lambda: version_of(localizer) == sender.map_code.version)
    assert_same_map(localizer._map.follower.map_code, sender.map_code)


def test_a_damaged_message_changes_nothing_and_is_survived(ros: RosWorld) -> None:
    sender, localizer = Sender(ros), ros.start(LocalizerNode)
    sender.grow()
    wait_until(lambda: version_of(localizer) == sender.map_code.version)
    damaged = map_message(sender.map_code.delta_since(0), 10**9)
    damaged.version += 1
    damaged.positions_m[0] = float("nan")
    damaged.checksum = checksum(damaged)
    sender.publisher.publish(damaged)
    sender.grow()
    wait_until(lambda: version_of(localizer) == sender.map_code.version)
    assert_same_map(localizer._map.follower.map_code, sender.map_code)


def test_a_localizer_follows_a_real_mapper_from_file_through_reset(ros: RosWorld, room_map) -> None:
    mapper = ros.start(MapperNode, map_file=str(room_map))
    localizer = ros.start(LocalizerNode)
    wait_until(lambda: version_of(localizer) == mapper._mapper.map_code.version)
    assert_same_map(localizer._map.follower.map_code, mapper._mapper.map_code)
    assert ros.call(Trigger, "/mapper/reset").success
    wait_until(lambda: localizer._map.follower.map_code.map_id == mapper._mapper.map_code.map_id)


def test_a_mapper_that_is_deactivated_sends_what_it_has_not_sent_yet(ros: RosWorld, room_map) -> None:
    mapper = ros.start(MapperNode, map_file=str(room_map), map_code_period_s=60.0)
    assert mapper.trigger_deactivate() == TransitionCallbackReturn.SUCCESS
    localizer = ros.start(LocalizerNode)
    wait_until(lambda: version_of(localizer) == mapper._mapper.map_code.version)
    assert_same_map(localizer._map.follower.map_code, mapper._mapper.map_code)


@pytest.mark.parametrize("follow, warns", [(True, True), (False, False)])
def test_a_map_that_is_loaded_beside_a_mapper_whose_map_replaces_it_is_warned_of(ros: RosWorld, room_map, follow: bool,
                                                                               warns: bool) -> None:
    lines = ros.heard(Log, "/rosout", QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL))
    sender, _ = Sender(ros), ros.start(LocalizerNode, map_topic__follow=follow)
    sender.grow()
    for _ in range(2):  # the lines of a node come in order: with the second map, all of the first have come
        assert ros.call(LoadMap, "/localizer/load_map", LoadMap.Request(path=str(room_map))).success
    wait_until(lambda: sum(line.msg.startswith(f"loaded {room_map}") for line in lines) >= 2)
    assert any("a mapper publishes map_code, and its next change" in line.msg for line in list(lines)) is warns


def test_a_localizer_told_not_to_follow_keeps_its_map(ros: RosWorld) -> None:
    sender, told, follower = Sender(ros), ros.start(LocalizerNode, "told",
                                                    map_topic__follow=False), ros.start(LocalizerNode)
    sender.grow()
    wait_until(lambda: version_of(follower) == sender.map_code.version)
    assert version_of(told) == -1
