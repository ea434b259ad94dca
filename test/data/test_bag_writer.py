"""Sequences written as rosbag2 and read back."""

import numpy as np
import pytest
import yaml
from rosbags.rosbag2 import Reader

from cl_localization.data import open_sequence, select
from cl_localization.data.bag_writer import write_bag
from cl_localization.errors import DataError
from cl_localization.geometry.se3 import pose_error
from data.makers import MadeSequence, make_pose

EPOCH_NS = 1_700_000_000_123_456_789
TF_HASH = "RIHS01_e369d0f05a23ae52508854b66f6aa0437f3449d652e8cbf22d5abe85d020f087"


def topics_of(path):
    """Return the topics' metadata by name."""
    information = yaml.safe_load((path / "metadata.yaml").read_text())["rosbag2_bagfile_information"]
    return {entry["topic_metadata"]["name"]: entry["topic_metadata"]
            for entry in information["topics_with_message_count"]}


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_a_written_bag_is_read_back_as_it_was(tmp_path, storage):
    told = []
    made = MadeSequence(4, start_ns=EPOCH_NS)
    made.base_T_cam = make_pose(3)
    counts = write_bag(made, tmp_path / "bag", storage, progress=lambda done, total: told.append(done))
    assert told == [1, 2, 3, 4]
    assert counts == {"/tf_static": 1, "/tf": 4, "/odom": 4, "/ground_truth": 4, "/camera/camera_info": 4,
                      "/camera/depth/image_raw": 4, "/camera/image_raw": 4}
    read = open_sequence(tmp_path / "bag")
    assert read.base_T_cam == pytest.approx(make_pose(3))
    for before, after in zip(made, read, strict=True):
        assert np.array_equal(after.image, before.image)
        assert after.depth_m == pytest.approx(before.depth_m, abs=1e-6)
        assert after.world_T_cam == pytest.approx(before.world_T_cam, abs=1e-9)
        assert after.odom_T_cam == pytest.approx(before.odom_T_cam, abs=1e-9)
        assert (after.stamp_ns, after.camera) == (before.stamp_ns, before.camera)


def test_the_metadata_is_what_rosbag2_expects(tmp_path):
    write_bag(MadeSequence(2), tmp_path / "house")
    information = yaml.safe_load((tmp_path / "house" / "metadata.yaml").read_text())["rosbag2_bagfile_information"]
    assert (information["version"], information["storage_identifier"]) == (9, "mcap")
    assert information["relative_file_paths"] == ["house.mcap"]
    assert information["message_count"] == 13
    assert set(information) == {"version", "storage_identifier", "duration", "starting_time", "message_count", "files",
                                "topics_with_message_count", "compression_format", "compression_mode", "ros_distro",
                                "relative_file_paths", "custom_data"}
    assert information["custom_data"] == {"written_by": "cl_localization"}
    topics = topics_of(tmp_path / "house")
    assert topics["/tf"]["type_description_hash"] == TF_HASH
    assert topics["/tf_static"]["offered_qos_profiles"][0]["durability"] == "transient_local"
    assert topics["/tf"]["offered_qos_profiles"][0]["durability"] == "volatile"
    assert topics["/camera/image_raw"]["offered_qos_profiles"][0]["reliability"] == "reliable"


def test_a_sequence_that_begins_at_zero_is_moved_by_a_second(tmp_path):
    write_bag(MadeSequence(2), tmp_path / "bag")
    assert [frame.stamp_ns for frame in open_sequence(tmp_path / "bag")] == [10**9, 1_100_000_001]


def test_images_may_be_compressed(tmp_path):
    class Smooth(MadeSequence):
        def _frame(self, index):
            frame = super()._frame(index)
            frame.image[:] = [200, 100, 50]
            return frame

    write_bag(Smooth(1), tmp_path / "bag", compressed=True)
    read = open_sequence(tmp_path / "bag")
    assert "/camera/image_raw/compressed" in topics_of(tmp_path / "bag")
    assert np.abs(read[0].image.astype(int) - [200, 100, 50]).max() < 5


def test_without_odometry_there_is_no_tf_but_the_fixed(tmp_path):
    counts = write_bag(MadeSequence(2, odometry=False), tmp_path / "bag")
    assert "/tf" not in counts and "/odom" not in counts
    assert open_sequence(tmp_path / "bag")[1].odom_T_cam is None


@pytest.mark.parametrize("odometry", [True, False])
def test_tf_may_say_where_the_robot_truly_is(tmp_path, odometry):
    write_bag(MadeSequence(3, odometry=odometry), tmp_path / "bag", map_tf=True)
    read = open_sequence(tmp_path / "bag", pose="tf")
    assert pose_error(read.pose(2), make_pose(2)) == pytest.approx((0, 0), abs=1e-5)


def test_a_sequence_without_poses_has_no_ground_truth(tmp_path):
    assert "/ground_truth" not in write_bag(MadeSequence(2, posed=False), tmp_path / "bag", map_tf=True)


def test_frames_of_tf_may_have_other_names(tmp_path):
    frame = MadeSequence(1)[0]
    write_bag(MadeSequence(1), tmp_path / "bag", map_tf=True)
    read = open_sequence(tmp_path / "bag", pose="tf", world_frame="odom", odom_frame="map", base_frame="odom")
    assert pose_error(read.pose(0), frame.odom_T_cam) == pytest.approx((0, 0), abs=1e-5)
    assert pose_error(read[0].odom_T_cam, frame.world_T_cam) == pytest.approx((0, 0), abs=1e-5)
    assert pose_error(read.base_T_cam, frame.odom_T_cam) == pytest.approx((0, 0), abs=1e-5)


def test_the_robot_of_the_sequence_is_used(tmp_path):
    sequence = MadeSequence(2)
    sequence.base_T_cam = make_pose(9)
    write_bag(select(sequence, [1]), tmp_path / "bag")
    assert open_sequence(tmp_path / "bag").base_T_cam == pytest.approx(make_pose(9))


def test_tf_is_logged_before_the_image_of_its_stamp(tmp_path):
    write_bag(MadeSequence(1), tmp_path / "bag")
    with Reader(tmp_path / "bag") as reader:
        order = [connection.topic for connection, _, _ in reader.messages()]
    assert order.index("/tf_static") < order.index("/tf") < order.index("/camera/image_raw")


def test_an_unknown_storage_is_named(tmp_path):
    with pytest.raises(DataError, match="storage of the bag must be one of mcap, sqlite3, found 'tape'"):
        write_bag(MadeSequence(1), tmp_path / "bag", storage="tape")


@pytest.mark.parametrize("start_ns", [-5 * 10**9, 2**31 * 10**9])
def test_stamps_that_ros_cannot_say_are_refused_and_nothing_is_left(tmp_path, start_ns):
    with pytest.raises(DataError, match="stamp of frame made-0 must lie in"):
        write_bag(MadeSequence(1, start_ns=start_ns), tmp_path / "bag")
    assert list(tmp_path.iterdir()) == []


def test_an_existing_bag_is_kept_unless_forced(tmp_path):
    write_bag(MadeSequence(2), tmp_path / "bag")
    with pytest.raises(DataError, match="must not be there yet"):
        write_bag(MadeSequence(1), tmp_path / "bag")
    write_bag(MadeSequence(1), tmp_path / "bag", "sqlite3", force=True)
    assert len(open_sequence(tmp_path / "bag")) == 1
