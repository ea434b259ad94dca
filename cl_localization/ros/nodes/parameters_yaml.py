"""Writes `config/*.yaml` from the dataclasses; needs no ROS.

Run it with `python3 -m cl_localization.ros.nodes.parameters_yaml FOLDER`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from cl_localization.config import Config, Option, flatten
from cl_localization.ros.nodes.config import LocalizerNodeConfig, MapperNodeConfig, SequencePlayerConfig

NODE_CONFIGS: dict[str, Config] = {"localizer": LocalizerNodeConfig(), "mapper": MapperNodeConfig(),
                                   "sequence_player": SequencePlayerConfig()}

HEADER = """# Every parameter of the node `{node}` with its default.
# Made by `python3 -m cl_localization.ros.nodes.parameters_yaml config`.
# `/**:` holds for the node in any namespace. Parameters are read at the start; those marked (live) can be set
# while it runs.
/**:
  ros__parameters:
"""


def yaml_text(node: str, config: Config) -> str:
    """Return the parameter file of a node: every option with its help, range and default, nested by its dots."""
    lines, open_sections = [HEADER.format(node=node).rstrip("\n")], list[str]()
    leaves = sorted(flatten(config), key=lambda leaf: "." in leaf[0])
    for name, value, option in leaves:
        *sections, leaf = name.split(".")
        shared = next((i for i, pair in enumerate(zip(open_sections, sections)) if pair[0] != pair[1]),
                      min(len(open_sections), len(sections)))
        lines += [f"{_indent(depth)}{sections[depth]}:" for depth in range(shared, len(sections))]
        open_sections = sections
        lines += [f"{_indent(len(sections))}# {_comment(option)}", f"{_indent(len(sections))}{leaf}: {_value(value)}"]
    return "\n".join(lines) + "\n"


def write_all(folder: Path) -> list[Path]:
    """Write the parameter files of all nodes into a folder and return their paths."""
    paths = [folder / f"{node}.yaml" for node in NODE_CONFIGS]
    for path, (node, config) in zip(paths, NODE_CONFIGS.items()):
        path.write_text(yaml_text(node, config), encoding="utf-8")
    return paths


def _indent(depth: int) -> str:
    return "    " + "  " * depth


def _comment(option: Option) -> str:
    limits = ""
    if option.choices:
        limits = f" One of: {', '.join(option.choices)}."
    elif option.minimum is not None or option.maximum is not None:
        limits = f" From {option.minimum} to {option.maximum}."
    return f"{option.help}{limits}{' (live)' if option.live else ''}"


def _value(value: Any) -> str:
    """Return a value as YAML 1.1 reads it back with its type: floats keep a point, texts their quotes."""
    if type(value) is float:
        mantissa, _, exponent = repr(value).partition("e")
        return mantissa if not exponent else f"{mantissa if '.' in mantissa else mantissa + '.0'}e{int(exponent):+d}"
    return json.dumps(value)


if __name__ == "__main__":
    write_all(Path(sys.argv[1]))
