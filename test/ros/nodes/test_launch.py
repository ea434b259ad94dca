"""Launch files: documented arguments that exist as parameters and topics; run for real where `launch` is importable."""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import yaml

from cl_localization.config import flatten
from cl_localization.ros.nodes.parameters_yaml import NODE_CONFIGS
from ros_robot import SPEC
from ros_world import WAIT_S, wait_until

REPOSITORY = Path(__file__).resolve().parents[3]
FILES = sorted((REPOSITORY / "launch").glob("*.launch.py"))
NODE_OF = {"localization": "localizer", "bag": "localizer", "mapping": "mapper", "slam": "mapper"}
TOPIC = re.compile(r"^/(localizer|mapper)/((?:nerf/)?\w+)$")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_launch_file_says_what_it_does_and_makes_a_description(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert "ros2 launch cl_localization " + path.name in ast.get_docstring(tree)
    assert "generate_launch_description" in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_the_launch_files_are_there() -> None:
    assert [path.name for path in FILES] == ["bag.launch.py", "demo.launch.py", "localization.launch.py",
                                             "mapping.launch.py", "slam.launch.py"]


def parameters_set_by(path: Path) -> list[str]:
    """Names of the parameters that the arguments of a launch file (or of what they share) set."""
    return [keyword.value.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)
            for keyword in node.keywords if keyword.arg == "parameter"]


def parameters_of(node: str) -> set[str]:
    """Names of the parameters of a node."""
    return {option for option, _, _ in flatten(NODE_CONFIGS[node])} | {"use_sim_time"}


@pytest.mark.parametrize("name", NODE_OF)
def test_every_argument_sets_a_parameter_that_exists(name: str) -> None:
    found = parameters_set_by(REPOSITORY / "launch" / f"{name}.launch.py")
    assert set(found) <= parameters_of(NODE_OF[name])


def test_every_argument_that_launch_files_share_sets_a_parameter_that_exists() -> None:
    found = parameters_set_by(REPOSITORY / "cl_localization" / "ros" / "nodes" / "launching.py")
    assert found and set(found) <= parameters_of("localizer") | parameters_of("mapper")


def test_rviz_shows_topics_that_the_nodes_publish() -> None:
    view = yaml.safe_load((REPOSITORY / "rviz" / "cl_localization.rviz").read_text())
    topics = [display["Topic"]["Value"] for display in view["Visualization Manager"]["Displays"] if "Topic" in display]
    parts = {"localizer": ("nodes/localizer_outputs", "nodes/localizer"),
             "mapper": ("nodes/mapper_outputs", "nodes/mapper", "nerf/outputs", "mapping/own_poses")}
    sources = {node: "".join((REPOSITORY / "cl_localization" / "ros" / f"{file}.py").read_text() for file in files)
               for node, files in parts.items()}
    assert len(topics) == 8
    for topic in topics:
        node, name = TOPIC.match(topic).groups()
        assert f'"~/{name}"' in sources[node], topic


LAUNCH = """
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
arguments = [tuple(word.split(":=", 1)) for word in sys.argv[2:]]
service = LaunchService()
service.include_launch_description(LaunchDescription([
    IncludeLaunchDescription(PythonLaunchDescriptionSource(sys.argv[1]), launch_arguments=arguments)]))
sys.exit(service.run())
"""


@pytest.fixture
def launched(domain: int) -> Iterator[Callable[..., subprocess.Popen]]:
    """Starts launch files where the real `launch` and `launch_ros` are importable; ends them as Ctrl-C does."""
    pytest.importorskip("launch_ros.actions", reason="launch and launch_ros are not importable here")
    started: list[subprocess.Popen] = []

    def start(name: str, *arguments: str) -> subprocess.Popen:
        path = REPOSITORY / "launch" / f"{name}.launch.py"
        started.append(subprocess.Popen([sys.executable, "-c", LAUNCH, str(path), *arguments], text=True,
                                        env={**os.environ, "ROS_DOMAIN_ID": str(domain)}, start_new_session=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT))
        return started[-1]

    yield start
    for process in started:
        if process.poll() is not None:
            continue
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: launch leaves it to the terminal to tell its nodes
        process.wait(WAIT_S)  # a node that is just starting may miss SIGINT, and gets SIGTERM after 15 s


