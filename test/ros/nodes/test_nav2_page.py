"""The page about Nav2: its parameters and launch arguments exist."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

pytest.importorskip("rclpy", reason="ROS 2 is not here: run scripts/test")

from cl_localization.config import flatten
from cl_localization.ros.nodes.parameters_yaml import NODE_CONFIGS

REPOSITORY = Path(__file__).resolve().parents[3]
PAGE = (REPOSITORY / "docs" / "nav2.md").read_text(encoding="utf-8")


def flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested parameters by their names with points."""
    found = {}
    for key, value in values.items():
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return found


def test_every_parameter_of_ours_on_the_page_exists_with_its_type() -> None:
    nodes = 0
    for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL):
        for name, content in yaml.safe_load(block).items():
            if name.startswith("/**/"):
                nodes += 1
                known = {option: value for option, value, _ in flatten(NODE_CONFIGS[name.removeprefix("/**/")])}
                given = flat(content["ros__parameters"])
                assert set(given) <= set(known)
                assert [key for key, value in given.items() if type(value) is not type(known[key])] == []
    assert nodes == 4


def test_every_launch_argument_on_the_page_exists() -> None:
    launching = (REPOSITORY / "cl_localization" / "ros" / "nodes" / "launching.py").read_text()
    text = launching + "".join(path.read_text() for path in (REPOSITORY / "launch").glob("*.launch.py"))
    used = set(re.findall(r"(\w+):=", PAGE))
    assert len(used) >= 8 and [argument for argument in used if f'"{argument}": ' not in text] == []
