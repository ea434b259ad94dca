"""Mapping with poses that come from elsewhere: tf, odometry, or another SLAM."""

from __future__ import annotations

from dataclasses import dataclass, replace

from cl_localization.data.frame import Frame
from cl_localization.mapper import Mapper
from cl_localization.mapping.mapping_result import MappingResult
from cl_localization.msg import MappingStatus
from cl_localization.ros.images.image_source import ImageBundle
from cl_localization.ros.mapping.pose_corrections import PoseCorrections
from cl_localization.ros.mapping.pose_source import make_pose_source
from cl_localization.ros.nodes.managed_node import ManagedNode
from cl_localization.ros.tf.lookup import Tf
from cl_localization.ros.workers.worker import Worker


@dataclass(frozen=True, eq=False)
class Learned:
    """What became of an image.

    Attributes:
        reason: why it was mapped, or why not.
        frame: with its pose; None without one.
        result: None if the image was not mapped.
    """

    reason: str
    frame: Frame | None = None
    result: MappingResult | None = None


class GivenPoses:
    """Maps images by poses from tf or a topic, corrected later by the topic `corrected_path`. `OwnPoses` does the same
    by poses that the map finds."""

    def __init__(self, node: ManagedNode, tf: Tf) -> None:
        """Use the node's tf."""
        self._node, self._tf = node, tf

    @property
    def problem(self) -> str:
        """What is not as it should be, for /diagnostics; empty for nothing."""
        return self._corrections.problem or self._poses.problem

    def start(self, worker: Worker[ImageBundle]) -> None:
        """Subscribe, and create timers, while the node is active."""
        node, lookup = self._node, self._tf.lookup
        self._poses = make_pose_source(node, lookup, node.config.frames, node.config.poses)
        self._corrections = PoseCorrections(node, worker.run, lambda *poses: self._mapper.correct(*poses), lookup.at)

    def use(self, mapper: Mapper) -> None:
        """Worker, or set-up: learn into another map from now on."""
        self._mapper = mapper

    def observe_arrival(self, bundle: ImageBundle) -> None:
        """Executor: note that an image arrives."""

    def learn(self, bundle: ImageBundle, learning: bool) -> Learned:
        """Worker: pose an image, and map it if `learning`.

        Raises:
            LocalizationError: the image has no pose in time, or cannot be decoded, encoded or mapped.
        """
        if not learning:
            return Learned("learning is off")
        frame, stamp = bundle.frame(), bundle.image.header.stamp
        self._corrections.observe(bundle.camera_frame, stamp)
        posed = replace(frame, world_T_cam=self._poses.map_T_cam(bundle.camera_frame, stamp))
        self._mapper.use_scene(self._node.config.scene)
        result = self._mapper.add(posed)
        return Learned(result.reason, posed, result)

    def finish(self) -> None:
        """Worker: refine the map by all that is known."""
        self._mapper.finish()

    def fill_status(self, status: MappingStatus) -> None:
        """Fill in what a status says of the poses."""
        status.scene = self._node.config.scene
