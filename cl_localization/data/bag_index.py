"""Which messages of a bag make which frame, and what the user may ask for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cl_localization.data.bag_contents import BagContents
from cl_localization.data.bag_file import BagFile
from cl_localization.data.bag_messages import frame_id
from cl_localization.data.bag_poses import CameraPoses, PoseLookup
from cl_localization.data.bag_topics import BagTopics, choose_topics
from cl_localization.data.camera_file import read_camera_file
from cl_localization.data.message_images import rgb_of
from cl_localization.data.trajectory import nearest_index
from cl_localization.errors import DataError
from cl_localization.geometry.camera import Camera


@dataclass(frozen=True)
class BagRequest:
    """What the user wants of a bag; `bag_reader.open_bag` explains each, times here in nanoseconds."""

    image: str
    camera_info: str
    depth: str
    pose: str
    pose_of: str
    world_frame: str
    odom_frame: str
    base_frame: str
    max_difference_ns: int
    max_gap_ns: int
    camera: str = ""
    rectified: str = "auto"


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


def read_index(bag: BagFile, request: BagRequest) -> BagIndex:
    """Read a bag once; see `bag_reader.open_bag` for the errors."""
    topics = choose_topics(bag.types, bag.first, request.image, request.camera_info, request.depth, request.pose,
                           request.camera)
    contents = BagContents(bag, topics, request.max_gap_ns, request.rectified)
    if request.camera:
        first = rgb_of(bag.first(topics.image), f"first image of {topics.image}")
        contents.cameras = [(0, read_camera_file(Path(request.camera), (first.shape[1], first.shape[0])))]
    if not contents.cameras:
        raise DataError(f"camera_info topic {topics.camera_info}", "must have a message that can be read", "none",
                        "give ?camera=FILE")
    cam_frame = frame_id(bag.first(topics.image).header)
    poses = CameraPoses(contents, topics, cam_frame, request.max_gap_ns)
    world_T_cam, note = poses.world(request.pose, request.pose_of, request.world_frame)
    entries, skipped = _entries(contents, request.max_difference_ns)
    base_T_cam = contents.tf.lookup(request.base_frame, cam_frame, entries[0].stamp_ns) if entries else None
    return BagIndex(topics, entries, skipped, [*bag.notes, *topics.notes, *contents.notes, note], world_T_cam,
                    poses.odometry(request.odom_frame), base_T_cam)


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
