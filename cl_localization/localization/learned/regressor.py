"""The regressor of a map of learned codes: where most of a feature's attention goes, and how much."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import cKDTree

from cl_localization.features.encoder import Features
from cl_localization.localization.regressor import SceneCoordinates, no_coordinates
from cl_localization.map.learned_codes import LearnedArrays, learned_arrays
from cl_localization.map.map_code import MapCode

NEIGHBOURS = 16
"""Codes that an answer is the mean of: the one with most attention, and those nearest to it. The mean of all, which is
learned, lies between places where views are far from those that were mapped. Chosen on stretches held out of them."""


@dataclass(frozen=True, eq=False)
class Answers:
    """Where features lie.

    Attributes:
        points_m: (N, 3) weighted means of codes that lie together.
        sigmas_m: (N,) weighted standard deviations of their positions around them.
        attention: (N,) share of the attention that these codes have, 0 to 1.
        codes: (N,) number of the code with most.
    """

    points_m: np.ndarray
    sigmas_m: np.ndarray
    attention: np.ndarray
    codes: np.ndarray


class AttentionCodes:
    """Learned codes of one scene, ready to be attended to; positions are kept around their mean, for float32."""

    def __init__(self, codes: LearnedArrays) -> None:
        """Take learned codes, at least one."""
        self._origin_m = codes.positions_m.mean(axis=0, dtype=np.float64)
        self._keys = codes.keys
        self._positions = (codes.positions_m - self._origin_m).astype(np.float32)
        nearest = np.arange(1, min(NEIGHBOURS, len(self._keys)) + 1)
        self._neighbours = cKDTree(self._positions).query(self._positions, nearest)[1]

    def answer(self, descriptors: np.ndarray) -> Answers:
        """Return where features lie, given descriptors (N, D)."""
        logits = descriptors.astype(np.float32) @ self._keys.T
        logits -= logits.max(axis=1, keepdims=True)
        weights = np.exp(logits, out=logits)
        best = weights.argmax(axis=1)
        together = self._neighbours[best]
        of_these = np.take_along_axis(weights, together, axis=1)
        attention = of_these.sum(axis=1)
        shares, positions = (of_these / attention[:, None])[:, None], self._positions[together]
        points = (shares @ positions)[:, 0]
        variance = (shares @ ((positions - points[:, None]) ** 2).sum(axis=2)[:, :, None])[:, 0, 0]
        return Answers(points + self._origin_m, np.sqrt(variance), attention / weights.sum(axis=1), best)


class CodesOfScenes:
    """Learned codes of all scenes, of which an image's features attend to those of one.

    How much attention codes get says nothing across scenes, as each scene's were learned for themselves. What their
    keys look like does: the scene is that of most features' most similar keys.
    """

    def __init__(self, codes: LearnedArrays) -> None:
        """Take learned codes, at least one."""
        numbers, self._scenes = np.unique(codes.scenes, return_inverse=True)
        self._rows = [np.flatnonzero(self._scenes == scene) for scene in range(len(numbers))]
        self._codes = [AttentionCodes(codes.select(rows)) for rows in self._rows]
        self._directions = codes.keys / np.maximum(np.linalg.norm(codes.keys, axis=1, keepdims=True), 1e-9)

    def answer(self, descriptors: np.ndarray) -> Answers:
        """Return where features lie, all in one scene, given descriptors (N, D), at least one."""
        scene = self._scene_of(descriptors) if len(self._codes) > 1 else 0
        found = self._codes[scene].answer(descriptors)
        return replace(found, codes=self._rows[scene][found.codes])

    def _scene_of(self, descriptors: np.ndarray) -> int:
        most_similar = (descriptors.astype(np.float32) @ self._directions.T).argmax(axis=1)
        return int(np.bincount(self._scenes[most_similar]).argmax())


class LearnedRegressor:
    """A feature lies at the mean of the codes' positions, weighted by attention; see `Regressor`.

    Changes of the map are followed.
    """

    def __init__(self, map_code: MapCode) -> None:
        """Make a regressor for a map of learned codes."""
        self._map, self._version = map_code, -1

    def regress(self, features: Features) -> SceneCoordinates:
        """Return the answer for every feature.

        Its ambiguity is the share of the image's features whose attention goes more to one place: 0 for the best of
        them.
        """
        if len(features) == 0:
            return no_coordinates()
        if self._version != self._map.version:
            self._codes, self._version = CodesOfScenes(learned_arrays(self._map)), self._map.version
        found = self._codes.answer(features.descriptors)
        rank = np.empty(len(features), np.float32)
        rank[np.argsort(-found.attention, kind="stable")] = np.arange(len(features)) / len(features)
        return SceneCoordinates(np.arange(len(features)), found.points_m, found.sigmas_m, rank,
                                self._map.codes.rows()[found.codes])
