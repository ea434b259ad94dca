"""What is known of the keyframes that were posed by the map itself: the way to each, and what ties them together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cl_localization.geometry import se3
from cl_localization.map.map_code import MapCode
from cl_localization.mapping.slam.depth_pose import SeenPose
from cl_localization.mapping.slam.pose_graph import Tie, agreed_poses, agreed_similarities

TURN_M_PER_DEG = 0.01
"""What a turn counts for the way."""

MOST_TIES, LEAST_SHARE = 4, 0.1
"""A keyframe is tied to at most so many others, those that at least this share of what it was localized by is anchored
to."""

SIGMA_M, SIGMA_M_PER_M = 0.004, 0.005
SIGMA_RAD, SIGMA_RAD_PER_M = 0.002, 0.002
"""How exactly a keyframe is posed by the codes of another, on the spot and for each metre between the two."""

SCATTER_SIGMAS = 2.0
"""And for what the scatter of its matches says, so many times that: a view of little that is known is tied loosely."""

STEP_SIGMA_M, STEP_SIGMA_RAD = 0.001, 0.0005
"""What the way from the last frame is uncertain by besides that."""

LOOP_SIGMA_M, LOOP_SIGMA_RAD = 0.003, 0.001
"""What a pose by the codes of an old place is uncertain by besides what the scatter of its matches says."""


class KeyframeGraph:
    """Keyframes of one map with ties between them."""

    def __init__(self, map_code: MapCode) -> None:
        self._map = map_code
        self._way = np.zeros(2)  # moved [m], and turned [deg]
        self._way_at: dict[int, tuple[int, np.ndarray]] = {}
        self._ties: list[Tie] = []

    @property
    def way_m(self) -> float:
        """The way of the camera so far, turns included."""
        return _length_m(self._way)

    def moved(self, before_world_T_cam: np.ndarray | None, world_T_cam: np.ndarray) -> None:
        """Take note of the way between two poses (4, 4); the first may be unknown."""
        if before_world_T_cam is None:
            return
        self._way = self._way + se3.pose_error(before_world_T_cam, world_T_cam)

    def add(self, keyframe: int, seen: SeenPose | None, previous: int, step: SeenPose | None = None,
            is_adjusted: bool = False) -> None:
        """Take note of a new keyframe, localized by codes that were seen; tied to the previous one in any case.

        Args:
            previous: -1 for none.
            step: the same pose by the last frame alone, if that saw enough.
            is_adjusted: whether it and what it shows go on being adjusted, without depth: it then lies to others as the
                map has it, and not as it was localized.
        """
        if keyframe in self._way_at:  # the number of one that had to go for the budget
            self._ties = [tie for tie in self._ties if keyframe not in (tie.first, tie.second)]
        self._way_at[keyframe] = int(self._map.keyframes["keyframe_stamps_ns"][keyframe]), self._way
        shares = {} if previous < 0 else {previous: 0.5}
        if step is not None and previous >= 0 and self._is_live(previous):
            sigma_m, sigma_rad = _scatter(step)
            self._ties.append(Tie(previous, keyframe, se3.inverse(self._map.pose_of(previous)) @ step.world_T_cam,
                                  STEP_SIGMA_M + SCATTER_SIGMAS * sigma_m,
                                  STEP_SIGMA_RAD + SCATTER_SIGMAS * sigma_rad))
        if seen is not None and len(seen.rows):
            anchors, counts = np.unique(self._map.codes["anchors"][seen.rows], return_counts=True)
            best = np.argsort(-counts, kind="stable")[:MOST_TIES]
            shares |= {int(anchor): count / len(seen.rows) for anchor, count in zip(anchors[best], counts[best])
                       if count >= LEAST_SHARE * len(seen.rows)}
        for other, share in shares.items():
            if other != keyframe and self._is_live(other):
                self._ties.append(replace(self._tie(other, keyframe, float(share), seen), is_as_mapped=is_adjusted))

    def add_loop(self, keyframe: int, old: int, seen: SeenPose, world_T_cam: np.ndarray, scale: float) -> None:
        """Take note that a keyframe at a pose (4, 4) was seen from the codes around an old one, whose distances are
        `scale` of those of the codes around the keyframe."""
        sigma_m, sigma_rad = _scatter(seen)
        seen_keyframe = seen.world_T_cam @ se3.inverse(world_T_cam) @ self._map.pose_of(keyframe)
        old_T_keyframe = se3.inverse(self._map.pose_of(old)) @ seen_keyframe
        self._ties.append(Tie(old, keyframe, old_T_keyframe, sigma_m + LOOP_SIGMA_M, sigma_rad + LOOP_SIGMA_RAD,
                              is_loop=True, scale=scale))

    def rescale(self, growth: dict[int, float]) -> None:
        """Take note that distances around keyframes have grown, and with them the way since."""
        for keyframe, (stamp_ns, way) in self._way_at.items():
            since = (self._way - way) * [growth.get(keyframe, 1.0), 1.0]
            self._way_at[keyframe] = stamp_ns, self._way - since
        self._ties = [_grown(tie, growth.get(tie.first, 1.0), growth.get(tie.second, 1.0)) for tie in self._ties]

    def way_since(self, keyframes: np.ndarray) -> np.ndarray:
        """Return the way (K,) since each of some keyframes; infinite for those that were there before."""
        stamps_ns = self._map.keyframes["keyframe_stamps_ns"]
        known = [self._way_at.get(keyframe, (None, self._way)) for keyframe in keyframes.tolist()]
        return np.array([_length_m(self._way - way) if stamp_ns == stamps_ns[keyframe] else np.inf
                         for keyframe, (stamp_ns, way) in zip(keyframes.tolist(), known)])

    def bend(self, scene: int, has_scale: bool = True) -> float:
        """Move the keyframes of a scene, with their codes, to where their ties agree best; return the largest move in
        metres. Those that were in the map before stay.

        Args:
            has_scale: whether its unit of length is the same everywhere.
        """
        rows = self._map.keyframes_of(scene)
        free = rows[np.isfinite(self.way_since(rows))]
        others = np.setdiff1d(rows, free)
        if len(rows) < 3 or len(free) == 0:
            return 0.0
        ties = [self._as_mapped(tie) for tie in self._ties]
        if len(others):
            ties = [self._from_fixed(tie, set(others.tolist())) for tie in ties]
        if len(others):  # all that is fixed counts as one
            free = np.r_[others[:1], free]
        before = self._map.pose_of(free)
        if has_scale:
            after, scales = agreed_poses(free, before, ties, int(free[0])), None
        else:
            after, scales = agreed_similarities(free, before, ties, int(free[0]))
        self._map.move_keyframes(free, after, scales)
        return float(np.linalg.norm(after[:, :3, 3] - before[:, :3, 3], axis=1).max())

    def _as_mapped(self, tie: Tie) -> Tie:
        """Return a tie that only says what the map has, as the map has it now."""
        if not (tie.is_as_mapped and self._is_live(tie.first) and self._is_live(tie.second)):
            return tie
        return replace(tie, first_T_second=self._between(tie.first, tie.second))

    def _from_fixed(self, tie: Tie, fixed: set[int]) -> Tie:
        """Return a tie to a keyframe of a fixed set as one to the smallest of them."""
        if tie.first not in fixed or not self._is_live(tie.first):
            return tie
        root = min(fixed)
        return replace(tie, first=root, first_T_second=self._between(root, tie.first) @ tie.first_T_second)

    def _between(self, first: int, second: int) -> np.ndarray:
        """Return first_T_second (4, 4) of live keyframes, as the map has them."""
        return se3.inverse(self._map.pose_of(first)) @ self._map.pose_of(second)

    def _tie(self, first: int, second: int, share: float, seen: SeenPose | None) -> Tie:
        first_T_second = self._between(first, second)
        apart_m, less = float(np.linalg.norm(first_T_second[:3, 3])), 1 / np.sqrt(share)
        sigma_m, sigma_rad = (0.0, 0.0) if seen is None else _scatter(seen)
        return Tie(first, second, first_T_second,
                   less * (SIGMA_M + SIGMA_M_PER_M * apart_m + SCATTER_SIGMAS * sigma_m),
                   less * (SIGMA_RAD + SIGMA_RAD_PER_M * apart_m + SCATTER_SIGMAS * sigma_rad))

    def _is_live(self, keyframe: int) -> bool:
        return bool(self._map.keyframes.live[keyframe])


def _length_m(way: np.ndarray) -> float:
    """Return the length of a way (2,), of what was moved [m] and turned [deg]."""
    return float(way[0] + TURN_M_PER_DEG * way[1])


def _grown(tie: Tie, first: float, second: float) -> Tie:
    """Return a tie whose keyframes have other units of length: distances around each grew by a factor."""
    first_T_second = tie.first_T_second.copy()
    first_T_second[:3, 3] *= first
    return replace(tie, first_T_second=first_T_second, scale=tie.scale * first / second)


def _scatter(seen: SeenPose) -> tuple[float, float]:
    """Return what the scatter of its matches says of a pose: its largest standard deviations [m] and [rad]."""
    return se3.largest_sigma(seen.covariance[:3, :3]), se3.largest_sigma(seen.covariance[3:, 3:])
