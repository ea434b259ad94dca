"""A ROS domain of its own for what is started together: nodes in the same domain would hear each other."""

from __future__ import annotations

import itertools
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cl_localization.errors import RosError

DOMAINS = range(1, 102)
"""Ids whose ports lie below the range that systems give to outgoing connections."""

FIRST_PORT, PORTS = 7400, 250
"""UDP ports of DDS: the lowest of domain 0, and how many each domain has."""

SOCKETS = Path("/proc/net/udp")
COUNT = itertools.count(37 * os.getpid())
"""Processes that were started together begin far apart, and one that ended is not met again soon."""


@contextmanager
def own_domain() -> Iterator[int]:
    """Give the id of a domain that nothing else on this machine uses.

    Who binds the abstract socket of that name has the domain: like DDS itself that holds within a network namespace,
    and it ends with the process. Programs that do not know of this are known by their sockets.

    Raises:
        RosError: all domains are in use.
    """
    with socket.socket(socket.AF_UNIX) as claim:
        yield _claimed(claim)


def domains_in_use() -> set[int]:
    """Return the ids of domains in which a program on this machine has a socket."""
    lines = SOCKETS.read_text(encoding="ascii").splitlines()[1:] if SOCKETS.is_file() else []
    ports = (int(line.split()[1].split(":")[1], 16) for line in lines)
    return {(port - FIRST_PORT) // PORTS for port in ports}


def _claimed(claim: socket.socket) -> int:
    """Bind a socket to the name of a free domain; return its id."""
    for count in itertools.islice(COUNT, len(DOMAINS)):
        domain = DOMAINS[count % len(DOMAINS)]
        if domain in domains_in_use():
            continue
        try:
            claim.bind(f"\0cl_localization/domain/{domain}")
        except OSError:
            continue
        return domain
    raise RosError("ROS domain", f"must be free, one of {DOMAINS[0]} to {DOMAINS[-1]}",
                   remedy="end other nodes, or choose a domain that you share with them")
