"""Maps that cannot be lost: saved while learning goes on, whatever happens to the disk, the file or the mapper's
process."""

from __future__ import annotations

import threading
from pathlib import Path as File
from typing import Any

import numpy as np
import pytest

pytest.importorskip("cl_localization.msg", reason="ROS 2 or the built messages are not here: run scripts/test")

from cl_localization.srv import SaveMap
from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from std_srvs.srv import SetBool

from cl_localization.map.map_file import load_map
from cl_localization.map.map_store import MapStore
from cl_localization.mapper import Mapper
from cl_localization.ros.nodes.mapper import MapperNode
from ros_faults import fill, small_disk
from ros_robot import Robot
from ros_world import WAIT_S, RosWorld, wait_until


@pytest.fixture
def robot(robot: Robot) -> Robot:
    """A robot in the room that sends its true poses."""
    robot.send_poses()
    return robot


def start_mapper(ros: RosWorld, path: File, **parameters: Any) -> MapperNode:
    """A mapper that keeps every image as a keyframe and does not save by itself unless told to."""
    return ros.start(MapperNode, "mapper", **{"poses__source": "pose", "map_file": str(path),
                                              "keyframes__min_translation_m": 0.0,
                                              "autosave_period_s": 0.0, "autosave_keyframes": 0, **parameters})


def test_a_map_is_saved_after_so_many_new_keyframes(ros, robot, statuses, frames, tmp_path) -> None:
    path = tmp_path / "map.safetensors"
    start_mapper(ros, path, autosave_keyframes=3)
    robot.show_until(frames, lambda: path.is_file() and statuses[-1].map_version > statuses[-1].saved_version > 0)
    assert len(load_map(path).keyframes) >= 3
    robot.show_until(frames, lambda: MapStore(path).previous.is_file())
    assert max(status.unsaved_keyframes for status in statuses) <= 8


def test_learning_goes_on_while_a_map_is_written_and_the_service_answers_when_it_is(
    ros, robot, statuses, frames, tmp_path, monkeypatch
) -> None:
    written, save = threading.Event(), MapStore.save

    def slow(store: MapStore, *arguments: Any) -> int:
        assert written.wait(WAIT_S)
        return save(store, *arguments)

    monkeypatch.setattr(MapStore, "save", slow)
    start_mapper(ros, tmp_path / "map.safetensors")
    robot.show_until(frames, lambda: statuses and statuses[-1].keyframes)
    client = ros.node.create_client(SaveMap, "/mapper/save_map")
    wait_until(client.service_is_ready)
    answer = client.call_async(SaveMap.Request())
    learned = statuses[-1].keyframes
    robot.show_until(frames, lambda: statuses[-1].keyframes >= learned + 3)
    assert not answer.done() and statuses[-1].unsaved_keyframes >= 3
    written.set()
    wait_until(answer.done)
    assert answer.result().success and answer.result().bytes == (tmp_path / "map.safetensors").stat().st_size


def test_a_full_disk_is_said_and_survived_and_the_map_is_saved_when_there_is_room(
    ros, robot, statuses, frames, tmp_path
) -> None:
    diagnostics = ros.heard(DiagnosticArray, "/diagnostics")
    with small_disk(tmp_path / "disk", 20_000_000) as disk:
        ballast = fill(disk)
        start_mapper(ros, disk / "map.safetensors", autosave_period_s=0.1, diagnostics_period_s=0.1)
        robot.show_until(frames, lambda: statuses and "No space left on device" in statuses[-1].save_error)
        robot.show_until(frames, lambda: any("No space left" in array.status[0].message for array in diagnostics))
        learned = statuses[-1].keyframes
        robot.show_until(frames, lambda: statuses[-1].keyframes > learned)
        ballast.unlink()
        robot.show_until(frames, lambda: not statuses[-1].save_error and statuses[-1].saved_version)
        assert len(load_map(disk / "map.safetensors").keyframes) > learned
        ros.end(ros.nodes[-1])


