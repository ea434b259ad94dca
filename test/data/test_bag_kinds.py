"""Bags as they are found: of ROS 1, without metadata, cut, without camera_info."""

from __future__ import annotations

import numpy as np
import pytest
from rosbags.rosbag1 import Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from cl_localization.data import open_sequence
from cl_localization.data.camera_file import write_camera_yaml
from cl_localization.errors import DataError
from cl_localization.geometry.camera import Camera
from cl_localization.geometry.se3 import to_quaternion
from data.bag_makers import camera_info, image, pose_stamped, transforms, write_messages
from data.makers import CAMERA, make_depth, make_image, make_pose

ROS1 = get_typestore(Stores.ROS1_NOETIC)
ROS1.register(get_types_from_msg("geometry_msgs/TransformStamped[] transforms", "tf2_msgs/msg/TFMessage"))
STAMPS_NS = (10**9, 2 * 10**9)


def messages(*leave_out):
    """Return (topic, log time, message) of two frames with depth and tf, some topics left out."""
    made = []
    for index, stamp in enumerate(STAMPS_NS):
        made += [("/tf", stamp, transforms(("map", "camera", stamp, make_pose(index)))),
                 ("/cam/camera_info", stamp, camera_info(stamp_ns=stamp)),
                 ("/cam/image_raw", stamp, image(make_image(index), "rgb8", stamp)),
                 ("/cam/depth", stamp, image((1000 * make_depth(index)).astype(np.uint16), "16UC1", stamp))]
    return [entry for entry in made if entry[0] not in leave_out]


