"""docs/parameters.md holds what the dataclasses say. Needs no ROS."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cl_localization.config import flatten
from cl_localization.ros.nodes.parameters_page import ADVICE, COMMAND, page_text
from cl_localization.ros.nodes.parameters_yaml import NODE_CONFIGS

PAGE = Path(__file__).resolve().parents[3] / "docs" / "parameters.md"


def table_of(node: str) -> dict[str, list[str]]:
    """The cells of a node's rows by the name of the parameter."""
    section = page_text().split(f"\n## {node}\n")[1].split("\n## ")[0]
    rows = [re.split(r" \| ", line.strip("| ")) for line in section.splitlines() if line.startswith("| `")]
    return {row[0].strip("`"): row for row in rows}


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page_text(), f"run {COMMAND}"


@pytest.mark.parametrize("node", NODE_CONFIGS)
def test_every_parameter_of_a_node_is_there_with_its_default(node: str) -> None:
    found = table_of(node)
    expected = {name: value for name, value, _ in flatten(NODE_CONFIGS[node])}
    assert found.keys() == expected.keys()
    assert all(str(value).lower() in found[name][1].lower() for name, value in expected.items())


def test_a_live_parameter_and_a_range_with_its_unit_are_told() -> None:
    cells = table_of("localizer")["pose.max_position_sigma_m"]
    assert cells[2:4] == ["0 to 100 m", "yes"]


def test_fifteen_parameters_matter_and_belong_to_the_nodes_that_are_named() -> None:
    assert len({one.name for one in ADVICE}) == 15
    for one in ADVICE:
        for node in one.nodes.split(", "):
            assert one.name in {name for name, _, _ in flatten(NODE_CONFIGS[node])}
