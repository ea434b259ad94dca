"""rosbag2 (MCAP, sqlite3) and bags of ROS 1 through the `rosbags` library, without ROS: images, camera_info, depth,
poses as frames."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cl_localization.data.bag_contents import BagContents
from cl_localization.data.bag_file import BagFile, storage_files
from cl_localization.data.bag_messages import frame_id
from cl_localization.data.bag_poses import CameraPoses, PoseLookup
from cl_localization.data.bag_topics import BagTopics, choose_topics
from cl_localization.data.camera_file import read_camera_file
from cl_localization.data.frame import Frame
from cl_localization.data.message_depth import depth_of, encoding_of
from cl_localization.data.message_images import rgb_of
from cl_localization.data.reading import DEFAULT_DEPTH_UNIT_M, depth_unit
from cl_localization.data.sequence import IndexedSequence
from cl_localization.data.stamps import NS_PER_S, format_stamp_s
from cl_localization.data.trajectory import nearest_index
from cl_localization.errors import DataError
from cl_localization.geometry.camera import Camera


@dataclass(frozen=True)
class BagEntry:
    """One frame: its stamp, and (log time, header stamp) of its messages."""

    stamp_ns: int
    image_key: tuple[int, int]
    depth_key: tuple[int, int] | None
    camera: Camera


@dataclass(frozen=True)
class BagIndex:
    """What one pass over a bag found.

    Attributes:
        world_T_cam, odom_T_cam: give the pose (4, 4) at a stamp in nanoseconds, or None.
        base_T_cam: (4, 4) camera on the robot, None where tf does not say.
    """

    topics: BagTopics
    entries: list[BagEntry]
    skipped: list[str]
    notes: list[str]
    world_T_cam: PoseLookup
    odom_T_cam: PoseLookup
    base_T_cam: np.ndarray | None


def is_bag(path: Path) -> bool:
    """Return whether a path is a rosbag2 folder, one of its files, or a bag of ROS 1."""
    return bool(storage_files(path))


def open_bag(path: Path, name: str = "", *, image: str = "", camera_info: str = "", depth: str = "", pose: str = "auto",
             pose_of: str = "", world_frame: str = "map", odom_frame: str = "odom", base_frame: str = "base_link",
             camera: str = "", rectified: str = "auto", depth_unit_m: float = 0.0,
             max_difference_s: float = 0.02, max_gap_s: float = 0.5) -> BagSequence:
    """Open a bag. All of it is read once, to find out what there is; images are decoded when they are asked for.

    MCAP files without chunks (rosbag2's preset `fastwrite`) have no index and are searched from their beginning for
    each frame: convert long ones with `ros2 bag convert` first.

    Topics that are not given are guessed; `notes` of the sequence says which. Poses come from, in this order: a
    PoseStamped topic that calls itself ground truth, tf from `world_frame`, an odometry topic. odom_T_cam comes from tf
    or odometry.

    Args:
        image, camera_info, depth: topics; depth must be registered to the image, "none" or "false" leaves it
            out.
        camera: a calibration file, see `read_camera_file`, instead of camera_info.
        rectified: whether the images are rectified, so that P of camera_info holds: "always", "never", or "auto" for
            what the image topic calls itself.
        depth_unit_m: metres of a step of depth; 0 for millimetres of 16-bit depth and metres of 32FC1.
        pose: "auto", "tf", "none", or a PoseStamped, PoseWithCovarianceStamped or Odometry topic.
        pose_of: frame whose pose a PoseStamped topic gives; empty or "camera" for the camera's optical frame, "base"
            for `base_frame`. A tf frame of such a name goes before.
        world_frame, odom_frame: tf frames of world_T_cam and odom_T_cam.
        base_frame: tf frame of the robot's body, for where the camera is on it.
        max_difference_s: depth belongs to the image nearest in time, if not further away than this.
        max_gap_s: poses are interpolated between neighbours up to this far apart.

    Raises:
        DataError: no bag, damaged, without images or camera_info, or without the named topics and frames.
        GeometryError: a camera_info or pose that makes no sense.
    """
    bag, max_gap_ns = BagFile(path), round(max_gap_s * NS_PER_S)
    topics = choose_topics(bag.types, bag.first, image, camera_info, depth, pose, camera)
    contents, first = BagContents(bag, topics, max_gap_ns, rectified), bag.first(topics.image)
    if camera:
        height_px, width_px = rgb_of(first, f"first image of {topics.image}").shape[:2]
        contents.cameras = [(0, read_camera_file(Path(camera), (width_px, height_px)))]
    if not contents.cameras:
        raise DataError(f"camera_info topic {topics.camera_info}", "must have a message that can be read", "none",
                        "give ?camera=FILE")
    cam_frame = frame_id(first.header)
    poses = CameraPoses(contents, topics, cam_frame, max_gap_ns)
    if pose_of not in contents.tf:  # the words of the mapper's parameter poses.pose_of
        pose_of = {"camera": cam_frame, "base": base_frame}.get(pose_of, pose_of)
    world_T_cam, note = poses.world(pose, pose_of, world_frame)
    entries, skipped = _entries(contents, round(max_difference_s * NS_PER_S))
    base_T_cam = contents.tf.lookup(base_frame, cam_frame, entries[0].stamp_ns) if entries else None
    index = BagIndex(topics, entries, skipped, [*bag.notes, *topics.notes, *contents.notes, note], world_T_cam,
                     poses.odometry(odom_frame), base_T_cam)
    is_metres = bool(topics.depth) and encoding_of(bag.first(topics.depth)) == "32FC1"
    unit_m = depth_unit(depth_unit_m, 1.0 if is_metres else DEFAULT_DEPTH_UNIT_M)
    return BagSequence(name or str(path), bag, index, camera, unit_m)


class BagSequence(IndexedSequence):
    """The frames of a bag, in order of their header stamps.

    Args:
        bag: where messages come from.
        index: which messages make which frame.
        camera_source: file that stands in for camera_info, if there is one.
        depth_unit_m: metres of a step of depth.
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
        image = rgb_of(self._bag.read(topics.image, entry.image_key), f"image {self.names[index]} of {topics.image}")
        depth_m = None
        if entry.depth_key is not None:
            message = self._bag.read(topics.depth, entry.depth_key)
            depth_m = depth_of(message, f"depth {self.names[index]} of {topics.depth}", self._depth_unit_m)
            if encoding_of(message) == "32FC1":  # metres by ROS's rule, unless the user knows better
                depth_m = depth_m * np.float32(self._depth_unit_m)
        return Frame(entry.stamp_ns, image, entry.camera, depth_m, self._pose(index), self._odom_pose(index),
                     self.names[index])

    def _pose(self, index: int) -> np.ndarray | None:
        return self._index.world_T_cam(self._index.entries[index].stamp_ns)

    def _odom_pose(self, index: int) -> np.ndarray | None:
        return self._index.odom_T_cam(self._index.entries[index].stamp_ns)


def _entries(contents: BagContents, max_difference_ns: int) -> tuple[list[BagEntry], list[str]]:
    """Return the frames in order of their stamps, and the names of images whose stamp another one has."""
    depths = sorted(contents.depths, key=lambda key: key[1] or key[0])
    depth_stamps_ns = np.array([key[1] or key[0] for key in depths], np.int64)
    camera_stamps_ns = [stamp for stamp, _ in contents.cameras]
    entries: list[BagEntry] = []
    skipped = []
    for key in sorted(contents.images, key=lambda key: key[1] or key[0]):
        stamp = key[1] or key[0]
        if entries and entries[-1].stamp_ns == stamp:
            skipped.append(f"second image at {stamp} ns")
            continue
        nearest = nearest_index(depth_stamps_ns, stamp, max_difference_ns)
        camera = contents.cameras[max(int(np.searchsorted(camera_stamps_ns, stamp, side="right")) - 1, 0)][1]
        entries.append(BagEntry(stamp, key, None if nearest is None else depths[nearest], camera))
    return entries, skipped
