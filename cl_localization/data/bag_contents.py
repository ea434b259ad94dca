"""One pass over a bag: its images and depth by stamp, its cameras, tf and poses."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from cl_localization.data.bag_file import BagFile
from cl_localization.data.bag_messages import frame_id, matrix_of, stamp_ns
from cl_localization.data.bag_tf import TfTree
from cl_localization.data.bag_topics import POSE, TF, BagTopics
from cl_localization.data.message_camera import camera_of, is_rectified, rectification_note
from cl_localization.errors import GeometryError
from cl_localization.geometry.camera import Camera

MAX_HOLD_NS = 20_000_000
"""A pose this near in time is taken where there is none on both sides."""


class BagContents:
    """What one pass over a bag finds.

    Attributes:
        images, depths: (log time, header stamp) of each message, in nanoseconds, in order of log time.
        cameras: (stamp_ns, camera) whenever it changed.
        tf: the tree of frames.
        notes: what was assumed.
        poses: (stamp_ns, pose (4, 4)) of each topic of poses that is read.
        frames: frame_id and child_frame_id of those topics; a PoseStamped has no child, and a topic none of whose
            messages could be read has neither.
    """

    def __init__(self, bag: BagFile, topics: BagTopics, max_gap_ns: int, rectified: str) -> None:
        self.images: list[tuple[int, int]] = []
        self.depths: list[tuple[int, int]] = []
        self.cameras: list[tuple[int, Camera]] = []
        self.tf = TfTree(max_gap_ns, MAX_HOLD_NS)
        self.poses: dict[str, list[tuple[int, np.ndarray]]] = defaultdict(list)
        self.frames: dict[str, tuple[str, str]] = defaultdict(lambda: ("", ""))
        self.notes: list[str] = []
        self._rectified = is_rectified(topics.image, rectified)
        if self._rectified:
            self.notes.append(f"{topics.image} is rectified: P of {topics.camera_info} is its camera")
        self._may_be_rectified = rectified == "auto" and not self._rectified
        tf_topics = {topic for topic, kind in bag.types.items() if kind in TF}
        wanted = {topics.image, topics.camera_info, topics.depth, topics.pose, topics.odometry} - {""} | tf_topics
        self._no_poses: dict[str, list[GeometryError]] = defaultdict(list)
        for topic, log_ns, data in bag.messages(wanted):
            if topic == topics.image:
                self.images.append((log_ns, bag.header_stamp_ns(data)))
            elif topic == topics.depth:
                self.depths.append((log_ns, bag.header_stamp_ns(data)))
            else:
                self._take(topic, bag.types[topic], bag.deserialize(topic, data), log_ns)

        self.notes += [f"{len(errors)} poses of {topic} are none and left out: {errors[0]}"
                       for topic, errors in self._no_poses.items()]

    def _take(self, topic: str, kind: str, message: Any, log_ns: int) -> None:
        if kind in TF:
            for one in message.transforms:
                with self._left_out(topic):
                    self.tf.add(frame_id(one.header), str(one.child_frame_id).lstrip("/"), stamp_ns(one.header),
                                matrix_of(one.transform), topic.endswith("tf_static"))
            return
        stamp = stamp_ns(message.header) or log_ns
        if hasattr(message, "distortion_model"):
            self._take_camera(message, topic, stamp)
        else:
            child = str(getattr(message, "child_frame_id", "")).lstrip("/")
            self.frames[topic] = (frame_id(message.header), child)
            with self._left_out(topic):
                self.poses[topic].append((stamp, matrix_of(message.pose if kind == POSE else message.pose.pose)))

    @contextmanager
    def _left_out(self, topic: str) -> Iterator[None]:
        """Leave out what is no pose, such as NaN, and remember it for the notes."""
        try:
            yield
        except GeometryError as error:
            self._no_poses[topic].append(error)

    def _take_camera(self, message: Any, topic: str, stamp: int) -> None:
        camera = camera_of(message, f"camera_info {topic}", self._rectified)
        if self.cameras and self.cameras[-1][1] == camera:
            return
        if not self.cameras and self._may_be_rectified and (note := rectification_note(message, topic)):
            self.notes.append(f"{note} with ?rectified=always")
        self.cameras.append((stamp, camera))
