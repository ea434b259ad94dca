"""The topic `initialpose`: heard as a guess, as RViz's 2D Pose Estimate sends it, and published for others, as AMCL.

A guess says only where in the map images are searched first. What it says is believed if an image agrees.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from geometry_msgs.msg import PoseWithCovarianceStamped

from cl_localization.data.frame import Frame
from cl_localization.errors import RosError
from cl_localization.localization.result import Localization
from cl_localization.ros.conversions import matrix_of, plain, stamp_ns, time_message
from cl_localization.ros.nodes.managed_node import ManagedNode
from cl_localization.ros.tf.lookup import TfLookup
from cl_localization.tracking.tracker import State, Track

TOPIC = "initialpose"
GUESS_S, SAME_PLACE_M = 5.0, 2.0
"""How long images are searched around a guess first, and how near to it a pose agrees with it."""


@dataclass(frozen=True, eq=False)
class Guess:
    """A pose of the base (4, 4) that somebody believes, and when it was heard, on the monotonic clock."""

    map_T_base: np.ndarray
    heard_s: float


class InitialPose:
    """Publishes the first trusted pose of the base, and that after each loss, once somebody listens; hears guesses."""

    def __init__(self, node: ManagedNode, now_s: Callable[[], float] = time.monotonic) -> None:
        """Create the publisher on `node`; `now_s` is the clock for `GUESS_S`."""
        self._node, self._now_s = node, now_s
        self._publisher = node.publisher(PoseWithCovarianceStamped, TOPIC)
        self._sent_ns: deque[int] = deque(maxlen=10)
        self._is_due = True
        self._guess: Guess | None = None

    def listen(self, lookup: TfLookup) -> None:
        """Hear guesses while the node is active; `lookup` knows where the camera is on the robot."""
        self._lookup = lookup
        self._node.hear(PoseWithCovarianceStamped, TOPIC, self._take)

    def publish(self, of_base: PoseWithCovarianceStamped, track: Track) -> None:
        """Publish a trusted pose of the base if that is asked for and due, and somebody else listens."""
        self._is_due |= track.state == State.RELOCALIZED
        heard_by_others = self._publisher.get_subscription_count() > 1  # the node itself hears the topic, too
        if self._node.config.publish_initial_pose and self._is_due and heard_by_others:
            self._is_due = False
            self._sent_ns.append(stamp_ns(of_base.header.stamp))
            self._publisher.publish(of_base)

    def guess_for(self, frame: Frame) -> np.ndarray | None:
        """Worker: return the camera's pose (4, 4) by a guess, None without one."""
        guess = self._guess
        if guess is None:
            return None
        if self._now_s() - guess.heard_s > GUESS_S:
            self._guess = None
            self._node.get_logger().warning(f"no image agreed with the guess on {TOPIC} within {GUESS_S:g} s")
            return None
        base = self._node.config.frames.base
        try:
            return guess.map_T_base @ self._lookup.at(base, frame.name, time_message(frame.stamp_ns), wait=False)
        except RosError:  # tf does not know the mounting: the base is near the camera
            return guess.map_T_base

    def judge(self, found: Localization) -> None:
        """Worker: let the guess go once an image agrees with it."""
        guess = self._guess
        if guess is not None and found.accepted and found.world_T_cam is not None \
                and np.linalg.norm(found.world_T_cam[:2, 3] - guess.map_T_base[:2, 3]) < SAME_PLACE_M:
            self._guess = None
            self._node.get_logger().info(f"an image agrees with the guess on {TOPIC}")

    def _take(self, message: PoseWithCovarianceStamped) -> None:
        """Take a guess of somebody else; one that makes no sense is logged and ignored."""
        if stamp_ns(message.header.stamp) in self._sent_ns:
            return
        frame, map_frame = plain(message.header.frame_id), self._node.config.frames.map
        try:
            if frame not in ("", map_frame):
                raise RosError(f"frame_id of {TOPIC}", f"must be {map_frame}", frame, "set RViz's fixed frame to it")
            self._guess = Guess(matrix_of(message.pose.pose), self._now_s())
        except RosError as error:
            self._node.report(error)
            return
        x_m, y_m = self._guess.map_T_base[:2, 3]
        self._node.get_logger().info(f"searching first around the guess on {TOPIC}: {x_m:.2f} {y_m:.2f} m")