def test_a_damaged_map_is_kept_and_the_one_before_it_learned_on(ros, robot, statuses, frames, room_map,
                                                                tmp_path) -> None:
    store, damaged = MapStore(tmp_path / "map.safetensors"), room_map.read_bytes()[:-1]
    store.previous.write_bytes(room_map.read_bytes())
    store.path.write_bytes(damaged)
    start_mapper(ros, store.path, autosave_keyframes=5)
    robot.show_until(frames, lambda: statuses and "resuming from" in statuses[-1].save_error)
    assert statuses[-1].codes >= len(load_map(room_map))
    robot.show_until(frames, lambda: not statuses[-1].save_error)
    assert load_map(store.path).parent_id == load_map(room_map).map_id
    assert (tmp_path / "map.damaged-1.safetensors").read_bytes() == damaged


def test_a_map_that_is_not_resumed_is_set_aside_when_another_is_saved(ros, robot, statuses, frames, room_map,
                                                                      tmp_path) -> None:
    path = tmp_path / "map.safetensors"
    path.write_bytes(room_map.read_bytes())
    start_mapper(ros, path, resume=False, autosave_keyframes=2)
    robot.show_until(frames, lambda: statuses and statuses[-1].saved_version)
    assert (tmp_path / f"map.{load_map(room_map).map_id[:8]}.safetensors").read_bytes() == room_map.read_bytes()


@pytest.mark.parametrize("resume", [True, False])
def test_a_map_file_that_is_no_map_stops_configuring_and_is_left_alone(ros, tmp_path, capfd, resume) -> None:
    path = tmp_path / "nav2_params.yaml"
    path.write_text("amcl:\n  ros__parameters:\n")
    node = ros.add(MapperNode(context=ros.context, parameter_overrides=[Parameter("map_file", value=str(path)),
                                                                        Parameter("resume", value=resume)]))
    assert not node.bring_up()
    assert "nav2_params.yaml must be a whole safetensors file" in (err := capfd.readouterr().err)
    assert "choose another name" in err and "Traceback" not in err
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_another_scene_begins_while_the_mapper_runs_and_a_scene_without_a_name_is_refused(
    ros, robot, statuses, frames, tmp_path
) -> None:
    start_mapper(ros, tmp_path / "map.safetensors", keyframes__min_translation_m=10.0,
                 keyframes__min_rotation_deg=180.0)
    same = frames[:1]  # only another scene makes it a keyframe again
    robot.show_until(same, lambda: statuses and statuses[-1].keyframes == 1)
    for name, taken in (("cellar", True), ("", False)):
        request = SetParameters.Request(parameters=[Parameter("scene", value=name).to_parameter_msg()])
        result = ros.call(SetParameters, "/mapper/set_parameters", request).results[0]
        assert result.successful == taken, result.reason
    assert "option scene must have 1 to 1000 characters" in result.reason
    robot.show_until(same, lambda: statuses[-1].scene == "cellar" and statuses[-1].keyframes == 2)
    assert ros.call(SaveMap, "/mapper/save_map").success
    kept = load_map(tmp_path / "map.safetensors")
    assert kept.scene_names == ["default", "cellar"] and all(len(kept.rows_of(scene)) for scene in (0, 1))
    assert np.array_equal(np.sort(kept.keyframes["keyframe_scenes"][kept.keyframes.rows()]), [0, 1])


def test_ctrl_c_during_a_slow_keyframe_saves_all_keyframes_before_it_and_the_exit_code_tells(
        ros, robot, statuses, frames, tmp_path, monkeypatch) -> None:
    path, slow, go_on = tmp_path / "map.safetensors", threading.Event(), threading.Event()
    node = start_mapper(ros, path)
    robot.show_until(frames, lambda: statuses and statuses[-1].keyframes >= 3)
    add = Mapper.add

    def hang(mapper: Mapper, frame: Any) -> Any:
        slow.set()
        go_on.wait(WAIT_S)
        return add(mapper, frame)

    monkeypatch.setattr(Mapper, "add", hang)
    robot.show_until(frames, slow.is_set)
    learned = node._mapper.map_code.version
    ros.end(node)
    assert node.exit_code == 1 and load_map(path).version == learned
    go_on.set()


def test_the_exit_code_is_0_when_nothing_is_lost(ros, robot, statuses, frames, tmp_path) -> None:
    node = start_mapper(ros, tmp_path / "map.safetensors")
    robot.show_until(frames, lambda: statuses and statuses[-1].keyframes >= 2)
    ros.call(SetBool, "/mapper/set_learning", SetBool.Request(data=False))  # answered when no image is in work
    ros.end(node)
    assert node.exit_code == 0 and len(load_map(tmp_path / "map.safetensors").keyframes) >= 2
