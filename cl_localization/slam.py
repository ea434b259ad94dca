"""Mapping with own poses: images in, with depth or without, their poses and a map out; nothing else is needed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cl_localization.config import LocalizerConfig
from cl_localization.data.frame import Frame
from cl_localization.geometry import se3
from cl_localization.geometry.smoothing import between as between_poses
from cl_localization.localization.covariance_calibration import calibrated, variance_factor_of
from cl_localization.mapper import Mapper
from cl_localization.mapping.mapping_result import MappingResult
from cl_localization.mapping.slam.closing import LoopClosing
from cl_localization.mapping.slam.depth_pose import Look, SeenPose, look_at_frame
from cl_localization.mapping.slam.frame_pose import FramePoser
from cl_localization.mapping.slam.keyframe_graph import KeyframeGraph
from cl_localization.mapping.slam.metric_scale import MetricScale
from cl_localization.mapping.slam.motion import MotionModel
from cl_localization.mapping.slam.options import SlamConfig
from cl_localization.mapping.slam.own_trajectory import OwnTrajectory, free_scene
from cl_localization.mapping.slam.two_view_start import Start, TwoViewStart

BEGINNING_VARIANCE = 1e-6


@dataclass(frozen=True, eq=False)
class SlamResult:
    """What became of a frame.

    Attributes:
        world_T_cam: (4, 4) its pose in the map; None when none is trusted, and nothing was learned.
        covariance: (6, 6) of position [m] and rotation [rad] in the map, in world axes; None without a pose. It is that
            of the view alone: what poses drifted on the way here is not in it.
        status: "began" a map or a part of one, "tracking", "relocalized", "loop closed", "joined" to another part of
            the map, or "scaled" to metres; "starting", "unconfirmed" or "lost" without a pose.
        scene: name of the part of the map that the camera is in; empty when lost.
        mapping: what the mapper did with the frame, where it was given to it.
        posed_before: frames before this one that got their poses only now.
    """

    world_T_cam: np.ndarray | None
    covariance: np.ndarray | None
    status: str
    scene: str = ""
    mapping: MappingResult | None = None
    posed_before: int = 0


class Slam:
    """Finds where the camera is in the map so far, and maps from there.

    Attributes:
        mapper: what learns; its map is the one that grows.
        trajectory: the poses of all frames that were trusted.
        begin_world_T_cam: (4, 4) pose to give the first frame of a map, or of a part of one.
        loops, joined: how often a loop was closed, and how many parts of the map became one with another.
    """

    def __init__(self, mapper: Mapper, config: SlamConfig = SlamConfig(), localizer: LocalizerConfig | None = None,
                 trajectory_length: int | None = None) -> None:
        """Make a SLAM that begins the mapper's map, or goes on in it where it is recognised.

        Args:
            trajectory_length: so many of the newest poses are kept; all by default.

        Raises:
            EncoderError: weights that the options name cannot be read.
        """
        self.mapper, self.config = mapper, config
        mapper.find_own_poses(replace(mapper.config.triangulation, min_parallax_deg=config.min_parallax_deg))
        localizer = localizer or LocalizerConfig(encoder=mapper.config.encoder)
        self.trajectory = OwnTrajectory(mapper.map_code, trajectory_length)
        self.begin_world_T_cam = np.eye(4)
        self.loops = self.joined = 0
        self._graph = KeyframeGraph(mapper.map_code)
        self._poser = FramePoser(mapper.map_code, config, localizer, mapper.without_scale)
        self._closing = LoopClosing(mapper.map_code, self._graph, config, localizer.pose, mapper.without_scale,
                                    mapper.learner)
        self._motion, self._start, self._scale = MotionModel(), TwoViewStart(), MetricScale(mapper.map_code)
        self._scene = self._keyframe = -1
        self._lost_frames = 0

    def add(self, frame: Frame, learn: bool = True) -> SlamResult:
        """Find the pose of a frame, and learn from it if it can be trusted.

        In a scene without a scale, depth and odometry are not used but to find the scale, and as soon as they agree on
        it the scene is metric.

        Args:
            learn: False leaves the map as it is.

        Raises:
            EncoderError: its image cannot be encoded.
        """
        given, seen = frame, look_at_frame(frame, self.mapper.frames.encode(frame),
                                           self.mapper.config.depth.max_depth_m)
        frame, look = self._as_taken(given, seen)
        found = self._poser.find(look, self._motion.predicted(frame), self._scene, self._motion.seconds_to(frame),
                                 self._motion.last_look)
        if found is None:
            return self._lost(given, seen) if learn else SlamResult(None, None, "lost")
        self._lost_frames = 0
        self._start.forget()
        if not found.is_tracked:
            self._forget(found.scene)
            frame, look = self._as_taken(given, seen)
        if found.is_sure:
            status = "tracking" if found.is_tracked else "relocalized"
            if not learn:
                return self._seen(frame, look, found.seen, status)
            result = self._learned(frame, found.seen.world_T_cam, look, found.seen, status)
            return result if frame is given else self._scaled(result, given, seen, found.seen)
        self._motion.trust(frame, look, found.seen.world_T_cam)
        return SlamResult(None, None, "unconfirmed")

    def _as_taken(self, frame: Frame, look: Look) -> tuple[Frame, Look]:
        """Return a frame and the look at it without what is metric, if the scene has no scale."""
        if self._scene < 0 or self._scene_name not in self.mapper.without_scale:
            return frame, look
        return replace(frame, depth_m=None, odom_T_cam=None), look.without_depth()

    def _scaled(self, result: SlamResult, frame: Frame, look: Look, seen: SeenPose) -> SlamResult:
        """Make a scene without a scale metric, as soon as what is measured with its frames tells how."""
        metres = self._scale.add(frame, look, seen) if result.status in ("tracking", "relocalized") else None
        if metres is None:
            return result
        growth = se3.similarity(np.eye(4), metres)  # around where it began: how a camera is mounted was given in metres
        growth[:3, 3] = (1 - metres) * self.begin_world_T_cam[:3, 3]
        self.trajectory.rescale(self._closing.grow(self._scene, growth))
        self._motion.follow(growth)
        self._scale.forget()
        grown = np.repeat([metres, 1.0], 3)
        return replace(result, world_T_cam=self._motion.last_world_T_cam, status="scaled",
                       covariance=result.covariance * np.outer(grown, grown))

    def finish(self) -> None:
        """End a sequence: bend the map once more by all that is known. The next frame may be anywhere."""
        if self.loops and self._scene >= 0:
            self._graph.bend(self._scene, self._scene_name not in self.mapper.without_scale)
        self.mapper.finish()
        self._forget(-1)

    def _forget(self, scene: int) -> None:
        """Go on in a scene without knowing how the camera came there."""
        self._motion.forget()
        self._closing.forget()
        self._scale.forget()
        self._scene, self._keyframe = scene, -1

    def _lost(self, frame: Frame, look: Look) -> SlamResult:
        """Begin a map, or another part of one, when the pose of frames that would do has not been found for long: at
        once with depth, else with two views."""
        map_code = self.mapper.map_code
        has_depth = int(np.count_nonzero(look.depths_m)) >= self.config.min_features
        self._lost_frames += int(has_depth or len(look.features) >= self.config.min_features)
        if self._lost_frames < (self.config.begin_after_frames if len(map_code) else 1):
            return SlamResult(None, None, "lost")
        if has_depth:
            self._begin(frame)
            return self._learned(frame, self.begin_world_T_cam, look, None, "began")
        start = self._start.add(frame, look)
        return SlamResult(None, None, "starting") if start is None else self._began(start)

    def _begin(self, frame: Frame) -> None:
        """Begin another part of the map, or the first, with a frame."""
        last, keyframe, seconds = self._motion.last_world_T_cam, self._keyframe, self._motion.seconds_to(frame)
        self._lost_frames = 0
        self._start.forget()
        self._forget(free_scene(self.mapper.map_code, self.mapper.config.scene))
        if len(self.mapper.map_code.keyframes):
            self.mapper.apart.add(self._scene_name)
        if last is not None and self._is_live(keyframe):
            begin_s = frame.stamp_ns / 1e9
            self._closing.reach.began(self._scene, self.begin_world_T_cam, begin_s, keyframe, last, begin_s - seconds)

    def _began(self, start: Start) -> SlamResult:
        """Begin with two views, and pose the frames between them in what the two tell."""
        (first, first_look), *between, (second, second_look) = start.frames
        self._begin(first)
        if not start.is_metric:
            self.mapper.without_scale.add(self._scene_name)
        world_T_first, world_T_second = self.begin_world_T_cam, self.begin_world_T_cam @ start.first_T_second
        self._learned(first, world_T_first, first_look, None, "began")
        result = self._learned(second, world_T_second, second_look, None, "began")
        for number, (frame, look) in enumerate(between, 1):
            predicted = between_poses(world_T_first, world_T_second, number / (len(between) + 1))
            found = self._poser.find(look, [predicted, world_T_first, world_T_second], self._scene, 0.0)
            if found is not None and found.is_tracked:
                self.trajectory.add(frame.stamp_ns, found.seen.world_T_cam, self._keyframe)
        return replace(result, posed_before=len(self.trajectory.poses(self._scene)) - 1)

    def _seen(self, frame: Frame, look: Look, seen: SeenPose, status: str) -> SlamResult:
        """Take note of a trusted pose without learning."""
        self._graph.moved(self._motion.last_world_T_cam, seen.world_T_cam)
        self._motion.trust(frame, look, seen.world_T_cam)
        self._keyframe = self._seen_most(seen) if len(seen.rows) else self._keyframe
        self.trajectory.add(frame.stamp_ns, seen.world_T_cam, self._keyframe)
        return SlamResult(seen.world_T_cam, self._stated(seen), status, self._scene_name)

    def _learned(self, frame: Frame, world_T_cam: np.ndarray, look: Look, seen: SeenPose | None,
                 status: str) -> SlamResult:
        """Learn from a frame with a trusted pose (4, 4), and see whether it closes a loop."""
        self.mapper.use_scene(self._scene_name)
        self._graph.moved(self._motion.last_world_T_cam, world_T_cam)
        mapping = self.mapper.add(replace(frame, world_T_cam=world_T_cam))
        if not self._is_live(self._keyframe):  # it had to go for the budget
            self._keyframe = -1
        is_kept = mapping.keyframe_id is not None and self._is_live(mapping.keyframe_id)
        if mapping.keyframe_id is not None and is_kept:
            step = self._poser.step(self._motion.last_look, look, world_T_cam)
            world_T_cam = self.mapper.map_code.pose_of(mapping.keyframe_id)  # without depth, it was adjusted
            self._graph.add(mapping.keyframe_id, seen, self._keyframe, step, is_adjusted=not look.has_depth)
            self._keyframe = mapping.keyframe_id
        elif self._keyframe < 0 and seen is not None:
            self._keyframe = self._seen_most(seen)
        self._motion.trust(frame, look, world_T_cam)
        self.trajectory.add(frame.stamp_ns, world_T_cam, self._keyframe)
        closure = self._closing.close(look, self._keyframe, world_T_cam) if is_kept else None
        if closure is not None:
            self.loops, self.joined = self.loops + 1, self.joined + closure.joined
            self._motion.follow(closure.correction)
            self.trajectory.rescale(closure.growth)
            self._scene, status = closure.scene, "joined" if closure.joined else "loop closed"
        return SlamResult(self._motion.last_world_T_cam, self._stated(seen), status, self._scene_name, mapping)

    @property
    def _scene_name(self) -> str:
        return self.mapper.map_code.scene_names[self._scene]

    def _is_live(self, keyframe: int) -> bool:
        return keyframe >= 0 and bool(self.mapper.map_code.keyframes.live[keyframe])

    def _seen_most(self, seen: SeenPose) -> int:
        """Return the keyframe of which most codes that are still there were seen; -1 where there is none."""
        codes = self.mapper.map_code.codes
        rows = seen.rows[codes.live[seen.rows]]
        return int(np.bincount(codes["anchors"][rows]).argmax()) if len(rows) else -1

    def _stated(self, seen: SeenPose | None) -> np.ndarray:
        """Return the covariance (6, 6) to state for a pose; that of a beginning, which is where it is by definition, is
        small, but can be inverted."""
        if seen is None:
            return np.eye(6) * BEGINNING_VARIANCE
        factor = variance_factor_of(self.mapper.map_code, self._scene, seen.world_T_cam)
        return calibrated(seen.covariance, factor)