def write_ros1(path):
    """Write a bag of ROS 1 with the same frames."""
    types, time = ROS1.types, ROS1.types["builtin_interfaces/msg/Time"]
    with Writer(path) as writer:
        connections = {topic: writer.add_connection(topic, kind, typestore=ROS1) for topic, kind in (
            ("/cam/image_raw", "sensor_msgs/msg/Image"), ("/cam/camera_info", "sensor_msgs/msg/CameraInfo"),
            ("/tf", "tf2_msgs/msg/TFMessage"))}
        for index, stamp in enumerate(STAMPS_NS):
            header = types["std_msgs/msg/Header"](seq=index, stamp=time(sec=stamp // 10**9, nanosec=0),
                                                  frame_id="/camera")
            pixels, rotation = make_image(index), make_pose(index)
            position, quat_xyzw = to_quaternion(rotation)
            tf = types["geometry_msgs/msg/Transform"](
                translation=types["geometry_msgs/msg/Vector3"](*map(float, position)),
                rotation=types["geometry_msgs/msg/Quaternion"](*map(float, quat_xyzw)))
            edge = types["geometry_msgs/msg/TransformStamped"](
                header=types["std_msgs/msg/Header"](seq=0, stamp=header.stamp, frame_id="/map"),
                child_frame_id="camera", transform=tf)
            roi = types["sensor_msgs/msg/RegionOfInterest"](0, 0, 0, 0, False)
            info = types["sensor_msgs/msg/CameraInfo"](
                header=header, height=CAMERA.height_px, width=CAMERA.width_px, distortion_model="plumb_bob",
                D=np.zeros(5), K=CAMERA.opencv_matrix.ravel(), R=np.eye(3).ravel(),
                P=np.column_stack([CAMERA.opencv_matrix, np.zeros(3)]).ravel(), binning_x=0, binning_y=0, roi=roi)
            picture = types["sensor_msgs/msg/Image"](
                header=header, height=CAMERA.height_px, width=CAMERA.width_px, encoding="rgb8", is_bigendian=0,
                step=3 * CAMERA.width_px, data=pixels.ravel())
            for topic, message in (("/tf", types["tf2_msgs/msg/TFMessage"](transforms=[edge])),
                                   ("/cam/camera_info", info), ("/cam/image_raw", picture)):
                writer.write(connections[topic], stamp, ROS1.serialize_ros1(message, message.__msgtype__))
    return path


def check_frames(sequence):
    """Check images, cameras, poses and stamps of the two frames."""
    assert [frame.stamp_ns for frame in sequence] == list(STAMPS_NS)
    for index, frame in enumerate(sequence):
        np.testing.assert_array_equal(frame.image, make_image(index))
        assert frame.camera == CAMERA
        assert frame.world_T_cam == pytest.approx(make_pose(index), abs=1e-9)


def test_a_bag_of_ros_1_is_read(tmp_path):
    check_frames(open_sequence(write_ros1(tmp_path / "walk.bag")))
    check_frames(open_sequence(tmp_path))


@pytest.mark.parametrize("storage", ["MCAP", "SQLITE3"])
def test_a_folder_without_metadata_is_read_with_a_note(tmp_path, storage):
    bag = write_messages(tmp_path / "bag", messages(), storage)
    (bag / "metadata.yaml").unlink()
    (bag / "._bag.mcap").write_bytes(b"of a mac")
    sequence = open_sequence(bag)
    check_frames(sequence)
    assert sequence.notes[0] == f"metadata.yaml is missing in {bag}: its 1 files are read as they are"
    assert sequence.has_depth(0) and sequence.camera_source == "topic /cam/camera_info"


def write_long(path, count=40, side_px=256):
    """Write a bag of images so large that it has many chunks; return its file."""
    camera = Camera(side_px, side_px, 200, 200, side_px / 2, side_px / 2)
    messages = [("/tf_static", 1, transforms(("map", "camera", 1, make_pose(7))))]
    for index in range(1, count + 1):
        stamp = index * 10**8
        messages += [("/cam/camera_info", stamp, camera_info(camera, stamp)),
                     ("/cam/image_raw", stamp, image(make_image(index, camera), "rgb8", stamp))]
    return write_messages(path, messages) / f"{path.name}.mcap"


@pytest.mark.parametrize("metadata", [True, False])
@pytest.mark.parametrize("share", [0.3, 2 / 3, 0.98])
def test_of_a_cut_mcap_is_read_what_is_whole_with_a_note(tmp_path, share, metadata):
    file = write_long(tmp_path / "bag")
    whole = open_sequence(file.parent)
    file.write_bytes(file.read_bytes()[:int(share * file.stat().st_size)])
    if not metadata:
        (file.parent / "metadata.yaml").unlink()
    for place in (file.parent, file):
        sequence = open_sequence(place)
        assert share * 40 - 10 < len(sequence) <= share * 40 + 1
        assert sequence.names == whole.names[:len(sequence)]
        np.testing.assert_array_equal(sequence[-1].image, whole[len(sequence) - 1].image)
        assert sequence.pose(0) == pytest.approx(whole.pose(0))
        note = next(note for note in sequence.notes if "is cut" in note)
        assert f"{file} is cut: its first " in note and "`mcap recover bag.mcap -o whole.mcap`" in note


def test_the_zeros_that_a_crash_leaves_at_the_end_are_no_messages(tmp_path):
    file = write_long(tmp_path / "bag")
    data = file.read_bytes()
    file.write_bytes(data[:len(data) // 2] + bytes(len(data) // 2))
    assert 10 <= len(open_sequence(file)) <= 20


def test_a_cut_mcap_without_a_whole_message_is_named(tmp_path):
    file = write_messages(tmp_path / "bag", messages()) / "bag.mcap"
    file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(DataError, match="bag .*bag must hold messages, found a cut file without a whole one"):
        open_sequence(file.parent)


def test_a_calibration_stands_in_for_a_missing_camera_info(tmp_path):
    bag = write_messages(tmp_path / "bag", messages("/cam/camera_info"))
    with pytest.raises(DataError, match="camera_info topic is missing in the bag, .* or give .camera=FILE"):
        open_sequence(bag)
    write_camera_yaml(CAMERA, tmp_path / "calibration.yaml")
    check_frames(open_sequence(f"{bag}?camera={tmp_path / 'calibration.yaml'}"))


def test_depth_may_be_left_out_or_have_another_unit(tmp_path):
    bag = write_messages(tmp_path / "bag", messages())
    assert open_sequence(f"{bag}?depth=false")[0].depth_m is None
    depth_m = open_sequence(f"{bag}?depth_unit_m=0.0002")[0].depth_m
    np.testing.assert_allclose(depth_m, 0.2 * make_depth(0), atol=2e-4)


def test_poses_in_another_frame_are_hinted_at(tmp_path):
    bag = write_messages(tmp_path / "bag", [
        *messages("/tf"),
        *(("/tf", stamp, transforms(("world", "camera", stamp, make_pose(1)))) for stamp in STAMPS_NS),
        *(("/pose", stamp, pose_stamped(make_pose(2), stamp, "world")) for stamp in STAMPS_NS)])
    notes = " ".join(open_sequence(bag).notes)
    assert "topics of poses not used: /pose" in notes
    assert "does not lead from map to camera; its frames are camera, world: name one with ?world_frame=FRAME" in notes
    assert open_sequence(f"{bag}?world_frame=world").pose(0) == pytest.approx(make_pose(1), abs=1e-9)


def test_one_message_without_a_pose_costs_one_frame_its_pose_and_is_told(tmp_path):
    wrong = pose_stamped(make_pose(1), STAMPS_NS[1])
    wrong.pose.position.x = float("nan")
    turned = transforms(("base", "camera", STAMPS_NS[0], np.eye(4)))
    turned.transforms[0].transform.rotation.w = 0.0
    sequence = open_sequence(write_messages(tmp_path / "bag", [
        *messages("/tf"), ("/ground_truth", STAMPS_NS[0], pose_stamped(make_pose(0), STAMPS_NS[0])),
        ("/ground_truth", STAMPS_NS[1], wrong), ("/tf_static", 1, turned)]))
    assert [sequence.pose(index) is None for index in range(2)] == [False, True]
    notes = " ".join(sequence.notes)
    assert "1 poses of /ground_truth are none and left out: pose must be finite" in notes
    assert "1 poses of /tf_static are none and left out: quaternion must not be zero" in notes
