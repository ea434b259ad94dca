"""config/*.yaml hold what the dataclasses say. Needs no ROS."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from cl_localization.config import flatten
from cl_localization.ros.nodes.parameters_yaml import NODE_CONFIGS, write_all, yaml_text

CONFIG = Path(__file__).resolve().parents[3] / "config"


def test_the_parameter_files_are_up_to_date() -> None:
    remedy = "run python3 -m cl_localization.ros.nodes.parameters_yaml config"
    assert [node for node in NODE_CONFIGS
            if (CONFIG / f"{node}.yaml").read_text() != yaml_text(node, NODE_CONFIGS[node])] == [], remedy


@pytest.mark.parametrize("node", NODE_CONFIGS)
def test_every_parameter_has_its_default_type_and_a_comment(node: str) -> None:
    def leaves(tree: dict, prefix: str = ""):
        for key, value in tree.items():
            yield from leaves(value, f"{prefix}{key}.") if isinstance(value, dict) else [(prefix + key, value)]

    text = yaml_text(node, NODE_CONFIGS[node])
    found = dict(leaves(yaml.safe_load(text)["/**"]["ros__parameters"]))
    expected = {name: value for name, value, _ in flatten(NODE_CONFIGS[node])}
    assert found == expected
    assert {name: type(value) for name, value in found.items()} == {name: type(value) for name,
                                                                    value in expected.items()}
    lines = text.splitlines()
    assert all(lines[i - 1].lstrip().startswith("#") for i, line in enumerate(lines)
               if ": " in line and not line.lstrip().startswith("#"))


def test_all_files_are_written(tmp_path: Path) -> None:
    assert [path.name for path in write_all(tmp_path)] == [f"{node}.yaml" for node in NODE_CONFIGS]
    assert all(path.is_file() for path in tmp_path.glob("*.yaml"))


def test_no_option_of_a_node_hides_one_of_the_core() -> None:
    for node, config in NODE_CONFIGS.items():
        names = [name for base in type(config).__mro__ for name in vars(base).get("__annotations__", {})]
        assert [name for name in set(names) if names.count(name) > 1] == [], node
