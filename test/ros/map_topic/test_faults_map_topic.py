"""`map_code` when things go wrong: two mappers, lost messages, killed followers, frozen mappers, maps larger than DDS
likes."""

from __future__ import annotations

import copy
import subprocess
import threading
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("cl_localization.msg", reason="ROS 2 or the built messages are not here: run scripts/test")

from cl_localization.msg import MapCode as MapCodeMessage
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.qos import DurabilityPolicy, QoSProfile
from std_msgs.msg import Bool

from cl_localization.config import MapCodeConfig
from cl_localization.map.map_code import MapCode, NewCodes
from cl_localization.map.map_file import save_map
from cl_localization.ros.map_topic.map_stream import HISTORY
from cl_localization.ros.map_topic.map_subscription import MAP_QOS
from cl_localization.ros.nodes.diagnostics import MapDigest, digest_of
from cl_localization.ros.nodes.localizer import LocalizerNode
from map_makers import assert_same_map, empty_map, grow
from ros_faults import Relay
from ros_map_sender import XFEAT_DIM, Sender, version_of
from ros_processes import Processes
from ros_world import WAIT_S, RosWorld, wait_until

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
LEASE_S = 40.0


class Diagnoses:
    """The newest diagnostics of every node."""

    def __init__(self, ros: RosWorld) -> None:
        self._arrays = ros.heard(DiagnosticArray, "/diagnostics", 100)

    def forget(self) -> None:
        """Forget what was said so far."""
        self._arrays.clear()

    def status(self, node: str) -> DiagnosticStatus | None:
        """The newest status of a node."""
        return next((status for array in reversed(self._arrays) for status in array.status
                     if status.name.startswith(node)), None)

    def value(self, node: str, key: str) -> str:
        """One of its values; empty when there is none."""
        status = self.status(node)
        return next((entry.value for entry in status.values if entry.key == key), "") if status else ""

    def same_map(self) -> str:
        """The digest of the map that mapper and localizer hold, if both hold the same and it has settled."""
        digests = [self.value(node, "map digest") for node in ("/mapper", "/localizer")]
        return digests[0] if digests[0] == digests[1] else ""


def big_map(megabytes: float) -> MapCode:
    """A map of random codes."""
    map_code, random = MapCode(MapCodeConfig(budget_mb=1000.0), "xfeat", XFEAT_DIM), np.random.default_rng(0)
    keyframe = map_code.add_keyframe(np.eye(4), 10**9, map_code.scene_number("hall"))
    count = int(megabytes * 1e6 / map_code.codes.row_bytes)
    descriptors = random.normal(size=(count, XFEAT_DIM)).astype(np.float32)
    descriptors /= np.linalg.norm(descriptors, axis=1, keepdims=True)
    positions_m = random.uniform(-50, 50, (count, 3)).astype(np.float32)
    map_code.insert(NewCodes(descriptors, positions_m, np.full(count, 0.01, np.float32)), keyframe)
    return map_code


def test_the_digest_is_that_of_the_content_and_is_made_only_when_the_map_stands_still() -> None:
    map_code, digest = empty_map(), MapDigest()
    grow(map_code)
    assert [digest.of(None), digest.of(map_code)] == ["", ""]
    assert digest.of(map_code) == digest_of(map_code) == digest.of(map_code)
    copy = MapCode.from_snapshot(map_code.delta_since(0), MapCodeConfig())
    assert digest_of(copy) == digest_of(map_code)
    copy.codes["positions_m"][copy.codes.rows()[0], 0] += 1e-3
    assert digest_of(copy) != digest_of(map_code)
    grow(map_code)
    assert digest.of(map_code) == ""


