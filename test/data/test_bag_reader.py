"""Bags that others recorded."""

import os
import shutil
import threading

import numpy as np
import pytest

from cl_localization.data import open_sequence
from cl_localization.errors import DataError
from cl_localization.geometry.camera import Camera
from cl_localization.geometry.se3 import pose_error
from data.bag_makers import camera_info, image, odometry, pose_stamped, transforms, write_messages
from data.makers import CAMERA, make_depth, make_image, make_pose

S = 10**9
STAMPS = (1 * S, 2 * S, 3 * S)
BASE_T_CAM = make_pose(77)


def images(topic="/cam/image_raw", encoding="rgb8", frame_id="camera"):
    return [(topic, stamp, image(make_image(index), encoding, stamp, frame_id)) for index, stamp in enumerate(STAMPS)]


def depths(topic="/cam/depth", frame_id="camera", shift_ns=0):
    return [(topic, stamp + shift_ns,
             image((make_depth(index) * 1000).round().astype(np.uint16), "16UC1", stamp + shift_ns, frame_id))
            for index, stamp in enumerate(STAMPS)]


def infos(topic="/cam/camera_info", **changes):
    return [(topic, stamp, camera_info(CAMERA, stamp, **changes)) for stamp in STAMPS]


def moving_tf(parent="odom", child="base_link", offset=0):
    return [("/tf", stamp, transforms((parent, child, stamp, make_pose(index + offset))))
            for index, stamp in enumerate(STAMPS)]


STATIC = [("/tf_static", S, transforms(("base_link", "/camera", S, BASE_T_CAM)))]


def recorded(tmp_path, *parts, storage="MCAP"):
    """Write messages in order of their log times and return the bag's folder."""
    return write_messages(tmp_path / "bag",
                          sorted((message for part in parts for message in part), key=lambda one: one[1]), storage)


@pytest.mark.parametrize("storage", ["MCAP", "SQLITE3"])
def test_images_depth_camera_and_tf_become_frames(tmp_path, storage):
    sequence = open_sequence(recorded(tmp_path, images(), depths(shift_ns=5_000_000), infos(), STATIC, moving_tf(),
                                      moving_tf("map", "odom", 10), storage=storage))
    frame = sequence[1]
    assert (len(sequence), frame.stamp_ns, frame.camera, frame.name) == (3, 2 * S, CAMERA, "2.000000000")
    assert np.array_equal(frame.image, make_image(1))
    assert frame.depth_m == pytest.approx(make_depth(1), abs=1e-6)
    assert pose_error(frame.odom_T_cam, make_pose(1) @ BASE_T_CAM) == pytest.approx((0, 0), abs=1e-5)
    assert pose_error(sequence.pose(1), make_pose(11) @ make_pose(1) @ BASE_T_CAM) == pytest.approx((0, 0), abs=1e-5)
    assert sequence.base_T_cam == pytest.approx(BASE_T_CAM)


def test_a_single_file_is_a_bag_too(tmp_path):
    folder = recorded(tmp_path, images(), infos())
    assert len(open_sequence(folder / "bag.mcap")) == 3


def test_a_pipe_among_the_files_of_a_bag_is_named(tmp_path):
    folder = recorded(tmp_path, images(), infos())
    os.mkfifo(folder / "other.mcap")
    with pytest.raises(DataError, match="other.mcap must be a regular file, found a pipe or device"):
        open_sequence(folder)


def test_what_was_guessed_is_reported(tmp_path):
    sequence = open_sequence(recorded(tmp_path, images(), images("/other/image"), infos(),
                                      depths("/raw_depth", "depth_frame")))
    assert sequence.notes == ["image topic /cam/image_raw (others: /other/image)", "camera_info topic /cam/camera_info",
                              "depth topic none; /raw_depth is of another frame than the image: register it",
                              ("no poses found: tf does not lead from map to camera; its frames are none: name one "
                               "with ?world_frame=FRAME, or a topic with ?pose=TOPIC")]


def test_named_topics_are_taken(tmp_path):
    bag = recorded(tmp_path, images(), images("/other/image"), infos(), infos("/x/camera_info"),
                   depths("/raw_depth", "depth_frame"),
                   [("/goal_pose", stamp, pose_stamped(make_pose(index), stamp)) for index, stamp in enumerate(STAMPS)])
    sequence = open_sequence(f"{bag}?image=/other/image&camera_info=/x/camera_info&depth=/raw_depth&pose=/goal_pose")
    assert sequence[0].depth_m is not None
    assert sequence.pose(2) == pytest.approx(make_pose(2))
    assert "topics of poses not used: /goal_pose; name one with ?pose=TOPIC" in open_sequence(bag).notes
    assert open_sequence(bag, depth="none", image="/other/image")[0].depth_m is None


