"""Mapping with poses that come from elsewhere: tf, odometry, or another SLAM."""

from __future__ import annotations

from dataclasses import replace

from cl_localization.mapper import Mapper
from cl_localization.msg import MappingStatus
from cl_localization.ros.images.image_source import ImageBundle
from cl_localization.ros.mapping.learning import Learned, Learning
from cl_localization.ros.mapping.pose_corrections import PoseCorrections
from cl_localization.ros.mapping.pose_source import make_pose_source
from cl_localization.ros.nodes.managed_node import ManagedNode
from cl_localization.ros.tf.lookup import Tf
from cl_localization.ros.workers.worker import Worker


class GivenPoses:
    """Poses from tf or a topic, corrected later by the topic `corrected_path`; see `Learning`."""

    def __init__(self, node: ManagedNode, tf: Tf) -> None:
        """Use the node's tf."""
        self._node, self._tf = node, tf

    @property
    def problem(self) -> str:
        """See `Learning`."""
        return self._corrections.problem or self._poses.problem

    def start(self, worker: Worker[ImageBundle]) -> None:
        """See `Learning`."""
        node, lookup = self._node, self._tf.lookup
        self._poses = make_pose_source(node, lookup, node.config.frames, node.config.poses)
        self._corrections = PoseCorrections(node, worker.run, lambda *poses: self._mapper.correct(*poses), lookup.at)

    def use(self, mapper: Mapper) -> None:
        """See `Learning`."""
        self._mapper = mapper

    def observe_arrival(self, bundle: ImageBundle) -> None:
        """See `Learning`."""

    def learn(self, bundle: ImageBundle, learning: bool) -> Learned:
        """See `Learning`."""
        if not learning:
            return Learned("learning is off")
        frame, stamp = bundle.frame(), bundle.image.header.stamp
        self._corrections.observe(bundle.camera_frame, stamp)
        posed = replace(frame, world_T_cam=self._poses.map_T_cam(bundle.camera_frame, stamp))
        self._mapper.use_scene(self._node.config.scene)
        result = self._mapper.add(posed)
        return Learned(result.reason, posed, result)

    def finish(self) -> None:
        """See `Learning`."""
        self._mapper.finish()

    def fill_status(self, status: MappingStatus) -> None:
        """See `Learning`."""
        status.scene = self._node.config.scene


def make_learning(node: ManagedNode, tf: Tf) -> Learning:
    """Return how a node learns, by its parameter poses.source: with poses that are given, or with own ones.

    Raises:
        ConfigError: own poses are wanted, and gtsam is missing.
    """
    if node.config.poses.source != "self":
        return GivenPoses(node, tf)
    from cl_localization.ros.mapping.own_poses import OwnPoses

    return OwnPoses(node, tf)
