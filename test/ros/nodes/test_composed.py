"""Localizer and mapper in one process: parameters find their node, each image is encoded once, it ends cleanly."""

from __future__ import annotations

import signal
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("cl_localization.msg", reason="ROS 2 or the built messages are not here: run scripts/test")

from cl_localization.msg import LocalizationStatus, MappingStatus
from cl_localization.srv import SaveMap
from rcl_interfaces.srv import GetParameters
from rclpy.parameter import Parameter

from cl_localization.data.frame import Frame
from cl_localization.errors import ConfigError
from cl_localization.features.encoder import Encoder
from cl_localization.features.shared import SharedEncoder
from cl_localization.ros.nodes.config import LocalizerNodeConfig, MapperNodeConfig
from cl_localization.ros.nodes.localizer import LocalizerNode
from cl_localization.ros.nodes.mapper import MapperNode
from cl_localization.ros.workers.cpu import Turns
from ros_robot import Robot
from ros_world import WAIT_S, RosWorld, wait_until


def pair(ros: RosWorld, **given) -> tuple[LocalizerNode, MapperNode]:
    """Both nodes as `composed` makes them, with the same parameters given to each."""
    turns, overrides = Turns(), [Parameter(key.replace("__", "."), value=value) for key, value in given.items()]
    common = {"context": ros.context, "parameter_overrides": overrides,
              "cli_args": ["--ros-args", "-r", "pose:=ground_truth"]}
    nodes = (LocalizerNode(beside=(MapperNodeConfig(),), turn=turns.first, **common),
             MapperNode(beside=(LocalizerNodeConfig(),), turn=turns.second, **common))
    for node in nodes:
        ros.add(node)
        assert node.bring_up()
    return nodes


def marked(frame: Frame, number: int) -> Frame:
    """The frame with a number in its first pixel, so that no two images are the same."""
    image = frame.image.copy()
    image[0, 0] = number
    return replace(frame, image=image)


def test_both_begin_with_a_map_file_that_is_not_there_yet_and_the_map_is_saved_there(ros, tmp_path) -> None:
    localizer, mapper = pair(ros, map_file=str(tmp_path / "new.safetensors"), poses__source="pose")
    wait_until(lambda: localizer._map.map_code is not None
               and localizer._map.map_code.map_id == mapper._mapper.map_code.map_id)
    assert ros.call(SaveMap, "/mapper/save_map").success and (tmp_path / "new.safetensors").is_file()


def test_each_image_is_encoded_once_for_both_nodes(ros, room, frames, monkeypatch) -> None:
    encoded: list[np.ndarray] = []

    def counted(shared: SharedEncoder, encoder: Encoder) -> None:
        original(shared, encoder)
        inner = encoder.encode
        encoder.encode = lambda image: encoded.append(image) or inner(image)

    original = SharedEncoder.__init__
    monkeypatch.setattr(SharedEncoder, "__init__", counted)
    robot = Robot(ros, room)
    pair(ros, poses__source="pose", encoder__max_keypoints=700, keyframes__min_translation_m=0.0,
         keyframes__min_rotation_deg=0.0)
    localized, mapped = ros.heard(LocalizationStatus, "/localizer/status"), ros.heard(MappingStatus, "/mapper/status")
    robot.show_until([marked(frames[number % len(frames)], number) for number in range(200)], lambda: any(
        status.reason == "ok" for status in localized) and sum(status.is_keyframe for status in mapped) >= 5)
    assert len({image.tobytes() for image in encoded}) == len(encoded)


def test_parameters_go_to_the_node_that_knows_them_and_shared_ones_to_both(ros) -> None:
    localizer, mapper = pair(ros, autostart=False, frames__map="house", two_d=True, scene="kitchen")
    assert localizer.config.frames.map == mapper.config.frames.map == "house"
    assert localizer.config.two_d and mapper.config.scene == "kitchen"
    assert not localizer.has_parameter("scene") and not mapper.has_parameter("two_d")


def test_a_parameter_that_no_node_of_the_process_knows_is_an_error(ros) -> None:
    with pytest.raises(ConfigError, match="option scen is unknown"):
        pair(ros, scen="kitchen")


def test_the_process_has_both_nodes_and_ends_within_two_seconds_of_a_signal(ros, processes) -> None:
    process = processes.start("composed", "-p", "scene:=kitchen", "-p", "mapper:threads:=1")
    values = {}
    for name in ("localizer", "mapper"):
        values[name] = ros.call(GetParameters, f"/{name}/get_parameters",
                                GetParameters.Request(names=["threads"])).values[0].integer_value
    assert values == {"localizer": 0, "mapper": 1}
    wait_until(lambda: ros.node.count_subscribers("image") >= 2)
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=WAIT_S)
    assert process.returncode == 0 and "Traceback" not in output
