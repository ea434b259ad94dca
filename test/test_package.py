"""The files that make a package of this folder agree with each other."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
import xml.etree.ElementTree as ElementTree
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.specifiers import SpecifierSet

import cl_localization

REPOSITORY = Path(__file__).resolve().parents[1]
UNDERLAY = sorted(path.parent for path in (REPOSITORY / "underlay").glob("*/package.xml"))
PROGRAMS = sorted((REPOSITORY / "nodes").iterdir())
SCRIPTS = [*(REPOSITORY / "scripts" / name for name in ("demo", "fresh", "run", "setup", "test")),
           REPOSITORY / ".ci" / "run"]
CMAKE = (REPOSITORY / "CMakeLists.txt").read_text()
NOTICES = (REPOSITORY / "THIRD_PARTY_NOTICES.md").read_text()
INTERFACES = sorted(path.relative_to(REPOSITORY).as_posix() for kind in ("msg", "srv")
                    for path in (REPOSITORY / kind).iterdir())
NORMALIZED = re.compile(r"[-_.]+")


PYTHON_KEYS = {"python3-faiss": "faiss-cpu", "python3-matplotlib": "matplotlib", "python3-numpy": "numpy",
               "python3-opencv": "opencv-python-headless", "python3-pil": "pillow", "python3-rich": "rich",
               "python3-rosbags-pip": "rosbags", "python3-scipy": "scipy", "python3-yaml": "pyyaml"}
"""Keys that rosdep has, and what they bring."""

ROS_KEYS = {"ament_cmake", "ament_cmake_pytest", "ament_cmake_python", "ament_index_python", "builtin_interfaces",
            "cv_bridge", "diagnostic_msgs", "geometry_msgs", "launch", "launch_ros", "lifecycle_msgs", "nav_msgs",
            "rcl_interfaces", "rclpy", "rosgraph_msgs", "rosidl_default_generators", "rosidl_default_runtime", "rviz2",
            "sensor_msgs", "std_msgs", "std_srvs", "tf2_msgs", "tf2_ros", "tf2_ros_py", "tf_transformations"}
"""Packages of Jazzy and Kilted."""


def manifest(folder: Path) -> ElementTree.Element:
    """The package.xml of a folder."""
    return ElementTree.parse(folder / "package.xml").getroot()


def dependencies(folder: Path) -> set[str]:
    """All packages that a package.xml names."""
    return {element.text for element in manifest(folder) if element.tag.endswith("depend")}


def pyproject() -> dict[str, Any]:
    """The parsed pyproject.toml."""
    return tomllib.loads((REPOSITORY / "pyproject.toml").read_text())


def requirement_names(text: str) -> set[str]:
    """The names, normalized as pip does, in lines of requirements."""
    lines = (line.split("#")[0].strip() for line in text.splitlines())
    return {NORMALIZED.sub("-", re.match(r"[\w.-]+", line)[0]).lower() for line in lines if line}


def pinned() -> dict[str, str]:
    """The version of each package in constraints.txt."""
    lines = (REPOSITORY / "requirements" / "constraints.txt").read_text().splitlines()
    pairs = (line.split("==") for line in lines if line and not line.startswith("#"))
    return {NORMALIZED.sub("-", name).lower(): version for name, version in pairs}


def imported_packages(folder: Path) -> set[str]:
    """The top-level packages that the Python files of a folder import."""
    names = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names.add(node.module.split(".")[0])
    return names


def test_all_name_the_same_package_and_version():
    root, project = manifest(REPOSITORY), pyproject()["project"]
    assert root.findtext("name") == project["name"] == "cl_localization"
    assert f"project({root.findtext('name')})" in CMAKE
    assert root.findtext("version") == cl_localization.__version__
    assert root.findtext("license") == project["license"]
    assert root.findtext("description") == project["description"]


def test_the_version_stands_in_one_place_besides_the_manifest():
    assert "version" in pyproject()["project"]["dynamic"]
    assert pyproject()["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "cl_localization.__version__"}


def test_an_underlay_package_has_the_name_of_its_folder():
    assert UNDERLAY
    assert [folder.name for folder in UNDERLAY if manifest(folder).findtext("name") != folder.name
            or f"project({folder.name})" not in (folder / "CMakeLists.txt").read_text()] == []


def test_what_cmake_finds_is_declared():
    found = {folder: set(re.findall(r"find_package\((\w+)", (folder / "CMakeLists.txt").read_text()))
             for folder in (REPOSITORY, *UNDERLAY)}
    assert all(found.values())
    assert {folder.name: names - dependencies(folder) for folder, names in found.items()
            if names - dependencies(folder)} == {}


def test_every_message_and_service_is_generated():
    assert re.findall(r"^  ((?:msg|srv)/\w+\.(?:msg|srv))$", CMAKE, re.MULTILINE) == INTERFACES


def test_every_ros_package_that_the_nodes_import_is_declared():
    known = {"ament_index_python", "builtin_interfaces", "cv_bridge", "diagnostic_msgs", "geometry_msgs", "launch",
             "launch_ros",
             "lifecycle_msgs", "nav_msgs", "rcl_interfaces", "rclpy", "rosgraph_msgs", "sensor_msgs", "std_msgs",
             "std_srvs", "tf2_msgs", "tf2_ros", "tf_transformations", "visualization_msgs"}
    used = imported_packages(REPOSITORY / "cl_localization" / "ros") | imported_packages(REPOSITORY / "launch")
    assert used & known <= dependencies(REPOSITORY)


def own_rosdep_keys() -> dict[str, str]:
    """What the keys of requirements/rosdep.yaml bring from PyPI."""
    rules = yaml.safe_load((REPOSITORY / "requirements" / "rosdep.yaml").read_text())
    found = {key: rule["*"]["pip"]["packages"] for key, rule in rules.items()}
    assert all(len(packages) == 1 for packages in found.values())
    return {key: packages[0] for key, packages in found.items()}


def test_rosdep_finds_every_key_of_the_manifest_and_brings_what_pip_would():
    keys = PYTHON_KEYS | own_rosdep_keys()
    known = ROS_KEYS | {"python3-hypothesis", "python3-pytest"}
    assert dependencies(REPOSITORY) - known == set(keys)
    assert set(keys.values()) == requirement_names("\n".join(pyproject()["project"]["dependencies"]))


@pytest.mark.parametrize("path", ["Dockerfile", ".github/workflows/ci.yml", "docs/install.md"])
def test_what_setup_brings_from_pypi_is_skipped_by_rosdep(path: str):
    skipped = " ".join(re.findall(r'--skip-keys "([^"]+)"', (REPOSITORY / path).read_text())).split()
    assert set(skipped) == {"python3-faiss", "python3-rosbags-pip", *own_rosdep_keys()}


def test_every_node_is_a_program_that_cmake_installs():
    def installed(program):
        text = program.read_text()
        module = re.search(r"from (cl_localization\.ros\.nodes\.\w+) import main", text)
        return (os.access(program, os.X_OK) and text.startswith("#!/usr/bin/env python3\n")
                and f"nodes/{program.name}" in CMAKE
                and module and (REPOSITORY / (module[1].replace(".", "/") + ".py")).is_file())

    assert PROGRAMS
    assert [program.name for program in PROGRAMS if not installed(program)] == []


def test_the_command_line_that_is_installed_is_there():
    module, function = pyproject()["project"]["scripts"]["cl_localization"].split(":")
    tree = ast.parse((REPOSITORY / (module.replace(".", "/") + ".py")).read_text())
    assert function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_package_that_is_asked_for_has_a_version():
    project = pyproject()["project"]
    lists = [project["dependencies"], *project["optional-dependencies"].values()]
    asked = {name for wanted in lists for name in requirement_names("\n".join(wanted))}
    for path in (REPOSITORY / "requirements").glob("*.txt"):
        if path.name != "constraints.txt":
            asked |= requirement_names(path.read_text())
    assert asked <= pinned().keys()


def test_every_pinned_package_runs_on_the_python_of_debian_12():
    installed = {NORMALIZED.sub("-", found.name).lower(): found.metadata.get("Requires-Python", "")
                 for found in metadata.distributions()}
    known = installed.keys() & pinned().keys()
    assert len(known) > 30
    assert {name for name in known if not SpecifierSet(installed[name]).contains("3.11.2")} == set()


def test_versions_that_others_depend_on_are_as_they_must_be():
    versions = pinned()
    assert versions["torch"] == "2.13.0" and versions["pytest"] == "8.3.5"
    assert int(versions["opencv-python-headless"].split(".")[0]) < 5
    assert int(versions["empy"].split(".")[0]) < 4


def test_requirements_name_no_host():
    assert [path.name for path in (REPOSITORY / "requirements").iterdir() if "://" in path.read_text()] == []


def test_every_script_is_executable_and_valid_bash():
    def valid(script):
        return (os.access(script, os.X_OK) and script.read_text().startswith("#!/usr/bin/env bash\n")
                and subprocess.run(["bash", "-n", script], capture_output=True, check=False).stderr == b"")

    assert [script.name for script in SCRIPTS if not valid(script)] == []


def test_run_without_a_command_says_how_to_use_it():
    done = subprocess.run([REPOSITORY / "scripts" / "run"], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "usage: scripts/run COMMAND" in done.stderr


def test_the_shared_memory_of_the_dds_profile_holds_several_images():
    root = ElementTree.parse(REPOSITORY / "config" / "fastdds.xml").getroot()
    spaced = {"dds": "http://www.eprosima.com"}
    segment = int(root.findtext(".//dds:segment_size", namespaces=spaced))
    message = int(root.findtext(".//dds:maxMessageSize", namespaces=spaced))
    assert segment >= 8 * 1920 * 1080 and message >= 3 * 1920 * 1080


def test_every_library_that_is_asked_for_has_its_licence_in_the_notices():
    project = pyproject()["project"]
    lists = [project["dependencies"], *project["optional-dependencies"].values()]
    asked = {name for wanted in lists for name in requirement_names("\n".join(wanted))}
    rows = re.findall(r"^\| ([^|]+) \| [^|]+ \| [^|]+ \|$", NOTICES, re.MULTILINE)
    listed = {name for row in rows for name in requirement_names(row.replace(", ", "\n"))}
    assert asked - listed == set()


def test_every_file_of_weights_that_is_shipped_is_in_the_notices():
    weights = list((REPOSITORY / "cl_localization").rglob("*.safetensors"))
    assert weights and [path.name for path in weights if f"`{path.name}`" not in NOTICES] == []


def test_the_licence_and_the_notices_are_installed_with_the_package():
    assert pyproject()["project"]["license-files"] == ["LICENSE", "THIRD_PARTY_NOTICES.md"]
    assert "install(FILES LICENSE THIRD_PARTY_NOTICES.md DESTINATION share/${PROJECT_NAME})" in CMAKE


def test_the_maintainer_has_no_example_for_an_address():
    addresses = [element.get("email") for element in manifest(REPOSITORY).iter("maintainer")]
    assert addresses and not any("example" in address for address in addresses)


def test_importing_the_package_keeps_idle_threads_from_spinning_unless_the_user_has_chosen():
    program = "import os, cl_localization; print(os.environ['OMP_WAIT_POLICY'], os.environ['OPENBLAS_NUM_THREADS'])"
    chosen = {"OMP_WAIT_POLICY": "ACTIVE", "OPENBLAS_NUM_THREADS": "3"}
    clean = {name: value for name, value in os.environ.items() if name not in chosen}
    for variables, expected in ((clean, "PASSIVE 1"), ({**clean, **chosen}, "ACTIVE 3")):
        printed = subprocess.run([sys.executable, "-c", program], env=variables, capture_output=True, text=True,
                                 check=True)
        assert printed.stdout.strip() == expected
