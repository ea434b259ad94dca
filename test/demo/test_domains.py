"""Domains for what is started together."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from cl_localization.demo import domains
from cl_localization.demo.domains import DOMAINS, FIRST_PORT, PORTS, domains_in_use, own_domain
from cl_localization.errors import RosError


def test_domains_that_are_held_at_once_differ() -> None:
    with own_domain() as one, own_domain() as other:
        assert one != other and {one, other} <= set(DOMAINS)


def test_a_domain_in_which_another_program_has_a_socket_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(domains, "COUNT", iter(range(10**6)))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as of_another, own_domain() as first:
        of_another.bind(("127.0.0.1", FIRST_PORT + PORTS * (first + 1) + 10))
        assert first + 1 in domains_in_use()
        with own_domain() as second:
            assert second > first + 1


def test_without_a_free_domain_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    sockets = tmp_path / "udp"
    sockets.write_text("header\n" + "".join(f"1: 00000000:{FIRST_PORT + PORTS * domain:04X}\n" for domain in DOMAINS))
    monkeypatch.setattr(domains, "SOCKETS", sockets)
    with pytest.raises(RosError, match="ROS domain must be free, one of 1 to 101; end other nodes"), own_domain():
        pass
