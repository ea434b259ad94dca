"""The rooms import each other in one direction only, and ROS stays behind its boundary."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from source_files import PACKAGE, REPOSITORY, python_files, shown, tree_of

LEVELS = {"errors": 0, "config": 1, "geometry": 2, "data": 3, "features": 4, "continual": 4, "training": 4, "scene_coordinates": 5,
          "place_recognition": 5, "nerf": 5, "places": 6, "place_learning": 6, "localizer": 7, "mapper": 7, "agreement": 6,
          "tracker": 8, "render_check": 8, "render_replay": 8, "novelty_keyframes": 6, "evaluation": 9, "viz": 9, "cli": 10, "ros": 10}
"""A room imports from lower levels only, never from another room of its own level."""

ALLOWED = {
    ("__main__.py", "cl_localization.cli.main"),
    *(
        (file, f"cl_localization.ros.{name}")
        for file in ("cli/demo.py", "cli/demo_report.py")
        for name in ("demo", "demo_config", "demo_result")
    ),
    *(("cli/bench_nodes.py", f"cl_localization.ros.{name}") for name in ("load_bench", "soak_bench")),
}
"""The demo command shows what the nodes do; two benchmark tables measure them."""

ROS_ROOTS = {
    "rclpy",
    "rosidl_runtime_py",
    "rosidl_parser",
    "ament_index_python",
    "launch",
    "launch_ros",
    "launch_testing",
    "tf2_ros",
    "tf2_msgs",
    "tf2_py",
    "tf2_geometry_msgs",
    "cv_bridge",
    "image_transport",
    "tf_transformations",
    "rosbag2_py",
    "rpyutils",
    "builtin_interfaces",
    "rcl_interfaces",
    "std_msgs",
    "std_srvs",
    "sensor_msgs",
    "geometry_msgs",
    "nav_msgs",
    "diagnostic_msgs",
    "visualization_msgs",
    "lifecycle_msgs",
    "rosgraph_msgs",
}
GENERATED = ("cl_localization.msg", "cl_localization.srv")

IMPORT_CORE_WITHOUT_ROS = """
import importlib, importlib.abc, pkgutil, sys

class NoRos(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {roots!r} or name.startswith({generated!r}):
            raise ImportError(name + " is ROS")

sys.meta_path.insert(0, NoRos())
import cl_localization
for found in pkgutil.walk_packages([{package!r}], "cl_localization."):
    if not found.name.startswith(("cl_localization.ros", "cl_localization.__main__", *{generated!r})):
        importlib.import_module(found.name)
"""


def imports(path: Path) -> list[str]:
    """Return the absolute names of all modules that a file imports, wherever in it."""
    found = []
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module == "cl_localization":
            found += [f"cl_localization.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.append(node.module)
    return found


def room_of(path: Path) -> str:
    """Return the room that a file of the package lies in."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


CORE_FILES = [path for path in python_files("cl_localization") if room_of(path) != "ros"]


def test_every_room_has_a_level() -> None:
    rooms = {room_of(path) for path in python_files("cl_localization")} - {"__init__", "__main__"}
    assert rooms <= set(LEVELS)


@pytest.mark.parametrize("path", python_files("cl_localization"), ids=shown)
def test_imports_go_one_way(path: Path) -> None:
    own = room_of(path)
    for name in imports(path):
        parts = name.split(".")
        if parts[0] != "cl_localization" or len(parts) < 2 or parts[1] not in LEVELS:
            continue
        if parts[1] == own or (path.relative_to(PACKAGE).as_posix(), name) in ALLOWED:
            continue
        assert LEVELS[parts[1]] < LEVELS[own], f"{shown(path)} must not import {name}"


@pytest.mark.parametrize("path", CORE_FILES, ids=shown)
def test_only_the_ros_room_imports_ros(path: Path) -> None:
    for name in imports(path):
        assert name.split(".")[0] not in ROS_ROOTS, f"{shown(path)} imports {name}"
        assert not name.startswith(GENERATED), f"{shown(path)} imports {name}"


@pytest.mark.parametrize("path", python_files("cl_localization"), ids=shown)
def test_imports_within_the_package_are_written_in_full(path: Path) -> None:
    assert not [node for node in ast.walk(tree_of(path)) if isinstance(node, ast.ImportFrom) and node.level > 0]


def test_the_core_can_be_imported_where_there_is_no_ros() -> None:
    program = IMPORT_CORE_WITHOUT_ROS.format(roots=ROS_ROOTS, package=str(PACKAGE), generated=GENERATED)
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