@pytest.mark.parametrize("option", ["image", "camera_info", "depth", "pose"])
def test_a_named_topic_that_is_not_there_lists_those_that_are(tmp_path, option):
    bag = recorded(tmp_path, images(), infos())
    with pytest.raises(DataError,
                       match=rf"{option} topic /nope must be in the bag .* the bag has /cam/camera_info \[sensor_msgs"):
        open_sequence(bag, **{option: "/nope"})


@pytest.mark.parametrize(("parts", "role"), [((infos(),), "image"), ((images(),), "camera_info")])
def test_a_bag_without_images_or_camera_info_says_so(tmp_path, parts, role):
    with pytest.raises(DataError,
                       match=rf"{role} topic is missing in the bag, found /cam/.*name it with \?{role}=TOPIC"):
        open_sequence(recorded(tmp_path, *parts))


def test_ground_truth_goes_before_tf_and_may_be_of_the_base(tmp_path):
    truth = [("/ground_truth", stamp, pose_stamped(make_pose(index + 20), stamp)) for index, stamp in enumerate(STAMPS)]
    bag = recorded(tmp_path, images(), infos(), STATIC, moving_tf("map", "base_link"), truth)
    assert open_sequence(bag).pose(0) == pytest.approx(make_pose(20))
    assert open_sequence(bag, pose_of="base_link").pose(0) == pytest.approx(make_pose(20) @ BASE_T_CAM)
    assert open_sequence(bag, pose="tf").pose(0) == pytest.approx(make_pose(0) @ BASE_T_CAM)
    assert open_sequence(bag, pose="none").pose(0) is None


def test_the_frame_of_a_pose_topic_may_be_named_as_the_mapper_names_it(tmp_path):
    truth = [("/pose", stamp, pose_stamped(make_pose(index), stamp)) for index, stamp in enumerate(STAMPS)]
    bag = recorded(tmp_path, images(frame_id="cam"), infos(), truth,
                   [("/tf_static", S, transforms(("base_link", "cam", S, BASE_T_CAM)))])
    assert open_sequence(f"{bag}?pose=/pose&pose_of=camera").pose(1) == pytest.approx(make_pose(1))
    of_base = open_sequence(f"{bag}?pose=/pose&pose_of=base")
    assert pose_error(of_base.pose(1), make_pose(1) @ BASE_T_CAM) == pytest.approx((0, 0), abs=1e-5)


def test_a_colour_topic_is_no_depth(tmp_path):
    bag = recorded(tmp_path, images(), infos())
    with pytest.raises(DataError, match="depth topic /cam/image_raw must hold depth .*, found rgb8; name another"):
        open_sequence(f"{bag}?depth=/cam/image_raw")


def test_floating_point_depth_is_metres_unless_its_unit_is_given(tmp_path):
    floats = [("/cam/depth", stamp, image(1000 * make_depth(index).astype(np.float32), "32FC1", stamp))
              for index, stamp in enumerate(STAMPS)]
    bag = recorded(tmp_path, images(), floats, infos())
    assert open_sequence(bag)[1].depth_m == pytest.approx(1000 * make_depth(1), rel=1e-6)
    assert open_sequence(f"{bag}?depth_unit_m=0.001")[1].depth_m == pytest.approx(make_depth(1), rel=1e-6)


def test_odometry_stands_in_for_poses_and_says_that_it_drifts(tmp_path):
    odom = [("/odom", stamp, odometry(make_pose(index), stamp)) for index, stamp in enumerate(STAMPS)]
    sequence = open_sequence(recorded(tmp_path, images(), infos(), STATIC, odom))
    assert sequence.pose(1) == pytest.approx(make_pose(1) @ BASE_T_CAM)
    assert sequence[1].odom_T_cam == pytest.approx(make_pose(1) @ BASE_T_CAM)
    assert sequence.notes[-1] == "poses from odometry /odom, which drifts"


def test_odometry_that_does_not_reach_the_camera_is_left_or_refused(tmp_path):
    odom = [("/odom", stamp, odometry(make_pose(index), stamp)) for index, stamp in enumerate(STAMPS)]
    bag = recorded(tmp_path, images(), infos(), odom)
    assert open_sequence(bag).pose(0) is None
    with pytest.raises(DataError, match="from base_link to camera is missing, so /odom does not give the camera"):
        open_sequence(bag, pose="/odom")


def test_tf_that_was_asked_for_must_be_there(tmp_path):
    with pytest.raises(DataError, match="tf of the bag from map to camera is missing"):
        open_sequence(recorded(tmp_path, images(), infos(), STATIC), pose="tf")


def test_frames_before_the_first_pose_have_none(tmp_path):
    bag = recorded(tmp_path, images(), infos(), STATIC, moving_tf("map", "base_link")[1:])
    assert [open_sequence(bag).pose(index) is None for index in range(3)] == [True, False, False]


