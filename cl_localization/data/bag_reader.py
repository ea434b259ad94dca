"""rosbag2 (MCAP, sqlite3) and bags of ROS 1 through the `rosbags` library, without ROS: images, camera_info, depth,
poses as frames."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from cl_localization.data.bag_file import BagFile, storage_files
from cl_localization.data.bag_index import BagIndex, BagRequest, read_index
from cl_localization.data.frame import Frame
from cl_localization.data.message_depth import depth_of
from cl_localization.data.message_images import rgb_of
from cl_localization.data.reading import DEFAULT_DEPTH_UNIT_M, depth_unit
from cl_localization.data.sequence import IndexedSequence
from cl_localization.data.stamps import NS_PER_S, format_stamp_s
from cl_localization.errors import DataError
from cl_localization.geometry.camera import Camera


def is_bag(path: Path) -> bool:
    """Return whether a path is a rosbag2 folder, one of its files, or a bag of ROS 1."""
    return bool(storage_files(path))


def open_bag(path: Path, name: str = "", *, image: str = "", camera_info: str = "", depth: str = "", pose: str = "auto",
             pose_of: str = "", world_frame: str = "map", odom_frame: str = "odom", base_frame: str = "base_link",
             camera: str = "", rectified: str = "auto", depth_unit_m: float = 0.0,
             max_difference_s: float = 0.02, max_gap_s: float = 0.5) -> BagSequence:
    """Open a bag. All of it is read once, to find out what there is; images are decoded when they are asked for.

    MCAP files without chunks (rosbag2's preset `fastwrite`) have no index and are searched from their beginning for
    each
    frame: convert long ones with `ros2 bag convert` first.

    Topics that are not given are guessed; `notes` of the sequence says which. Poses come from, in this order: a
    PoseStamped topic that calls itself ground truth, tf from `world_frame`, an odometry topic. odom_T_cam comes from tf
    or odometry.

    Args:
        image, camera_info, depth: topics; depth must be registered to the image, "none" or "false" leaves it
            out.
        camera: a calibration file, see `read_camera_file`, instead of camera_info.
        rectified: whether the images are rectified, so that P of camera_info holds: "always", "never", or "auto" for
            what the image topic calls itself.
        depth_unit_m: metres of a step of 16-bit depth; 0 for millimetres.
        pose: "auto", "tf", "none", or a PoseStamped, PoseWithCovarianceStamped or Odometry topic.
        pose_of: frame whose pose a PoseStamped topic gives; empty for the camera's optical frame.
        world_frame, odom_frame: tf frames of world_T_cam and odom_T_cam.
        base_frame: tf frame of the robot's body, for where the camera is on it.
        max_difference_s: depth belongs to the image nearest in time, if not further away than this.
        max_gap_s: poses are interpolated between neighbours up to this far apart.

    Raises:
        DataError: no bag, damaged, without images or camera_info, or without the named topics and frames.
        GeometryError: a camera_info or pose that makes no sense.
    """
    bag = BagFile(path)
    request = BagRequest(image, camera_info, depth, pose, pose_of, world_frame, odom_frame, base_frame,
                         round(max_difference_s * NS_PER_S), round(max_gap_s * NS_PER_S), camera, rectified)
    return BagSequence(name or str(path), bag, read_index(bag, request), camera, depth_unit(depth_unit_m))


class BagSequence(IndexedSequence):
    """The frames of a bag, in order of their header stamps.

    Args:
        bag: where messages come from.
        index: which messages make which frame.
        camera_source: file that stands in for camera_info, if there is one.
        depth_unit_m: metres of a step of 16-bit depth.
    """

    def __init__(self, name: str, bag: BagFile, index: BagIndex, camera_source: str = "",
                 depth_unit_m: float = DEFAULT_DEPTH_UNIT_M) -> None:
        names = [format_stamp_s(entry.stamp_ns) for entry in index.entries]
        super().__init__(name, names, index.skipped, index.notes, camera_source or f"topic {index.topics.camera_info}")
        self._bag, self._index, self._depth_unit_m = bag, index, depth_unit_m
        self.base_T_cam = index.base_T_cam

    def camera_at(self, index: int) -> Camera:
        """Return the camera of frame `index`."""
        return self._index.entries[index].camera

    def has_depth(self, index: int) -> bool:
        """Return whether frame `index` has depth."""
        return self._index.entries[index].depth_key is not None

    def _frame(self, index: int) -> Frame:
        entry = self._index.entries[index]
        topics = self._index.topics
        image = rgb_of(self._message(topics.image, entry.image_key), f"image {self.names[index]} of {topics.image}")
        depth_m = None
        if entry.depth_key is not None:
            depth_m = depth_of(self._message(topics.depth, entry.depth_key),
                               f"depth {self.names[index]} of {topics.depth}", self._depth_unit_m)
        return Frame(entry.stamp_ns, image, entry.camera, depth_m, self._pose(index), self._odom_pose(index),
                     self.names[index])

    def _message(self, topic: str, key: tuple[int, int]) -> Any:
        message = self._bag.read(topic, key)
        if message is None:
            raise DataError(f"message of {topic}", "has vanished from the bag", f"stamp {key[1]} ns",
                            "was the bag changed?")
        return message

    def _pose(self, index: int) -> np.ndarray | None:
        return self._index.world_T_cam(self._index.entries[index].stamp_ns)

    def _odom_pose(self, index: int) -> np.ndarray | None:
        return self._index.odom_T_cam(self._index.entries[index].stamp_ns)
