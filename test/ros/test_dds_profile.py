"""What the Fast DDS profile promises, with the environment that scripts and launch files set."""

from __future__ import annotations

import array
import os
from pathlib import Path

import pytest

from ros_world import RosWorld

pytest.importorskip("cl_localization.msg", reason="ROS 2 or the built messages are not here: run scripts/test")

from std_msgs.msg import UInt8MultiArray

from cl_localization.ros.map_topic.map_subscription import MAP_QOS

SMALL_BYTES, LARGE_BYTES = 10_000, 4_000_000


def resident_mb() -> float:
    """Memory of this process in RAM."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def test_kept_messages_take_the_memory_of_their_size_wherever_a_large_one_was_before(ros: RosWorld) -> None:
    publisher = ros.node.create_publisher(UInt8MultiArray, "large_and_small", MAP_QOS)
    small, large = (UInt8MultiArray(data=array.array("B", bytes(size))) for size in (SMALL_BYTES, LARGE_BYTES))

    def publish_rounds(count: int) -> None:
        for _ in range(count):
            for _ in range(MAP_QOS.depth // 2 + 5):
                publisher.publish(small)
            publisher.publish(large)

    publish_rounds(3)
    before_mb = resident_mb()
    publish_rounds(30)
    assert resident_mb() - before_mb < 10 * LARGE_BYTES / 1e6
