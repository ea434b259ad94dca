"""The nodes as processes: they end when told, and say in one line why they cannot start."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

pytest.importorskip("cl_localization.msg", reason="ROS 2 or the built messages are not here: run scripts/test")

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseWithCovarianceStamped
from rcl_interfaces.srv import GetParameters
from std_msgs.msg import Bool

from cl_localization.data import open_sequence
from cl_localization.data.bag_writer import write_bag
from cl_localization.features.exported import exported_network
from cl_localization.map.map_file import load_map, save_map
from cl_localization.ros.map_topic.map_stream import HISTORY
from cl_localization.ros.nodes.config import NodeConfig
from cl_localization.ros.nodes.managed_node import ManagedNode
from cl_localization.ros.nodes.process import run_nodes
from map_makers import empty_map, grow
from ros_processes import remove_dead_segments
from ros_world import WAIT_S, RosWorld, wait_until


@pytest.fixture(scope="module")
def two_frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording of two frames: a player of the simulated room would first paint it, for seconds."""
    path = tmp_path_factory.mktemp("frames") / "bag"
    write_bag(open_sequence("sim:3?rooms=1&frames=2&size=640x480"), path)
    return path


def test_nodes_end_when_interrupted_and_the_map_file_stays_whole(ros: RosWorld, processes, two_frames,
                                                                 tmp_path) -> None:
    path = tmp_path / "map.safetensors"
    map_code = empty_map(dim=64)
    grow(map_code)
    save_map(map_code, path)
    arrays, done = ros.heard(DiagnosticArray, "/diagnostics"), ros.heard(Bool, "/sequence_player/done")
    started = {
        "/mapper": processes.start("mapper", "-p", f"map_file:={path}", "-p", "save_on_shutdown:=true", "-p",
                                   "autosave_period_s:=0.1"),
        "/localizer": processes.start("localizer")}
    player = processes.start("sequence_player", "-p", f"sequence:={two_frames}", "-p", "loop:=true", "-p",
                             "rate:=0.001")
    wait_until(lambda: {array.status[0].name for array in arrays} >= set(started))
    wait_until(lambda: "/sequence_player" in {f"{space}{name}".replace("//", "/") for name, space in
                                              ros.node.get_node_names_and_namespaces()})
    for process in (*started.values(), player):
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=WAIT_S)
        assert process.returncode == 0 and "Traceback" not in output, output
    assert done == [] and len(load_map(path)) == len(map_code)


@pytest.mark.parametrize("node, arguments", [
    ("localizer", ["-p", "autostart:=true"]), ("mapper", ["-p", "frames.tf_wait_s:=5.0"]),
    ("composed", ["-p", "frames.tf_wait_s:=5.0"])],
    ids=["encoding images", "waiting for tf", "both in one process"])
def test_nodes_end_when_told_while_they_are_at_work_and_the_map_file_stays_whole(
        ros: RosWorld, processes, room_map, two_frames, tmp_path, node, arguments) -> None:
    arrays, path = ros.heard(DiagnosticArray, "/diagnostics"), Path(shutil.copy(room_map, tmp_path))
    process = processes.start(node, *arguments, "-p", f"map_file:={path}", "-p", "diagnostics_period_s:=0.1")
    processes.start("sequence_player", "-p", f"sequence:={two_frames}", "-p", "loop:=true", "-p", "rate:=0.0")
    wait_until(lambda: any(entry.key == "images" and int(entry.value) > 5 for array in arrays
                           for entry in array.status[0].values))
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=WAIT_S)
    assert process.returncode == 0 and "Traceback" not in output, output
    assert len(load_map(path)) >= len(load_map(room_map))  # it may have learned something


@pytest.mark.parametrize("delay_s", [0.0, 0.003, 0.01, 0.03, 0.1])
def test_a_node_that_is_told_to_end_while_it_starts_ends_cleanly(processes, two_frames, delay_s) -> None:
    process = processes.start("sequence_player", "-p", f"sequence:={two_frames}", "-p", "loop:=true", "-p",
                              "rate:=0.001")
    assert any("2 frames" in line for line in iter(process.stdout.readline, ""))
    threading.Event().wait(delay_s)
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=WAIT_S)
    assert process.returncode == 0 and not output.rstrip().partition(": active")[2]


@pytest.mark.parametrize("node, arguments, match", [
    ("mapper", ["-p", "map_code.budget_mb:=-1.0"], "option budget_mb must lie in"),
    ("sequence_player", ["-p", "sequenc:=sim:3"], "option sequenc is unknown; did you mean sequence?"),
    ("sequence_player", ["-p", "sequence:=nowhere"], "nowhere")])
