"""The rooms import each other in one direction only, and ROS stays behind its boundary."""

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

from source_files import PACKAGE, REPOSITORY, python_files, shown, tree_of

LEVELS = {"errors": 0, "option_names": 0, "config": 1, "option_text": 2, "geometry": 2, "data": 3, "simulation": 4,
          "features": 4, "continual": 4, "map": 5, "places": 6, "localization": 7, "mapping": 8, "nerf": 8,
          "tracking": 8, "localizer": 9, "mapper": 9, "slam": 10, "evaluation": 11, "viz": 11, "ros": 12, "cli": 13,
          "demo": 14, "research": 15, "benchmarks": 16}
"""A room imports from lower levels only, never from another room of its own level."""

ROS_ROOMS = {"ros", "demo", "benchmarks"}
"""The nodes, the demo that watches them, and the benchmarks that measure them."""

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
    rooms = "cl_localization.ros", "cl_localization.demo", "cl_localization.__main__"
    if not found.name.startswith((*rooms, *{generated!r})):
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
    """Return the room that a file of the package or of the benchmarks lies in."""
    parts = path.relative_to(REPOSITORY).parts
    return "benchmarks" if parts[0] == "benchmarks" else parts[1].removesuffix(".py")


def module_of(path: Path) -> str:
    """Return the name by which a file is imported."""
    return ".".join(path.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__")


FILES = python_files("cl_localization", "benchmarks")
ROOMS = [path for path in FILES if room_of(path) not in ("__init__", "__main__")]


def imported_room(name: str) -> str | None:
    """Return the room of an imported module, None for what is not ours."""
    parts = name.split(".")
    if parts[0] == "benchmarks":
        return "benchmarks"
    return parts[1] if parts[0] == "cl_localization" and len(parts) > 1 and parts[1] in LEVELS else None


def test_every_room_has_a_level() -> None:
    assert {room_of(path) for path in ROOMS} == set(LEVELS)


def test_imports_go_one_way() -> None:
    upward = [f"{shown(path)} imports {name}" for path in ROOMS for name in imports(path)
              if (room := imported_room(name)) not in (None, room_of(path)) and LEVELS[room] >= LEVELS[room_of(path)]]
    assert upward == []


def imported_modules(path: Path, known: dict[str, Path]) -> set[str]:
    """Return the modules that a file imports; of `from package import module` only the module."""
    found = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            full = {alias.name: f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in known else node.module for name in full.values()}
    return found & set(known)


def test_no_modules_import_each_other_in_a_circle() -> None:
    known = {module_of(path): path for path in FILES}
    sorter = TopologicalSorter({name: imported_modules(path, known) - {name} for name, path in known.items()})
    sorter.prepare()  # raises CycleError, which names the circle


def test_only_the_ros_room_and_what_watches_nodes_import_ros() -> None:
    found = [f"{shown(path)} imports {name}" for path in ROOMS if room_of(path) not in ROS_ROOMS
             for name in imports(path)
             if name.split(".")[0] in ROS_ROOTS or name.startswith(GENERATED)]
    assert found == []


def test_imports_within_the_package_are_written_in_full() -> None:
    assert [shown(path) for path in FILES for node in ast.walk(tree_of(path))
            if isinstance(node, ast.ImportFrom) and node.level > 0] == []


def test_the_core_can_be_imported_where_there_is_no_ros() -> None:
    program = IMPORT_CORE_WITHOUT_ROS.format(roots=ROS_ROOTS, package=str(PACKAGE), generated=GENERATED)
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