@pytest.mark.parametrize("name", ["localization", "mapping", "slam", "bag", "demo"])
def test_every_launch_argument_is_documented(name: str) -> None:
    pytest.importorskip("launch_ros.actions", reason="launch and launch_ros are not importable here")
    spec = importlib.util.spec_from_file_location(name, REPOSITORY / "launch" / f"{name}.launch.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    arguments = module.generate_launch_description().get_launch_arguments()
    assert len(arguments) >= 6 and all(len(argument.description) > 10 for argument in arguments)


def test_arguments_become_remappings_and_typed_parameters_of_a_running_node(launched, ros) -> None:
    from rcl_interfaces.srv import GetParameters

    launched("localization", "image:=/front/image_raw", "use_sim_time:=true", "min_inliers:=50", "odom_frame:=none",
             "namespace:=robot")
    names = ["use_sim_time", "pose.min_inliers", "frames.odom", "frames.map"]
    values = ros.call(GetParameters, "/robot/localizer/get_parameters", GetParameters.Request(names=names)).values
    assert (values[0].bool_value, values[1].integer_value, values[2].string_value, values[3].string_value) == (
        True,
        50,
        "",
        "map",
    )
    wait_until(lambda: ros.node.count_subscribers("/front/image_raw") == 1)


def test_the_demo_plays_a_sequence_to_mapper_and_localizer(launched, ros) -> None:
    from cl_localization.msg import LocalizationStatus

    statuses = ros.heard(LocalizationStatus, "/localizer/status")
    launched("demo", "sequence:=sim:3?rooms=1&frames=40")
    wait_until(lambda: any(status.reason == "ok" for status in statuses))


PLAYER = """#!/bin/sh
# Stands for `ros2 bag play BAG --clock --rate RATE`, which the wheels lack.
test "$1 $2 $4 $5" = "bag play --clock --rate" || exit 2
exec {python} -m cl_localization.ros.nodes.sequence_player --ros-args -p sequence:="$3" -p rate:="$6" -p clock:=true \\
    -p stamps:=original -p exit_when_done:=true -p wait_for_subscribers:=1 -p wait_timeout_s:=30.0
"""


def test_a_bag_is_played_to_a_localizer_in_the_bags_time_and_the_launch_ends_with_it(launched, ros, frames, room_map,
                                                                                    tmp_path, monkeypatch) -> None:
    from cl_localization.msg import LocalizationStatus

    from cl_localization.data import open_sequence
    from cl_localization.data.bag_writer import write_bag

    write_bag(open_sequence(f"{SPEC}[0:20]"), tmp_path / "drive")
    (tmp_path / "ros2").write_text(PLAYER.format(python=sys.executable))
    (tmp_path / "ros2").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    statuses = ros.heard(LocalizationStatus, "/localizer/status", 100)
    process = launched("bag", f"bag:={tmp_path / 'drive'}", f"map_file:={room_map}", "rate:=0.2")
    output, _ = process.communicate(timeout=WAIT_S)
    assert process.returncode == 0, output
    assert sum(status.reason == "ok" for status in statuses) >= 5, output
    stamps_s = {status.header.stamp.sec for status in statuses if status.reason == "ok"}
    assert max(stamps_s) < 10_000  # of the simulated walk, not of today


@pytest.mark.parametrize(("argument", "message"), [
    ("params_file:=/nowhere/robot.yaml", "launch argument params_file must be a file, found /nowhere/robot.yaml"),
    ("transform_tolerance_s:=abc", "launch argument transform_tolerance_s must be a float, found 'abc'"),
    ("two_d:=maybe", "launch argument two_d must be true or false, found 'maybe'"),
    ("respawn:=often", "launch argument respawn must be true or false, found 'often'")])
def test_an_argument_that_makes_no_sense_is_named(launched, argument: str, message: str) -> None:
    process = launched("localization", argument)
    output, _ = process.communicate(timeout=WAIT_S)
    assert process.returncode != 0 and message in output, output


def test_robots_in_namespaces_have_tf_and_initialpose_of_their_own(launched, ros) -> None:
    launched("localization", "namespace:=robot1", "private_tf:=true", "frame_prefix:=robot1/", "autostart:=false")
    launched("localization", "namespace:=robot2", "private_tf:=true")
    wait_until(lambda: ros.node.count_subscribers("/robot2/tf") and ros.node.count_subscribers("/robot2/initialpose"))
    assert ros.node.count_subscribers("/tf") == 0 and ros.node.count_subscribers("/initialpose") == 0
    assert ros.node.count_subscribers("/robot1/image") == 0  # it waits for a lifecycle manager


def node_of(session: int, executable: str) -> int:
    """The id of a process of a session that runs an executable; 0 for none."""
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if os.getsid(int(folder.name)) == session and executable in (folder / "cmdline").read_text():
                return int(folder.name)
    return 0


def endpoints(ros, topic: str) -> set[tuple[int, ...]]:
    """What DDS calls the publishers of a topic; those of a process that was killed stay for some seconds."""
    return {tuple(info.endpoint_gid) for info in ros.node.get_publishers_info_by_topic(topic)}


def test_a_node_that_dies_is_started_again_where_that_is_asked_for_and_rviz_may_be_missing(launched, ros) -> None:
    process = launched("localization", "respawn:=true", "rviz:=true")
    wait_until(lambda: ros.node.count_subscribers("/image") == 1 and endpoints(ros, "/localizer/status"))
    before = endpoints(ros, "/localizer/status")
    os.kill(node_of(process.pid, "cl_localization/localizer"), signal.SIGKILL)
    wait_until(lambda: endpoints(ros, "/localizer/status") - before)
