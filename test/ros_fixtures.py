"""Fixtures of every ROS test: a world of nodes, alone in its domain."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cl_localization.demo.domains import own_domain
from ros_processes import Processes, remove_dead_segments
from ros_robot import SPEC, STARVED_S, Robot, save_map_of
from ros_world import RosWorld, participants, wait_until


@pytest.fixture
def domain() -> Iterator[int]:
    """A ROS domain that nothing else on this machine uses now, nor the tests before: what they killed is not met
    again. Afterwards this process must have left it: a participant that is the 33rd of its process, in whatever domain,
    is found by nobody."""
    with own_domain() as number:
        yield number
    wait_until(lambda: participants() == 0, STARVED_S)


@pytest.fixture
def ros(domain: int) -> Iterator[RosWorld]:
    """A world of nodes; skipped where ROS 2 or the built messages are missing."""
    pytest.importorskip("cl_localization.msg", reason="ROS 2 or the built messages are not here: run scripts/test")
    world = RosWorld(domain)
    yield world
    world.close()


@pytest.fixture
def processes(domain: int) -> Iterator[Processes]:
    """Node processes in the domain of the tests."""
    group = Processes(domain)
    yield group
    group.close()
    remove_dead_segments()


@pytest.fixture(scope="session")
def room() -> Any:
    """A simulated room seen on the way through it."""
    from cl_localization.data import open_sequence

    return open_sequence(SPEC)


@pytest.fixture
def robot(ros: RosWorld, room: Any) -> Robot:
    """A robot in the room."""
    return Robot(ros, room)


@pytest.fixture
def statuses(ros: RosWorld) -> list[Any]:
    """The mapper's status messages."""
    from cl_localization.msg import MappingStatus

    return ros.heard(MappingStatus, "/mapper/status")


@pytest.fixture(scope="session")
def frames(room: Any) -> list[Any]:
    """Every other frame of the way, with depth, true poses and odometry."""
    return [room[index] for index in range(0, len(room), 2)]


@pytest.fixture(scope="session")
def room_map(frames: list[Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A map file of the room."""
    return save_map_of(frames, tmp_path_factory.mktemp("map") / "room.safetensors")