def test_of_two_mappers_the_first_is_followed_both_sides_warn_and_the_other_follows_when_it_has_gone(
    ros: RosWorld, capfd
) -> None:
    mine, diagnoses = Sender(ros, "mine"), Diagnoses(ros)
    mine.grow(3)
    localizer = ros.start(LocalizerNode, map_topic__resync_period_s=0.1, diagnostics_period_s=0.1)
    wait_until(lambda: version_of(localizer) == mine.map_code.version)
    other = Sender(ros, "other")
    for _ in range(5):
        other.grow()
        mine.grow()
    wait_until(lambda: version_of(localizer) == mine.map_code.version)
    assert_same_map(localizer._map.follower.map_code, mine.map_code)
    wait_until(lambda: (status := diagnoses.status("/localizer")) and "2 mappers publish map_code" in status.message)
    assert "is ignored, the first map is kept" in capfd.readouterr().err
    ros.node.destroy_publisher(mine.publisher)
    wait_until(lambda: (localizer._map.follower.map_code.map_id, version_of(localizer))
               == (other.map_code.map_id, other.map_code.version))
    assert_same_map(localizer._map.follower.map_code, other.map_code)


def test_messages_that_are_dropped_doubled_late_and_damaged_end_in_the_same_map(ros: RosWorld) -> None:
    def damaged(message: MapCodeMessage, random: np.random.Generator) -> MapCodeMessage:
        changed = copy.deepcopy(message)
        changed.positions_m = [*message.positions_m[:-1], float(random.normal())] if len(message.positions_m) else [0.0]
        return changed

    sender = Sender(ros, "mapper")
    relay = Relay(ros.node, MapCodeMessage, "map_code", "spoiled", MAP_QOS, history=HISTORY, corrupt=damaged)
    relay.spoil.drop, relay.spoil.duplicate, relay.spoil.delay, relay.spoil.corrupt = 0.2, 0.2, 0.1, 0.1
    pause = threading.Event()
    for name in ("first", "second", "third"):
        localizer = ros.add(LocalizerNode(context=ros.context,
                                          cli_args=["--ros-args", "-r", f"__node:={name}", "-r", "map_code:=spoiled",
                                                                         "-p", "map_topic.resync_period_s:=0.1"]))
        assert localizer.bring_up()
        for _ in range(30):
            sender.grow()
            pause.wait(0.01)
        if name != "third":
            ros.end(localizer)
    wait_until(lambda: sender.tell() or version_of(localizer) == sender.map_code.version)
    assert relay.dropped > 10
    assert_same_map(localizer._map.follower.map_code, sender.map_code)


def test_a_map_larger_than_what_dds_sends_in_one_piece_arrives_whole(ros: RosWorld, processes: Processes,
                                                                     tmp_path: Path) -> None:
    arrives(ros, processes, tmp_path, 10.0)


@pytest.mark.long
@pytest.mark.parametrize("megabytes", [64.0, 250.0])
def test_a_very_large_map_arrives_whole(ros: RosWorld, processes: Processes, tmp_path: Path, megabytes: float) -> None:
    arrives(ros, processes, tmp_path, megabytes)


def arrives(ros: RosWorld, processes: Processes, folder: Path, megabytes: float) -> None:
    """Have a mapper process load a map and a localizer process started later get it."""
    diagnoses, path = Diagnoses(ros), folder / "big.safetensors"
    save_map(big_map(megabytes), path)
    processes.start("mapper", "-p", f"map_file:={path}", "-p", "map_code.budget_mb:=1000.0")
    wait_until(lambda: diagnoses.value("/mapper", "map digest"))
    processes.start("localizer")
    wait_until(diagnoses.same_map)


def test_a_frozen_mapper_is_waited_for_and_followed_on_when_it_thaws(ros: RosWorld, processes: Processes,
                                                                     tmp_path: Path) -> None:
    diagnoses, path, map_code = Diagnoses(ros), tmp_path / "map.safetensors", empty_map(dim=XFEAT_DIM)
    grow(map_code)
    save_map(map_code, path)
    mapper = processes.start("mapper", "-p", f"map_file:={path}")
    wait_until(lambda: diagnoses.value("/mapper", "map digest"))
    processes.freeze(mapper)
    localizer = ros.start(LocalizerNode, diagnostics_period_s=0.1)
    wait_until(lambda: diagnoses.status("/localizer") is not None)
    processes.thaw(mapper)
    wait_until(lambda: version_of(localizer) > 0)
    assert len(localizer._map.follower.map_code) == len(map_code)