def test_a_node_that_cannot_start_ends_with_code_1_and_one_line_that_says_why(processes, node, arguments,
                                                                              match) -> None:
    process = processes.start(node, *arguments)
    output, _ = process.communicate(timeout=WAIT_S)
    assert process.returncode == 1
    assert match in output and "Traceback" not in output


def test_a_parameter_file_with_an_unknown_name_is_an_error(processes, tmp_path: Path) -> None:
    path = tmp_path / "player.yaml"
    path.write_text("/**:\n  ros__parameters:\n    rat: 2.0\n")
    output, _ = processes.start("sequence_player", "--params-file", str(path)).communicate(timeout=WAIT_S)
    assert "option rat is unknown; did you mean rate?" in output


def test_the_command_line_wins_over_the_file_and_the_file_over_the_default(processes, ros: RosWorld,
                                                                           tmp_path: Path) -> None:
    path = tmp_path / "player.yaml"
    path.write_text("/**:\n  ros__parameters:\n    rate: 3.0\n    start: 77\n    autostart: false\n")
    processes.start("sequence_player", "--params-file", str(path), "-p", "start:=88")
    values = ros.call(GetParameters, "/sequence_player/get_parameters",
                      GetParameters.Request(names=["rate", "start", "stop"])).values
    assert (values[0].double_value, values[1].integer_value, values[2].integer_value) == (3.0, 88, 0)


def test_a_localizer_process_started_late_gets_the_whole_map_of_a_mapper_process(
    ros: RosWorld, processes, tmp_path
) -> None:
    path = tmp_path / "map.safetensors"
    map_code = empty_map(dim=64)
    for _ in range(HISTORY):
        grow(map_code)
    save_map(map_code, path)
    arrays = ros.heard(DiagnosticArray, "/diagnostics")
    processes.start("mapper", "-p", f"map_file:={path}")
    wait_until(lambda: any(array.status[0].name == "/mapper" for array in arrays))
    processes.start("localizer")

    def codes() -> str:
        found = [array.status[0] for array in arrays if array.status[0].name == "/localizer"]
        return {value.key: value.value for value in found[-1].values}["codes"] if found else ""

    wait_until(lambda: codes() == str(len(map_code)))


def test_a_localizer_process_has_poses_without_pytorch(ros: RosWorld, processes, robot, room_map, frames) -> None:
    pytest.importorskip("openvino")
    exported_network("")  # takes PyTorch where it was not done before
    poses = ros.heard(PoseWithCovarianceStamped, "/localizer/pose")
    process = processes.start("localizer", "-p", f"map_file:={room_map}", "-p", "encoder.device:=cpu", "-p",
                              "encoder.engine:=openvino")
    robot.show_until(frames, lambda: poses)
    libraries = Path(f"/proc/{process.pid}/maps").read_text()
    assert "openvino" in libraries and "libtorch" not in libraries


def test_shared_memory_of_the_dead_is_removed_and_that_of_the_living_stays(tmp_path) -> None:
    for name in ("dead", "alive", "port9", "young"):
        (tmp_path / f"fastdds_{name}").touch()
        (tmp_path / f"fastdds_{name}_el").touch()
        if name != "young":
            os.utime(tmp_path / f"fastdds_{name}_el", (0, 0))
    with (tmp_path / "fastdds_alive_el").open("rb") as owner:
        fcntl.flock(owner, fcntl.LOCK_EX)
        assert remove_dead_segments(tmp_path) == 1
    assert {path.name for path in tmp_path.iterdir()} == {
        f"fastdds_{name}{end}" for name in ("alive", "port9", "young") for end in ("", "_el")}


def test_the_exit_code_tells_that_a_node_has_lost_something(domain: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROS_DOMAIN_ID", str(domain))

    def made(exit_code: int) -> ManagedNode:
        node = ManagedNode(f"node{exit_code}", NodeConfig())
        node.start = lambda: node.end_process()
        node.active.callback(lambda: None)
        node.configured.callback(setattr, node, "exit_code", exit_code)
        return node

    assert run_nodes([lambda: made(0)], []) == 0
    assert run_nodes([lambda: made(0), lambda: made(1)], []) == 1


def test_a_mapper_process_does_not_load_pytorch_for_a_radiance_field_that_nobody_wants() -> None:
    code = "import sys; import cl_localization.ros.nodes.mapper; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
