"""The learner's memory: features of past keyframes with their places, in a replay buffer bounded in bytes.

Places are kept as the keyframe's camera saw them, so that they move with its pose when that is corrected.
"""

from __future__ import annotations

import numpy as np
import torch

from cl_localization.continual.admission import AdmissionPolicy, ClassBalanced, CoverageScore, Reservoir
from cl_localization.continual.replay_buffer import ReplayBuffer
from cl_localization.features.encoder import quantized
from cl_localization.geometry import se3
from cl_localization.map.map_code import COVERAGE_REGION_CELLS, MapCode, cell_labels
from cl_localization.mapping.learned.optimizer import Samples
from cl_localization.mapping.learned.options import LearnedCodesConfig

NO_REPLAY = "none"
POLICIES: dict[str, AdmissionPolicy] = {
    "Random": Reservoir(), "Imgbal": ClassBalanced(), "CoverageS": CoverageScore(evict_redundant=False),
    "Redundant": CoverageScore(), NO_REPLAY: Reservoir(),
}
"""Names are those of CL_HSCNet; scenes are its classes. Without replay only the scene in work is remembered."""

MOST_FEATURES, LEAST_FEATURES, KEYFRAMES = 512, 128, 64
"""Features kept of a keyframe, drawn at random: at most and at least so many, fewer in a small memory, as long as it
holds less than so many keyframes. Few features of ten keyframes are worth more than many of two."""

BYTES_PER_MB = 1_000_000


class FeatureReplay:
    """Features of keyframes of a map, as many keyframes as fit.

    Attributes:
        features: how many are kept of a keyframe.
    """

    def __init__(self, grown: MapCode, config: LearnedCodesConfig) -> None:
        """Begin with nothing; raises DataError if not one keyframe fits."""
        self._grown = grown
        self._rng = np.random.default_rng(config.seed)
        self._config, self._scene = config, -1
        feature_bytes = grown.dim + 3 * np.dtype(np.float32).itemsize
        self.features = int(np.clip(config.replay_mb * BYTES_PER_MB / (KEYFRAMES * feature_bytes), LEAST_FEATURES,
                                    MOST_FEATURES))
        self._buffer = self._empty_buffer()

    def _empty_buffer(self) -> ReplayBuffer:
        return ReplayBuffer(POLICIES[self._config.replay_policy], seed=self._config.seed,
                            capacity_bytes=int(self._config.replay_mb * BYTES_PER_MB))

    def offer(self, keyframe: int, descriptors: np.ndarray, points_cam_m: np.ndarray) -> None:
        """Offer N > 0 features of a keyframe, with points (N, 3) in its camera's axes.

        If the keyframe is kept already, these take the place of what is kept of it.
        """
        scene = int(self._grown.keyframes["keyframe_scenes"][keyframe])
        if self._config.replay_policy == NO_REPLAY and scene != self._scene:
            self._buffer = self._empty_buffer()
        self._scene = scene
        rows = self._rng.choice(len(points_cam_m), self.features, replace=len(points_cam_m) < self.features)
        frames = self._grown.keyframes
        regions = np.unique(cell_labels(se3.transform(self._grown.pose_of(keyframe), points_cam_m),
                                        COVERAGE_REGION_CELLS * self._grown.cell_size_m))
        item = {"descriptors": quantized(descriptors[rows])[None],
                "points_cam_m": points_cam_m[rows].astype(np.float32)[None], "keyframes": np.array([keyframe]),
                "stamps_ns": frames["keyframe_stamps_ns"][[keyframe]]}
        slots = self._slots_of(keyframe, item["stamps_ns"])
        if len(slots):
            self._buffer.columns.put(slots, item)
            return
        self._buffer.offer(item, scene, regions=[regions])

    def _slots_of(self, keyframe: int, stamp_ns: np.ndarray) -> np.ndarray:
        """Return the slot (1,) of a keyframe, or none."""
        kept = self._buffer.columns.rows(slice(None))
        if not kept:
            return np.zeros(0, np.int64)
        return np.flatnonzero((kept["keyframes"] == keyframe) & (kept["stamps_ns"] == stamp_ns))[:1]

    def samples(self, scene: int, origin_m: np.ndarray) -> Samples:
        """Return all features of a scene's keyframes that the map still has, around an origin (3,)."""
        kept, frames = self._buffer.columns.rows(slice(None)), self._grown.keyframes
        same = frames.live[kept["keyframes"]] & (frames["keyframe_stamps_ns"][kept["keyframes"]] == kept["stamps_ns"])
        same &= frames["keyframe_scenes"][kept["keyframes"]] == scene
        keyframes, points_cam_m = kept["keyframes"][same], kept["points_cam_m"][same]
        poses = self._grown.pose_of(keyframes)
        points_m = np.einsum("kij,kfj->kfi", poses[:, :3, :3], points_cam_m) + poses[:, None, :3, 3] - origin_m
        return samples_from(kept["descriptors"][same].reshape(-1, self._grown.dim), points_m.reshape(-1, 3),
                            points_cam_m.reshape(-1, 3))


def samples_from(descriptors: np.ndarray, points_m: np.ndarray, points_cam_m: np.ndarray) -> Samples:
    """Return samples of descriptors (N, D), of any length, at points (N, 3) that were seen from the origin of others
    (N, 3)."""
    tensors = (torch.from_numpy(np.asarray(values, np.float32)) for values in (descriptors, points_m, points_cam_m))
    directions, points, seen = tensors
    return Samples(torch.nn.functional.normalize(directions, dim=1), points, seen.norm(dim=1).clamp_(min=1e-6))
