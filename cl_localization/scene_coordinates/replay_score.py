"""How well a map explains keyframes that it has learned from, so that learning on can be undone where it does harm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cl_localization.geometry import se3
from cl_localization.geometry.pnp import reprojection_errors_px
from cl_localization.scene_coordinates.code_index import CodeIndex
from cl_localization.scene_coordinates.map_code import MapCode
from cl_localization.scene_coordinates.refinement import pixels_in
from cl_localization.scene_coordinates.views import View

FULL_ERROR_PX = 12.0
"""A feature whose nearest code lies this far off in the image counts nothing [px of a 640 px wide image]."""

NEGLIGIBLE = 1e-4
"""A smaller change of the mean score is none, however steady it is."""


@dataclass(frozen=True, eq=False)
class ScoreChange:
    """How the scores (V,) of the same views changed.

    Attributes:
        mean: of the differences.
        noise: the standard error of that mean.
    """

    mean: float
    noise: float

    @classmethod
    def between(cls, before: np.ndarray, after: np.ndarray) -> ScoreChange:
        """Return the change from the scores before to those after."""
        differences = after - before
        if len(differences) == 0:
            return cls(0.0, 0.0)
        spread = float(np.std(differences, ddof=1)) if len(differences) > 1 else abs(float(differences[0]))
        return cls(float(differences.mean()), spread / len(differences) ** 0.5)

    @property
    def is_harm(self) -> bool:
        """Whether the scores fell by more than their noise."""
        return self.mean < -max(self.noise, NEGLIGIBLE)


def replay_scores(map_code: MapCode, index: CodeIndex, views: list[View]) -> np.ndarray:
    """Return a score (V,) of each view: over its features, how near the nearest code's projection lies, from 1 at 0 px to 0.

    It is what localizing lives from: the search without any hint, and the positions of what it finds.
    """
    return np.array([_score(map_code, index, view) for view in views])


def _score(map_code: MapCode, index: CodeIndex, view: View) -> float:
    if len(view.features) == 0:
        return 0.0
    _, rows = index.search(view.features.descriptors, 1)
    found = rows[:, 0] >= 0
    errors_px = reprojection_errors_px(view.camera, se3.inverse(view.world_T_cam), view.features.keypoints_px[found],
                                       map_code.codes["positions_m"][rows[found, 0]].astype(np.float64))
    return float(np.maximum(0.0, 1.0 - errors_px / pixels_in(view.camera, FULL_ERROR_PX)).sum() / len(rows))