@pytest.mark.long
def test_a_mapper_that_was_killed_and_started_again_is_followed_within_the_lease_of_dds(
    ros: RosWorld, processes: Processes, tmp_path: Path
) -> None:
    diagnoses, path, map_code = Diagnoses(ros), tmp_path / "map.safetensors", empty_map(dim=XFEAT_DIM)
    for _ in range(2):
        grow(map_code)
    save_map(map_code, path)
    mapper = processes.start("mapper", "-p", f"map_file:={path}", "-p", "resume:=true")
    localizer = ros.start(LocalizerNode)
    wait_until(lambda: version_of(localizer) > 0)
    source = localizer._map.follower.source
    grow(map_code)
    save_map(map_code, path)
    processes.restart(mapper)
    wait_until(lambda: localizer._map.follower.source != source, WAIT_S + LEASE_S)
    wait_until(diagnoses.same_map)
    assert len(localizer._map.follower.map_code) == len(map_code)


def follow_through_kills(ros: RosWorld, processes: Processes, frames: int, kills: int, rate: float) -> str:
    """Kill and restart a localizer process while a mapper process learns and a fifth of the messages is lost; return
    the figures."""
    diagnoses, done = Diagnoses(ros), ros.heard(Bool, "/sequence_player/done", LATCHED)
    relay = Relay(ros.node, MapCodeMessage, "map_code", "spoiled", MAP_QOS, history=HISTORY)
    relay.spoil.drop = 0.2
    processes.start("mapper", "-p", "poses.source:=pose", "-r", "pose:=ground_truth", "-p",
                    "encoder.max_keypoints:=500")
    localizer = processes.start("localizer", "-r", "map_code:=spoiled", "-p", "map_topic.resync_period_s:=0.3")
    wait_until(lambda: diagnoses.status("/mapper") and diagnoses.status("/localizer"))
    processes.start("sequence_player", "-p", f"sequence:=sim:3?rooms=1&frames={frames}", "-p", f"rate:={rate}", "-p",
                    "odometry:=false")
    for _ in range(kills):
        before = diagnoses.value("/mapper", "map version")
        wait_until(lambda: done or (diagnoses.value("/mapper", "map version") != before
                                    and diagnoses.value("/localizer", "map")))
        localizer = restarted(processes, localizer, diagnoses)
    wait_until(lambda: done, 600.0)
    digest = wait_until(diagnoses.same_map)
    lost = f"{relay.dropped} of {relay.dropped + relay.passed} lost"
    return f"{diagnoses.value('/mapper', 'codes')} codes, {kills} kills, {lost}: {digest}"


def restarted(processes: Processes, process: subprocess.Popen, diagnoses: Diagnoses) -> subprocess.Popen:
    """Kill -9 a localizer, start it again and wait for it to say something."""
    process = processes.restart(process)
    diagnoses.forget()
    wait_until(lambda: diagnoses.status("/localizer"))
    return process


def test_a_localizer_that_is_killed_and_misses_messages_ends_with_the_map_of_the_mapper(
    ros: RosWorld, processes: Processes
) -> None:
    follow_through_kills(ros, processes, frames=20, kills=1, rate=1.0)


@pytest.mark.long
def test_a_localizer_killed_over_and_over_ends_with_the_map_of_the_mapper(ros: RosWorld, processes: Processes,
                                                                          capsys) -> None:
    figures = follow_through_kills(ros, processes, frames=400, kills=8, rate=0.5)
    with capsys.disabled():
        print(f"\n{figures}")
