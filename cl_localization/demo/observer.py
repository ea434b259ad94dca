"""The demo's own node: sees what the nodes publish, and asks them to go on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from geometry_msgs.msg import PoseStamped, PoseWithCovarianceStamped
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.client import Client
from rclpy.task import Future
from sensor_msgs.msg import Image
from std_msgs.msg import Bool

from cl_localization.data.message_images import rgb_of
from cl_localization.demo.result import Estimate
from cl_localization.errors import DataError, RosError
from cl_localization.evaluation.trajectory_error import aligned_errors_m, alignment, rmse
from cl_localization.map.map_code import MapCode
from cl_localization.msg import LocalizationStatus, MappingStatus
from cl_localization.ros.conversions import LATCHED, matrix_of, stamp_ns
from cl_localization.ros.watcher import Watcher

POLL_S = 0.02
ASK_AGAIN_S = 5.0  # DDS drops an answer if the server has not discovered its reader within 0.1 s
REACHES = {Transition.TRANSITION_CONFIGURE: State.PRIMARY_STATE_INACTIVE,
           Transition.TRANSITION_ACTIVATE: State.PRIMARY_STATE_ACTIVE,
           Transition.TRANSITION_DEACTIVATE: State.PRIMARY_STATE_INACTIVE,
           Transition.TRANSITION_CLEANUP: State.PRIMARY_STATE_UNCONFIGURED}


class DemoObserver(Watcher):
    """Collects truth, poses and statuses by the stamps of their images.

    Attributes:
        truths: (4, 4) true camera pose by stamp in nanoseconds; after `align` in the frame of the map.
        mapping_rmse_cm: root mean square error of the keyframes' positions, from `align`.
        poses: by stamp, (wall time of arrival in seconds, trusted (4, 4) camera pose).
        latencies_ms: by stamp, of the localizer.
        map_versions: by stamp, version of the map in which the localizer looked for an image.
        mapped: stamps of the images that the mapper has learned from: not of those whose pose it did not know.
        mapping: the mapper's last status.
        overlay: the last overlay image (H, W, 3).
        done: names of the players that have sent their last frame.
    """

    def __init__(self, domain: int) -> None:
        """Open a node in a ROS domain."""
        super().__init__("demo", domain)
        self.truths: dict[int, np.ndarray] = {}
        self.mapping_rmse_cm: float | None = None
        self._map_T_world = np.eye(4)
        self.poses: dict[int, tuple[float, np.ndarray]] = {}
        self.latencies_ms: dict[int, float] = {}
        self.map_versions: dict[int, int] = {}
        self.mapped: set[int] = set()
        self.mapping = MappingStatus()
        self.overlay: np.ndarray | None = None
        self.done: set[str] = set()
        for kind, topic, callback in ((PoseStamped, "ground_truth", self._on_truth),
                                      (MappingStatus, "mapper/status", self._on_mapping),
                                      (PoseWithCovarianceStamped, "localizer/pose", self._on_pose),
                                      (LocalizationStatus, "localizer/status", self._on_status)):
            self.hear(kind, topic, callback)

    def watch_player(self, name: str) -> None:
        """Note in `done` when a player has sent its last frame."""
        self.hear(Bool, f"{name}/done", lambda message: self.done.add(name), LATCHED)

    def watch_overlay(self) -> None:
        """Begin to receive overlay images."""
        self.hear(Image, "localizer/overlay", self._on_overlay, 1)

    def transition(self, name: str, transition: int, timeout_s: float, check: Callable[[], None]) -> None:
        """Bring a lifecycle node through a transition; raises RosError when it fails or takes too long."""
        if self.call(ChangeState, f"{name}/change_state", timeout_s, check, transition__id=transition).success:
            return
        state = self.call(GetState, f"{name}/get_state", timeout_s, check).current_state.id
        if state != REACHES[transition]:  # else it was asked again because the answer to the first time was lost
            raise RosError(f"node {name}", "must configure and activate", "a failed transition", "see its log")

    def call(self, kind: Any, service: str, timeout_s: float, check: Callable[[], None], **fields: Any) -> Any:
        """Call a service, again while no answer comes, and return its response; `a__b` sets field b of field a.

        Raises:
            RosError: no service, or no response in time.
        """
        client: Client = self._node.create_client(kind, service)
        request = kind.Request()
        for path, value in fields.items():
            *inner, last = path.split("__")
            target = request
            for name in inner:
                target = getattr(target, name)
            setattr(target, last, value)
        self.wait(client.service_is_ready, timeout_s, f"service {service}", check)
        futures: list[Future] = []
        began_s = time.monotonic()

        def answered() -> bool:
            if time.monotonic() - began_s >= ASK_AGAIN_S * len(futures):
                futures.append(client.call_async(request))
            return any(future.done() for future in futures)

        self.wait(answered, timeout_s, f"response of {service}", check)
        return next(future.result() for future in futures if future.done())

    def wait(self, condition: Callable[[], bool], timeout_s: float, what: str, check: Callable[[], None]) -> None:
        """Wait until a condition holds, checking now and then that all is well; raises RosError at the deadline."""
        waiting, deadline_s = threading.Event(), time.monotonic() + timeout_s
        while not condition():
            check()
            if time.monotonic() > deadline_s:
                raise RosError(what, f"must be there within {timeout_s:g} s", remedy="see the logs of the nodes")
            waiting.wait(POLL_S)

    def estimates(self, since_ns: int) -> list[Estimate]:
        """Return the trusted poses of images taken since then, with their truths, in order."""
        return [Estimate(stamp, self.truths[stamp], pose) for stamp, (_, pose) in sorted(self.poses.items())
                if stamp >= since_ns and stamp in self.truths]

    def truths_since(self, since_ns: int) -> np.ndarray:
        """Return the true poses (N, 4, 4) of images taken since then, in order."""
        return np.array([pose for stamp, pose in sorted(self.truths.items()) if stamp >= since_ns]).reshape(-1, 4, 4)

    def align(self, map_code: MapCode) -> None:
        """Bring the true poses, now and later, into the frame of a map with own poses: by its keyframes, those in the
        part of the map that came first. Nothing else tells where that frame is.

        Raises:
            DataError: fewer than three keyframes.
        """
        if not map_code.scenes_in_use:
            raise DataError("map of the demo", "must have keyframes", "none", "see the log of the mapper")
        rows = map_code.keyframes.rows()
        first = map_code.keyframes["keyframe_scenes"][rows] == map_code.scenes_in_use[0]
        stamps_ns = map_code.keyframes["keyframe_stamps_ns"][rows]
        pairs = [(pose[:3, 3], self.truths[int(stamp)][:3, 3])
                 for pose, stamp in zip(map_code.keyframe_world_T_cam[first], stamps_ns[first])
                 if int(stamp) in self.truths]
        found_m, true_m = np.array(pairs).reshape(-1, 2, 3).transpose(1, 0, 2)
        self._map_T_world = alignment(true_m, found_m)
        self.mapping_rmse_cm = 100 * rmse(aligned_errors_m(true_m, found_m))
        self.truths = {stamp: self._map_T_world @ pose for stamp, pose in self.truths.items()}

    def _on_truth(self, message: PoseStamped) -> None:
        self.truths[stamp_ns(message.header.stamp)] = self._map_T_world @ matrix_of(message.pose)

    def _on_pose(self, message: PoseWithCovarianceStamped) -> None:
        self.poses[stamp_ns(message.header.stamp)] = time.time(), matrix_of(message.pose.pose)

    def _on_status(self, message: LocalizationStatus) -> None:
        if message.keypoints:  # else it tells of something without an image
            self.latencies_ms[stamp_ns(message.header.stamp)] = message.latency_ms
            self.map_versions[stamp_ns(message.header.stamp)] = message.map_version

    def _on_mapping(self, message: MappingStatus) -> None:
        self.mapping = message
        if message.duration_ms > 0:
            self.mapped.add(stamp_ns(message.header.stamp))

    def _on_overlay(self, message: Image) -> None:
        self.overlay = rgb_of(message, "overlay")
