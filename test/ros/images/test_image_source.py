"""What reaches the worker of images, camera_info and depth, and what diagnostics say when something does not come."""

from __future__ import annotations

import math

import pytest

pytest.importorskip("cl_localization.msg", reason="ROS 2 or the built messages are not here: run scripts/test")

from cl_localization.ros.images.image_source import SILENT_S
from ros_images import SECOND, Stage


def test_images_reach_the_worker_in_the_order_in_which_they_come_whatever_their_stamps() -> None:
    stage = Stage()
    stage.show(5 * SECOND, 6 * SECOND, 6 * SECOND, 4 * SECOND, 0, 2 * SECOND)
    assert stage.stamps() == [5 * SECOND, 6 * SECOND, 6 * SECOND, 4 * SECOND, 0, 2 * SECOND]


def test_the_frame_of_the_camera_is_that_of_the_images_unless_a_parameter_names_another() -> None:
    for frame in ("", "left_optical"):
        stage = Stage(camera_frame=frame)
        stage.show(SECOND)
        assert stage.bundles[0].camera_frame == frame


def test_a_bag_that_loops_after_images_without_camera_info_goes_on_at_once() -> None:
    stage = Stage()
    for number in range(50):
        stage.say("image", (1000 + number) * SECOND)
    stage.show(SECOND, 2 * SECOND)
    assert stage.stamps() == [SECOND, 2 * SECOND]


def test_a_stamp_before_1970_is_refused_with_what_to_do() -> None:
    stage = Stage()
    stage.show(-SECOND)
    assert stage.bundles == [] and "stamp on /robot/camera_info must not be before 1970" in stage.node.reported[0]


def test_depth_is_waited_for_only_while_it_has_a_publisher() -> None:
    stage = Stage("auto")
    stage.show(SECOND)
    stage.node.publishers["/robot/depth"] = 1
    stage.show(2 * SECOND, 3 * SECOND)
    stage.say("depth", 3 * SECOND)
    assert stage.stamps() == [SECOND, 3 * SECOND] and [bundle.depth is not None for bundle in stage.bundles] == [
        False,
        True,
    ]


def later(stage: Stage, seconds: float, *topics: str) -> str:
    """Let time pass in which some topics are heard, each message with a stamp of its own, and return the problem
    then."""
    until_s = stage.now_s + seconds
    while stage.now_s < until_s:
        stage.now_s += 0.5
        for number, topic in enumerate(topics):
            stage.say(topic, int((stage.now_s + 0.1 * number) * SECOND))
    return stage.source.problem


def test_missing_topics_are_named_within_seconds() -> None:
    assert later(Stage(), 1.0) == ""
    assert later(Stage(), SILENT_S + 1) == "no images on /robot/image"
    assert later(Stage(), SILENT_S + 1, "image") == "images arrive, but no /robot/camera_info"
    assert later(Stage("on"), SILENT_S + 1, "image") == "images arrive, but no /robot/camera_info and /robot/depth"
    assert later(Stage(), SILENT_S + 1, "image",
                 "camera_info") == "images arrive, but no /robot/camera_info with their timestamps"


def test_depth_with_a_publisher_but_without_messages_is_named() -> None:
    stage = Stage("auto")
    stage.node.publishers["/robot/depth"] = 1
    assert later(stage, SILENT_S + 1, "image") == "images arrive, but no /robot/camera_info and /robot/depth"


def test_a_topic_that_stops_is_named_until_it_resumes() -> None:
    stage = Stage()
    stage.show(SECOND)
    assert later(stage, SILENT_S + 1, "image") == "images arrive, but no /robot/camera_info"
    stage.show(int(stage.now_s * SECOND))
    assert stage.source.problem == ""


def test_images_lost_in_transport_are_reported_for_some_time() -> None:
    stage = Stage()
    stage.show(SECOND)
    stage.source._count_lost(type("Event", (), {"total_count_change": 3}))
    assert "3 images lost in transport; enlarge the DDS buffers" in stage.source.problem
    stage.now_s += SILENT_S - 0.5
    stage.show(2 * SECOND)
    stage.now_s += 1.0
    assert stage.source.problem == ""


def test_compressed_images_are_heard_where_the_remapped_image_is() -> None:
    stage = Stage(transport="compressed")
    assert set(stage.node.callbacks) == {"/robot/image/compressed", "camera_info", "~/mask"}


def test_compressed_depth_is_heard_beside_the_remapped_depth() -> None:
    stage = Stage("on", depth_transport="compressedDepth")
    assert set(stage.node.callbacks) == {"image", "camera_info", "~/mask", "depth_camera_info",
                                         "/robot/depth/compressedDepth"}


def test_which_camera_is_used_is_said_once_where_nothing_says_whether_images_are_rectified() -> None:
    stage = Stage()
    for stamp_ns in (SECOND, 2 * SECOND):
        stage.say("camera_info", stamp_ns, k=[30.0, 0.0, 16.0, 0.0, 30.0, 12.0, 0.0, 0.0, 1.0], d=[-0.28] * 5,
                  p=[25.0, 0.0, 16.0, 0.0, 0.0, 25.0, 12.0, 0.0, 0.0, 0.0, 1.0, 0.0])
    assert len(stage.node.told) == 2 and stage.node.told[1].startswith(
        "camera_info on /robot/camera_info has a distorted lens (K: fx 30.0 px), which is used, and a rectified camera")
    assert stage.node.told[1].endswith("if the images are rectified, say so with images.rectified:=always")


def test_what_a_node_listens_to_is_said_at_the_start() -> None:
    assert Stage("on").node.told == ["listens to /robot/image, /robot/camera_info, /robot/depth"]


@pytest.mark.parametrize(("delay_s", "problem"), [
    (0.2, ""), (3.0, "images arrive 3.0 s after their timestamps, and so do poses"),
    (-3.0, "images have timestamps 3.0 s in the future"), (1e6, ""), (-1e6, "")])
def test_images_that_are_late_by_their_timestamps_are_reported_but_not_those_of_a_bag(delay_s: float,
                                                                                     problem: str) -> None:
    stage = Stage()
    stage.node.clock_ns = 2_000_000 * SECOND
    for number in range(5):
        stage.node.clock_ns += SECOND // 10
        stage.show(stage.node.clock_ns - round(delay_s * SECOND) - (SECOND * 3600 if number == 2 else 0))
    assert stage.source.delay_s == pytest.approx(delay_s, rel=1e-6)
    assert stage.source.problem.startswith(problem) and bool(stage.source.problem) == bool(problem)


def test_before_simulated_time_comes_no_delay_is_known() -> None:
    stage = Stage()
    stage.show(SECOND)
    assert math.isnan(stage.source.delay_s) and stage.source.problem == ""


def test_images_that_come_every_four_seconds_are_not_reported_as_missing_between_them() -> None:
    stage = Stage()
    for number in range(1, 4):
        stage.show(number * 4 * SECOND)
        stage.now_s += 4.0
        assert number == 1 or stage.source.problem == ""
    stage.now_s += 8.0
    assert stage.source.problem == "no images on /robot/image"
