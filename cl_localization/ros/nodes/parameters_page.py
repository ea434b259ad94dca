"""Writes `docs/parameters.md` from the dataclasses; needs no ROS.

Run it with `python3 -m cl_localization.ros.nodes.parameters_page docs/parameters.md`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from cl_localization.config import Option, flatten
from cl_localization.ros.nodes.parameters_yaml import NODE_CONFIGS

COMMAND = "python3 -m cl_localization.ros.nodes.parameters_page docs/parameters.md"


class Advice(NamedTuple):
    """When to change a parameter, of which nodes."""

    name: str
    nodes: str
    when: str


BOTH = "localizer, mapper"

ADVICE = (
    Advice("map_file", BOTH, "Give it always: the mapper saves its map here and goes on with it at the next start, "
                             "the localizer loads it."),
    Advice("poses.source", "mapper", "Change it when no other node sends `map` to the camera on tf: `odometry` takes "
                                     "the topic odom, `pose` the topic pose, of four message types; with `self` the "
                                     "mapper finds the poses itself, best with a depth camera."),
    Advice("frames.odom", "localizer", "Empty it on a robot without odometry; `map` to the base is then published."),
    Advice("frames.base", BOTH, "Change it when your robot's frame has another name, often `base_footprint`."),
    Advice("images.transport", BOTH, "Take `compressed` when images come over a wireless network."),
    Advice("two_d", "localizer", "Switch it on for a robot that drives on one flat floor."),
    Advice("publish_tf", BOTH, "Switch it off in all localizers of a robot but one, and when another node (AMCL, an "
                               "EKF) owns `map` to `odom`. A mapper publishes it with `poses.source: self` only, and "
                               "localizers that follow its map leave it to that."),
    Advice("map_code.budget_mb", "mapper", "Raise it for large places when memory allows: at the bound, the least "
                                           "useful codes are forgotten."),
    Advice("map_code.cell_size_m", "mapper", "Raise it (0.05) for halls and outdoors, where points are far away: fewer "
                                             "codes for the same place."),
    Advice("keyframes.min_translation_m", "mapper", "Raise it when mapping cannot keep up with a fast robot or the map "
                                                    "grows too quickly."),
    Advice("depth.max_depth_m", "mapper", "Set it to the range in which your depth camera is exact."),
    Advice("encoder.max_keypoints", BOTH, "Lower it (1000) when the CPU is too slow."),
    Advice("pose.min_inliers", "localizer", "Raise it when a wrong pose is worse than none; lower it (20) for narrow "
                                            "views and scenes with little texture."),
    Advice("pose.max_position_sigma_m", "localizer", "Set it when a pose that is uncertain is of no use to you, as "
                                                     "in docking."),
    Advice("tracker.drift_share", "localizer", "Set it to what your odometry drifts, as a share of the way; with less, "
                                               "good poses are refused as jumps."),
)
"""The parameters that matter. Their names are checked when the page is made."""

HEADER = """# Parameters

Every parameter of the three nodes. Give them in a file (`params_file:=FILE` of the launch files, see `config/`) or one
by one (`-p pose.min_inliers:=40`). Those of the core (`encoder`, `keyframes`, `map_code`, `pose`, ...) are flags of the
command line, too: `--pose.min-inliers 40`. A *live* parameter can be set while the node runs (`ros2 param set`); the
others are read when the node is configured.

The defaults stand in the dataclasses of `cl_localization/config.py` and `cl_localization/ros/nodes/config.py`; this
page and `config/*.yaml` are made from them, and a test fails when they differ.

This page is made by

```
{command}
```

## The {count} that matter

| parameter | node | default | when to change it |
|---|---|---|---|
"""

NODE_HEADER = """
## {node}

| parameter | default | unit or values | live | what it is |
|---|---|---|---|---|
"""

LONG_UNIT = 12
"""A unit of more characters stays in the sentence, where it reads better than in a column."""


def page_text() -> str:
    """Return the page: the parameters that matter, then those of each node in a table.

    Raises:
        KeyError: a parameter that matters does not exist; correct ADVICE.
    """
    defaults = {name: value for config in reversed(NODE_CONFIGS.values()) for name, value, _ in flatten(config)}
    text = HEADER.format(command=COMMAND, count=len(ADVICE))
    text += "".join(f"| `{one.name}` | {one.nodes} | {_value(defaults[one.name])} | {one.when} |\n" for one in ADVICE)
    for node in NODE_CONFIGS:
        text += NODE_HEADER.format(node=node) + "\n".join(_rows(node)) + "\n"
    return text


def _rows(node: str) -> Iterator[str]:
    """Yield the rows of a node's table, its own parameters first, then section by section."""
    leaves = sorted(flatten(NODE_CONFIGS[node]), key=lambda leaf: "." in leaf[0])
    for section, group in groupby(leaves, key=lambda leaf: leaf[0].rpartition(".")[0]):
        if section:
            yield f"| **{section}** | | | | |"
        for name, value, option in group:
            unit, sentence = _unit_and_help(option)
            limits = " ".join(part for part in (_limits(option), unit) if part)
            yield f"| `{name}` | {_value(value)} | {limits} | {'yes' if option.live else ''} | {sentence} |"


def _unit_and_help(option: Option) -> tuple[str, str]:
    """Return the unit that ends an option's help, if a short one does, and the help without it."""
    found = re.fullmatch(r"(.*?) \[([^\]]+)\]\.", option.help)
    unit, sentence = (found[2], found[1] + ".") if found and len(found[2]) <= LONG_UNIT else ("", option.help)
    return unit, sentence.replace("|", "\\|")


def _limits(option: Option) -> str:
    """Return what values an option may have, empty for any."""
    if option.choices:
        return ", ".join(f"`{choice}`" for choice in option.choices)
    if option.minimum is None and option.maximum is None:
        return ""
    low, high = (f"{limit:.10g}" for limit in (option.minimum, option.maximum))
    return f"{low} to {high}"


def _value(value: Any) -> str:
    """Return a default as one types it in YAML."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"`{value}`" if value != "" else "empty"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page_text(), encoding="utf-8")
