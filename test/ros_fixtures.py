"""Fixtures of every ROS test: a world of nodes, alone in its domain."""

from __future__ import annotations

import itertools
import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from ros_processes import Processes, remove_dead_segments
from ros_robot import SPEC, Robot, save_map_of
from ros_world import RosWorld

# Test processes that were started together begin far apart.
DOMAINS = itertools.count(37 * os.getpid())

FIRST_PORT, PORTS = 7400, 250
"""UDP ports of DDS: that of domain 0 with the lowest number, and how many each domain has."""


@pytest.fixture
def domain() -> Iterator[int]:
    """A ROS domain that nothing else on this machine uses now, nor the tests before: what they killed is not met again.

    Whoever binds the abstract socket of that name has the domain: like DDS itself that holds within a network
    namespace, and it ends with the process. Other programs do not know that, but their sockets are seen.
    """
    with socket.socket(socket.AF_UNIX) as claim:
        for number in (1 + count % 100 for count in itertools.islice(DOMAINS, 100)):
            if number in domains_in_use():
                continue
            with suppress(OSError):
                claim.bind(f"\0cl_localization/test/domain/{number}")
                break
        yield number


def domains_in_use() -> set[int]:
    """ROS domains in which a program on this machine has a socket."""
    sockets = Path("/proc/net/udp").read_text(encoding="ascii").splitlines()[1:]
    ports = (int(line.split()[1].split(":")[1], 16) for line in sockets)
    return {(port - FIRST_PORT) // PORTS for port in ports if port >= FIRST_PORT}


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
