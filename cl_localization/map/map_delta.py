"""The changes of a map between two versions: the contents of a `MapCode` message."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from cl_localization.errors import MapError

KEYFRAME_DESCRIPTOR_DIM = 256
"""Length of the descriptors of whole images, see `places.map_places`."""

ROW_TYPES: dict[str, tuple[type, int]] = {
    "keys": (np.int8, -1), "positions_m": (np.float32, 3), "sigmas_m": (np.float32, 0), "seen": (np.uint16, 0),
    "stamps_s": (np.uint32, 0), "scenes": (np.uint16, 0), "anchors": (np.uint32, 0),
}
"""Columns of a code: type and width (0: scalar, -1: the encoder's descriptor length)."""

KEYFRAME_TYPES: dict[str, tuple[type, int]] = {
    "keyframe_poses": (np.float64, 7), "keyframe_stamps_ns": (np.int64, 0), "keyframe_scenes": (np.uint16, 0),
    "keyframe_variance_factors": (np.float32, 0), "keyframe_descriptors": (np.int8, KEYFRAME_DESCRIPTOR_DIM),
}
"""Columns of a keyframe: type and width. Poses are x y z qx qy qz qw of world_T_cam; for the factors see
`covariance_calibration`; descriptors of whole images have no scale, zeros mean unknown."""

DAMAGED = "the message or file is damaged"

ID_COLUMNS = ("ids", "removed_ids", "keyframe_ids", "removed_keyframe_ids")

SCALAR_TYPES: dict[str, tuple[type, ...]] = {
    "map_id": (str,), "encoder": (str,), "dim": (int,), "frame_id": (str,), "cell_size_m": (float, int),
    "base_version": (int,),
    "version": (int,), "scene_names": (list,), "parent_id": (str,), "parent_version": (int,),
    "health": (dict,), "temperature": (float, int),
}


@dataclass(eq=False)
class MapDelta:
    """Codes and keyframes that were added, changed or removed after `base_version`; all of them if that is 0.

    Attributes:
        map_id: id of the map; only versions of the same map can be compared.
        encoder, dim: the encoder of the keys, and their length D.
        frame_id: frame of the positions and poses.
        cell_size_m: edge of the voxel cells.
        base_version, version: version before and after the delta; base version 0 is a snapshot.
        scene_names: names of the scene numbers.
        ids: (M,) uint32 ids of the codes in the columns of `ROW_TYPES`.
        removed_ids: (R,) uint32 ids of removed codes.
        keyframe_ids: (K,) uint32 ids of the keyframes in the columns of `KEYFRAME_TYPES`.
        removed_keyframe_ids: uint32 ids of removed keyframes.
        parent_id: id of the map that this one extends; empty for none; only in files, not in messages.
        parent_version: version of it that this one began with; 0 for none or unknown; only in files, not in messages.
        health: what its mapper found wrong with it, see `mapping.audit`; only in files, not in messages.
        temperature: 0 where codes were grown; where they were learned, see `map.learned_codes`.
    """

    map_id: str
    encoder: str
    dim: int
    frame_id: str
    cell_size_m: float
    base_version: int
    version: int
    scene_names: list[str]
    ids: np.ndarray
    keys: np.ndarray
    positions_m: np.ndarray
    sigmas_m: np.ndarray
    seen: np.ndarray
    stamps_s: np.ndarray
    scenes: np.ndarray
    anchors: np.ndarray
    removed_ids: np.ndarray
    keyframe_ids: np.ndarray
    keyframe_poses: np.ndarray
    keyframe_stamps_ns: np.ndarray
    keyframe_scenes: np.ndarray
    keyframe_variance_factors: np.ndarray
    keyframe_descriptors: np.ndarray
    removed_keyframe_ids: np.ndarray
    parent_id: str = ""
    parent_version: int = 0
    health: dict[str, Any] = field(default_factory=dict)
    temperature: float = 0.0

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the array fields by name."""
        return {spec.name: getattr(self, spec.name) for spec in fields(self)
                if isinstance(getattr(self, spec.name), np.ndarray)}

    def validate(self, max_id: int) -> None:
        """Check a delta from a file or topic.

        Args:
            max_id: largest id accepted; bounds the memory that untrusted input can allocate.

        Raises:
            MapError: wrong types or shapes, columns of different lengths, values that are not finite, sigmas that are
                not positive, quaternions that are not normalized, unknown scenes, ids too large, versions out of order.
        """
        self._check_scalars()
        for name in ID_COLUMNS:
            values = getattr(self, name)
            _check_column(name, values, np.uint32, (np.size(values),))
            _require(values.max(initial=0) <= max_id, name, f"must not exceed {max_id}", values.max(initial=0), DAMAGED)
        for ids, columns in (("ids", ROW_TYPES), ("keyframe_ids", KEYFRAME_TYPES)):
            count = len(getattr(self, ids))
            for name, (kind, width) in columns.items():
                _check_column(name, getattr(self, name), kind,
                              (count,) if width == 0 else (count, self.dim if width < 0 else width))
        scenes = np.concatenate([self.scenes, self.keyframe_scenes])
        _require((scenes < len(self.scene_names)).all(), "scenes", f"must be below {len(self.scene_names)}",
                 scenes.max(initial=0))
        norms = np.linalg.norm(self.keyframe_poses[:, 3:], axis=1)
        _require(np.allclose(norms, 1.0, atol=1e-3), "keyframe_poses", "must hold unit quaternions",
                 f"length {norms.min(initial=1.0):.3g}")
        least_sigma_m = self.sigmas_m.min(initial=np.inf)
        _require(least_sigma_m > 0, "sigmas_m", "must be positive", least_sigma_m)
        least_factor = self.keyframe_variance_factors.min(initial=0.0)
        _require(least_factor >= 0, "keyframe_variance_factors", "must not be negative", least_factor)
        changes = any(len(getattr(self, name)) for name in ID_COLUMNS)
        _require(self.base_version == 0 or self.version >= self.base_version + changes, "version",
                 f"must be above its base {self.base_version}", self.version)
        _require(np.isfinite(self.cell_size_m) and self.cell_size_m > 0, "cell_size_m", "must be positive",
                 self.cell_size_m)
        _require(np.isfinite(self.temperature) and self.temperature >= 0, "temperature", "must not be negative",
                 self.temperature)

    def _check_scalars(self) -> None:
        for name, kinds in SCALAR_TYPES.items():
            value: Any = getattr(self, name)
            is_of_kind = isinstance(value, kinds)
            _require(is_of_kind and (kinds != (int,) or 0 <= value < 2**63), name,
                     f"must be a {kinds[0].__name__} (integers: from 0)", repr(value)[:80], DAMAGED)
        _require(all(isinstance(name, str) for name in self.scene_names), "scene_names", "must be strings",
                 repr(self.scene_names)[:80], DAMAGED)


def _require(holds: bool | np.bool_, name: str, rule: str, value: object, remedy: str = "") -> None:
    if not holds:
        raise MapError(f"map code {name}", rule, value, remedy)


def _check_column(name: str, values: np.ndarray, kind: type, shape: tuple[int, ...]) -> None:
    _require(values.shape == shape and values.dtype == kind, f"column {name}",
             f"must be {np.dtype(kind)} of shape {shape}", f"{values.dtype} {values.shape}", DAMAGED)
    _require(values.dtype.kind != "f" or np.isfinite(values).all(), f"column {name}", "must be finite",
             "NaN or infinity", DAMAGED)
