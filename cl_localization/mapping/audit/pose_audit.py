"""Audits what is given with keyframes while they come: neighbours in time, and places that are seen again."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np

from cl_localization.features.encoder import unit_descriptors
from cl_localization.map.keyframe_views import View
from cl_localization.map.map_code import MapCode
from cl_localization.mapping.audit.earlier_map import EarlierMap
from cl_localization.mapping.audit.health import (
    MapHealth,
    PairFigures,
    map_health,
    noted_health,
    part_warnings,
    scale_warnings,
)
from cl_localization.mapping.audit.image_pairs import (
    FOCAL_FACTORS,
    AuditedView,
    ImagePair,
    PairEvidence,
    agreements_with,
    evidence_of,
    matched_pair,
)
from cl_localization.mapping.audit.readings import READINGS
from cl_localization.mapping.triangulating_mapper import TriangulatingMapper

RECENT = 4
"""Keyframes before the newest among which the oldest that shows the same is its neighbour."""

APART = 15
"""A place is seen again when at least so many keyframes lie between."""

MIN_MATCHES_AGAIN = 80
"""So many matches make a place seen again. Fewer may be of far things, or of patterns that repeat along a road: kitti_1
has up to 56 over 25 m."""

LOOKED_FOR_EVERY = 2
"""One keyframe of so many is compared with what it may see again: a place that is passed is seen from several."""

ENOUGH_PAIRS, EVERY = 30, 8
"""Once so many pairs of neighbours are known, one keyframe of so many is compared with its neighbours."""

RETURN_TOLERANCE, RETURN_QUANTILE = 3.0, 0.25
"""Poses that are good to 2 cm are several pixels off where a place is seen again; those that have drifted by 20 cm are
tens of pixels off, but not at once: the worst quarter tells."""

MEMORY = 200
"""Views that are kept to recognise places; of more, every second one is dropped."""

PAIRS, RETURNS = 400, 60
"""Pairs of neighbours and of returns whose evidence is kept, the newest."""

PosesOf = Callable[[np.ndarray], np.ndarray]


class PoseAudit:
    """Collects what pairs of keyframes say about the poses, the focal length and the depth that were given with a map.

    Attributes:
        without_scale: names of the scenes whose unit of length is not known to be the metre: nothing metric told it.
        apart: names of the scenes that were begun in coordinate frames of their own, until they are joined to others.
    """

    def __init__(self, map_code: MapCode) -> None:
        """Audit a map while it is made; it may have been audited before."""
        noted = noted_health(map_code)
        self._map = map_code
        self.without_scale, self.apart = set(noted.scenes_without_scale), noted.scenes_apart
        may_end = scale_warnings(noted.scenes_without_scale) + part_warnings(noted.unjoined_parts)
        self._earlier_warnings = tuple(one for one in noted.warnings if one not in may_end)
        self._recent: deque[AuditedView] = deque(maxlen=RECENT)
        self._older: list[AuditedView] = []
        self._waiting: deque[AuditedView] = deque()
        self._evidence: deque[PairEvidence] = deque(maxlen=PAIRS)
        self._returns: deque[ImagePair] = deque(maxlen=RETURNS)
        self._added = 0
        self._earlier_map = EarlierMap(map_code)

    def add(self, view: View, depths_m: np.ndarray) -> None:
        """Audit a new keyframe, with the measured depth (N,) at its features, 0 where unknown."""
        place = unit_descriptors(self._map.keyframes["keyframe_descriptors"][[view.keyframe]])[0]
        look = AuditedView.of(view, depths_m, place)
        if self._recent and self._recent[-1].scene != look.scene:
            self.end_sequence()
        self._added += 1
        if len(self._evidence) < ENOUGH_PAIRS or self._added % EVERY == 0:
            self._compare_with_neighbours(look)
        if self._added % LOOKED_FOR_EVERY == 0:
            self._look_for_return(look)
        self._earlier_map.add(view)
        self._recent.append(look)
        self._remember(look)

    def end_sequence(self) -> None:
        """Have the next keyframe be no neighbour of the last one."""
        self._recent.clear()
        self._older += self._waiting
        self._waiting.clear()

    def forget_removed(self) -> None:
        """Forget keyframes that the map gave up: their numbers will be used again."""
        self._earlier_map.forget_removed()
        live = self._map.keyframes.live
        self._recent = deque((view for view in self._recent if live[view.keyframe]), RECENT)
        self._waiting = deque(view for view in self._waiting if live[view.keyframe])
        self._older = [view for view in self._older if live[view.keyframe]]
        self._returns = deque((pair for pair in self._returns
                               if live[pair.first.keyframe] and live[pair.second.keyframe]), RETURNS)

    def health(self, triangulated: TriangulatingMapper) -> MapHealth:
        """Return whether what was given with the images can be true, as far as they tell; the map takes note of it."""
        keyframes = self._map.keyframes.rows()
        given = triangulated.given_poses(keyframes)
        pairs = self.figures(lambda which: given[np.searchsorted(keyframes, which)])
        health = map_health(self._map, pairs, triangulated.moved(), triangulated.codes(), self._earlier_warnings,
                            self.without_scale, self._earlier_map.other_frame(keyframes, given), self.apart)
        self.apart.intersection_update(health.scenes_apart)
        self._map.health = health.to_json()
        return health

    def figures(self, given_poses: PosesOf) -> PairFigures:
        """Return what the pairs say so far.

        Args:
            given_poses: returns the poses (K, 4, 4) that keyframes (K,) were given, as they were corrected since.
        """
        again = self._agreement_of_returns(given_poses)
        if not self._evidence:
            return PairFigures(returns=len(again), returns_agree=_quantile(again, RETURN_QUANTILE))
        agreement = np.median([one.agreement for one in self._evidence], axis=0)
        focal = np.median([one.focal_agreement for one in self._evidence], axis=0)
        ratios = np.array([one.depth_ratio for one in self._evidence])
        best, best_focal = int(agreement.argmax()), int(focal.argmax())
        return PairFigures(
            pairs=len(self._evidence), agree=float(agreement[0]),
            best_reading=READINGS[best].name, best_agree=float(agreement[best]),
            focal_factor=float(FOCAL_FACTORS[best_focal]), focal_agree=float(focal[best_focal]),
            error_px=float(np.median([one.error_px for one in self._evidence])),
            depth_pairs=int(np.isfinite(ratios).sum()), depth_ratio=_quantile(ratios[np.isfinite(ratios)], 0.5),
            returns=len(again), returns_agree=_quantile(again, RETURN_QUANTILE))

    def _agreement_of_returns(self, given_poses: PosesOf) -> np.ndarray:
        numbers = [(pair.first.keyframe, pair.second.keyframe) for pair in self._returns]
        poses = given_poses(np.array(numbers, np.int64).reshape(-1)).reshape(-1, 2, 4, 4)
        return np.array([agreements_with(pair, first, second, np.ones(1), RETURN_TOLERANCE)[0]
                         for pair, (first, second) in zip(self._returns, poses[:, :, None])])

    def _compare_with_neighbours(self, look: AuditedView) -> None:
        pairs = (matched_pair(other, look) for other in tuple(self._recent))
        neighbours = next((pair for pair in pairs if pair is not None), None)
        if neighbours is not None:
            self._evidence.append(evidence_of(neighbours))

    def _look_for_return(self, look: AuditedView) -> None:
        """Match a look with the most similar one of its scene that is long ago."""
        older = [other for other in self._older if other.scene == look.scene]
        if not older:
            return
        alike = int(np.argmax(np.array([other.place for other in older]) @ look.place))
        pair = matched_pair(older[alike], look)
        if pair is not None and len(pair.rays_first) >= MIN_MATCHES_AGAIN:
            self._returns.append(pair)

    def _remember(self, look: AuditedView) -> None:
        self._waiting.append(look)
        if len(self._waiting) > APART:
            self._older.append(self._waiting.popleft())
        if len(self._older) > MEMORY:
            del self._older[::2]


def _quantile(values: np.ndarray, quantile: float) -> float | None:
    return float(np.quantile(values, quantile)) if len(values) else None
