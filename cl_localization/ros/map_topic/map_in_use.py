"""The map of the localizer node: loaded from a file, or received on `map_code`."""

from __future__ import annotations

import time
from collections.abc import Callable

from cl_localization.data.frame import Frame
from cl_localization.errors import LocalizationError
from cl_localization.features import Encoder
from cl_localization.localization.result import Localization
from cl_localization.localizer import Localizer
from cl_localization.map.map_code import MapCode
from cl_localization.map.map_file import load_map
from cl_localization.ros.map_topic.map_stream import MapFollower
from cl_localization.ros.map_topic.map_subscription import mappers_on_topic, several_mappers
from cl_localization.ros.nerf.pose_check import PoseCheck, pose_check_beside
from cl_localization.ros.nodes.initial_pose import InitialPose
from cl_localization.ros.nodes.managed_node import ManagedNode


class MapInUse:
    """Keeps a localizer for the current map; only the worker uses it, except for `follower`.

    Attributes:
        follower: applies the messages on map_code.
        localizer: None without a map.
    """

    def __init__(self, node: ManagedNode, encoder: Encoder, guesses: InitialPose,
                 on_other_map: Callable[[], None]) -> None:
        """Start without a map.

        Args:
            guesses: where images are searched first, if somebody has a guess.
            on_other_map: called when the map is replaced by one with another map_id.
        """
        self._node, self._encoder, self._guesses, self._on_other_map = node, encoder, guesses, on_other_map
        self.follower = MapFollower(encoder.name, encoder.dim, lambda: mappers_on_topic(node))
        self.localizer: Localizer | None = None
        self._check: PoseCheck | None = None

    @property
    def map_code(self) -> MapCode | None:
        """The current map; None before the first."""
        return self.follower.map_code

    @property
    def calibration_problem(self) -> str:
        """What images hold against the calibration of their camera, and what to do; empty for nothing."""
        return "" if self.localizer is None else self.localizer.calibration.problem

    @property
    def problem(self) -> str:
        """Why there is no map, or that several mappers publish one; empty for no problem."""
        if self.map_code is None:
            return "no map yet: no message on map_code, and map_file is empty"
        mappers = mappers_on_topic(self._node) if self._node.config.map_topic.follow else 1
        return several_mappers(mappers) and f"{several_mappers(mappers)}; following map {self.map_code.map_id}"

    def load(self, path: str) -> None:
        """Load and use a map file; the current map stays if that fails.

        Raises:
            MapError: the file cannot be read, or was made with another encoder.
        """
        started_s = time.monotonic()
        map_code = load_map(path, self._encoder.name)
        try:
            self._check = pose_check_beside(path, map_code, self._node.config)
        except LocalizationError as error:  # poses are then not checked
            self._check = None
            self._node.report(error)
        self.follower.use(map_code)
        self.use()
        duration_s = time.monotonic() - started_s
        self._node.get_logger().info(f"loaded {path}: {len(self.map_code)} codes in {duration_s:.1f} s")

    def encode(self, frame: Frame) -> None:
        """Compute the features of a frame before `localize`; see `Localizer.encode`."""
        self.localizer.encode(frame)

    def localize(self, frame: Frame) -> Localization:
        """Localize a frame, and check its pose if the pose check is enabled; see `Localizer.localize`."""
        found = self.localizer.localize(frame, self._guesses.guess_for(frame))
        if self._check is not None and self._check.map_id == self.map_code.map_id:
            found = self._check.judge(frame, found, self._node.config)
        self._guesses.judge(found)
        return found

    def use_config(self) -> None:
        """Use the node's current parameters; the index and the place sequence are kept."""
        if self.localizer is not None:
            self.localizer.use(self._node.config)

    def use(self) -> None:
        """Use the follower's map, with the node's current parameters."""
        if self.localizer is not None and self.localizer.map_code.map_id != self.map_code.map_id:
            self._on_other_map()
        self.localizer = Localizer(self.map_code, self._node.config, self._encoder, in_background=True)