def test_a_camera_that_changes_holds_from_then_on(tmp_path):
    changed = Camera(32, 24, 99.0, 99.0, 16.0, 12.0)
    bag = recorded(tmp_path, images(), [("/cam/camera_info", S, camera_info(CAMERA, S)),
                                        ("/cam/camera_info", 3 * S, camera_info(changed, 3 * S))])
    assert [frame.camera.fx_px for frame in open_sequence(bag)] == [30, 30, 99]


def test_images_are_ordered_by_their_stamps_and_doubles_skipped(tmp_path):
    late = [("/cam/image_raw", 9 * S, image(make_image(8), "rgb8", 1_500_000_000)),
            ("/cam/image_raw", 9 * S, image(make_image(9), "rgb8", 2 * S)),
            ("/cam/image_raw", 10 * S, image(make_image(7), "rgb8", 0))]
    sequence = open_sequence(recorded(tmp_path, images(), infos(), late))
    assert [frame.stamp_ns for frame in sequence] == [S, 1_500_000_000, 2 * S, 3 * S, 10 * S]
    assert np.array_equal(sequence[1].image, make_image(8))
    assert sequence.skipped == ["second image at 2000000000 ns"]


def test_a_camera_info_of_zeros_is_refused(tmp_path):
    with pytest.raises(DataError, match="camera_info /cam/camera_info must hold a calibration, found K of zeros"):
        open_sequence(recorded(tmp_path, images(), infos(k=np.zeros(9))))


def test_an_unknown_encoding_is_named_with_its_frame(tmp_path):
    with pytest.raises(DataError, match="encoding of image 1.000000000 of /cam/image_raw must be one of"):
        open_sequence(recorded(tmp_path, images(encoding="weird"), infos()))[0]


@pytest.mark.parametrize("storage", ["MCAP", "SQLITE3"])
def test_frames_may_be_read_from_another_thread(tmp_path, storage):
    sequence = open_sequence(recorded(tmp_path, images(), infos(), storage=storage))
    names = []
    thread = threading.Thread(target=lambda: names.extend(frame.name for frame in sequence))
    thread.start()
    thread.join(timeout=20)
    assert names == sequence.names


@pytest.mark.parametrize(("storage", "keep"), [("MCAP", 0.0), ("SQLITE3", 0.0), ("SQLITE3", 0.5), ("SQLITE3", 0.8)])
def test_a_truncated_bag_is_named(tmp_path, storage, keep):
    folder = recorded(tmp_path, images(), depths(), infos(), storage=storage)
    file = next(file for file in folder.iterdir() if file.suffix in (".mcap", ".db3"))
    file.write_bytes(file.read_bytes()[:int(keep * file.stat().st_size)])
    with pytest.raises(DataError, match="bag .*bag cannot be read|topic is missing in the bag|must have"):
        list(open_sequence(folder))


def test_of_a_bag_without_its_last_bytes_no_frame_is_lost_unsaid(tmp_path):
    folder = recorded(tmp_path, images(), depths(), infos(), storage="SQLITE3")
    whole, file = list(open_sequence(folder)), next(folder.glob("*.db3"))
    file.write_bytes(file.read_bytes()[:int(0.98 * file.stat().st_size)])
    try:  # whether these bytes are needed depends on the version of SQLite
        found = list(open_sequence(folder))
    except DataError as error:
        assert "bag cannot be read" in str(error)
    else:
        assert [frame.stamp_ns for frame in found] == [frame.stamp_ns for frame in whole]
        assert all(np.array_equal(one.image, other.image) for one, other in zip(found, whole))


def test_damaged_metadata_is_named(tmp_path):
    folder = recorded(tmp_path, images(), infos())
    (folder / "metadata.yaml").write_text("rosbag2_bagfile_information: {version: 99}")
    with pytest.raises(DataError, match="bag .* cannot be read, found .*99.*; is it complete"):
        open_sequence(folder)


def test_a_bag_that_vanishes_meanwhile_is_named(tmp_path):
    folder = recorded(tmp_path, images(), infos())
    sequence = open_sequence(folder)
    shutil.rmtree(folder)
    errors = []

    def read() -> None:
        try:
            sequence[0]
        except DataError as error:
            errors.append(str(error))
    thread = threading.Thread(target=read)
    thread.start()
    thread.join(timeout=20)
    assert "cannot be read" in errors[0]


def test_a_message_that_vanishes_meanwhile_is_named(tmp_path, monkeypatch):
    sequence = open_sequence(recorded(tmp_path, images(), infos()))
    monkeypatch.setattr(sequence._bag, "header_stamp_ns", lambda data: -1)
    with pytest.raises(DataError, match="message of /cam/image_raw has vanished from the bag"):
        sequence[0]


def test_without_rosbags_the_remedy_is_said(tmp_path, monkeypatch):
    folder = recorded(tmp_path, images(), infos())
    monkeypatch.setitem(__import__("sys").modules, "rosbags.highlevel", None)
    with pytest.raises(DataError, match="needs the package rosbags.*run: pip install rosbags"):
        open_sequence(folder)
