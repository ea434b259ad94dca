"""Learning on from keyframes that were kept: positions and keys of the codes they show get better.

A step takes some kept keyframes, finds their sightings of codes near where the pose says they should be, and moves each of these codes
to where its sightings meet, and its key towards how they look, the more the search confuses it with other places (the gradient of
a contrastive loss). Only codes that are sighted move, so what is elsewhere stays as it was. Other keyframes, kept apart, tell
whether the map got worse by it; then the step is undone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cl_localization.config import Config, option
from cl_localization.geometry import se3
from cl_localization.geometry.triangulation import Observations, parallax_deg, refined_points
from cl_localization.scene_coordinates.code_index import CodeIndex
from cl_localization.scene_coordinates.guided import guided_matches
from cl_localization.scene_coordinates.map_code import MapCode, quantized
from cl_localization.scene_coordinates.refinement import pixels_in
from cl_localization.scene_coordinates.regressor import SAME_PLACE_CELLS
from cl_localization.scene_coordinates.replay_score import ScoreChange, replay_scores
from cl_localization.scene_coordinates.views import View

RIVALS = 4
TEMPERATURE = 0.05
"""Of the softmax over similarities in the contrastive loss."""

KEYPOINT_PX = 1.0
"""How exact sightings are [px of a 640 px wide image]."""


@dataclass(frozen=True)
class OnlineLearningConfig(Config):
    """How the map is learned on while the robot works."""

    kept_views: int = option(60, "Keyframes that are kept to learn from; random ones go first.", 4, 100000)
    views_per_step: int = option(12, "Keyframes that a step learns from; as many others judge it.", 2, 1000)
    radius_px: float = option(4.0, "A sighting lies this near to its code's projection [px of a 640 px wide image].", 0.5, 50)
    min_similarity: float = option(0.75, "Least cosine similarity of a sighting and its code.", 0, 1)
    min_parallax_deg: float = option(2.0, "Sightings must meet under this angle to move a code [deg].", 0.1, 90)
    key_rate: float = option(0.3, "How far a key goes along the gradient in one step; 0 leaves keys as they are.", 0, 10)
    seed: int = option(0, "Of everything random.", 0, 2**31 - 1)


@dataclass(frozen=True)
class LearningStep:
    """What became of a step.

    Attributes:
        sighted, moved: codes that the views showed, and those of them that moved.
        change: of the score of the views that judged.
        kept: False where the step was undone.
    """

    sighted: int
    moved: int
    change: ScoreChange
    kept: bool


class OnlineLearner:
    """Keeps keyframes of a map and learns on from them."""

    def __init__(self, map_code: MapCode, config: OnlineLearningConfig = OnlineLearningConfig()) -> None:
        self._map, self._config = map_code, config
        self._index = CodeIndex(map_code)
        self._random = np.random.default_rng(config.seed)
        self.views: list[View] = []

    def observe(self, view: View) -> None:
        """Keep a keyframe to learn from."""
        self.views.append(view)
        if len(self.views) > self._config.kept_views:
            del self.views[int(self._random.integers(len(self.views) - 1))]

    def step(self) -> LearningStep:
        """Learn from some of the kept keyframes; undo it where others show that it did harm."""
        order = self._random.permutation(len(self.views))
        half = min(self._config.views_per_step, len(order) // 2)
        learned, judges = ([self.views[place] for place in places] for places in (order[:half], order[half:2 * half]))
        before = replay_scores(self._map, self._index, judges)
        rows, point, view_of, feature = self._all_sightings(learned)
        codes = self._map.codes
        old = tuple(codes[name][rows].copy() for name in ("keys", "positions_m", "sigmas_m"))
        new_positions, new_sigmas, moved = self._moved(rows, point, view_of, feature, learned)
        self._map.restate(rows, self._keys(rows, point, view_of, feature, learned), new_positions, new_sigmas)
        change = ScoreChange.between(before, replay_scores(self._map, self._index, judges))
        if change.is_harm:
            self._map.restate(rows, *old)
        return LearningStep(len(rows), int(moved.sum()), change, not change.is_harm)

    def _sightings(self, view: View) -> tuple[np.ndarray, np.ndarray]:
        """Return features (N,) of a view and the codes (N,) that they show."""
        found = guided_matches(self._map, view.features, view.features.keypoints_px, view.camera, se3.inverse(view.world_T_cam),
                               pixels_in(view.camera, self._config.radius_px), self._config.min_similarity, view.scene)
        return found.features, found.rows

    def _all_sightings(self, views: list[View]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return the codes (P,) that views show, and all sightings by code: its place among them, the view and the feature (O,)."""
        parts = [(rows, np.full(len(rows), number), features) for number, view in enumerate(views)
                 for features, rows in [self._sightings(view)]]
        seen, view_of, feature = (np.concatenate([np.zeros(0, np.int64), *column]) for column in (zip(*parts) if parts else ((), (), ())))
        rows, point = np.unique(seen, return_inverse=True)
        order = np.argsort(point, kind="stable")
        return rows, point[order], view_of[order], feature[order]

    def _moved(self, rows: np.ndarray, point: np.ndarray, view_of: np.ndarray, feature: np.ndarray,
               views: list[View]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return positions (P, 3) and sigmas (P,) of codes joined with where their sightings meet, and which (P,) of them moved."""
        positions, sigmas = self._map.codes["positions_m"][rows].astype(np.float64), self._map.codes["sigmas_m"][rows].astype(np.float64)
        if len(rows) == 0:
            return positions, sigmas, np.zeros(0, bool)
        rays = np.array([views[view].rays[one] for view, one in zip(view_of, feature)])
        cam_T_world = np.array([se3.inverse(view.world_T_cam) for view in views])[view_of]
        focal_px = np.array([view.camera.focal_px for view in views])[view_of]
        seen = Observations(point, rays, cam_T_world, focal_px)
        met, met_sigmas = refined_points(positions, seen, pixels_in(views[0].camera, KEYPOINT_PX))
        apart = np.linalg.norm(met - positions, axis=1)
        moved = (parallax_deg(positions, seen) > self._config.min_parallax_deg) & np.isfinite(met).all(axis=1)
        moved &= apart < 3 * np.hypot(sigmas, met_sigmas)
        share = (sigmas**2 / (sigmas**2 + np.maximum(met_sigmas, 1e-6) ** 2))[:, None]
        joined = positions + share * (met - positions)
        return (np.where(moved[:, None], joined, positions),
                np.where(moved, (sigmas**-2.0 + np.maximum(met_sigmas, 1e-6) ** -2.0) ** -0.5, sigmas), moved)

    def _keys(self, rows: np.ndarray, point: np.ndarray, view_of: np.ndarray, feature: np.ndarray, views: list[View]) -> np.ndarray:
        """Return the int8 keys (P, D) of codes after a step down the contrastive loss of their sightings."""
        if len(rows) == 0 or self._config.key_rate == 0:
            return self._map.codes["keys"][rows].copy()
        keys = self._map.descriptors(rows)
        shown = np.array([views[view].features.descriptors[one] for view, one in zip(view_of, feature)], np.float32)
        similarity, rivals = self._index.search(shown, RIVALS)
        positions = self._map.codes["positions_m"]
        apart_m = np.linalg.norm(positions[np.maximum(rivals, 0)] - positions[rows[point]][:, None], axis=2)
        rival = (apart_m > SAME_PLACE_CELLS * self._map.cell_size_m) & (rivals >= 0)
        own = np.exp((shown * keys[point]).sum(axis=1) / TEMPERATURE)
        confused = 1 - own / (own + np.where(rival, np.exp(similarity / TEMPERATURE), 0).sum(axis=1))
        pull, count = np.zeros_like(keys), np.bincount(point, minlength=len(rows))[:, None]
        np.add.at(pull, point, confused[:, None] * (shown - keys[point]))
        learned = keys + self._config.key_rate * pull / count
        return quantized(learned / np.linalg.norm(learned, axis=1, keepdims=True))
