"""Place recognition against the keyframes of a map that changes.

Keyframes and images are compared by descriptors of the whole image, which are pooled from the local ones. Such a
descriptor is the matrix square root of the covariance of the strongest local descriptors, which limits the weight of
repeated patterns (Li et al., "Is second-order information helpful for large-scale visual recognition?", ICCV 2017),
projected to 256 numbers by a fixed matrix of random signs, which preserves angles (Johnson-Lindenstrauss), and
quantized to int8. It needs no training and no further data.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from cl_localization.config import PlaceConfig
from cl_localization.features import Features
from cl_localization.features.encoder import quantized, unit_descriptors
from cl_localization.geometry import se3
from cl_localization.map.map_code import MapCode
from cl_localization.places.place_index import Place, PlaceIndex

DIM = 256
STRONGEST = 300
"""Number of pooled local features: fewer recognise fewer places, more add repeated patterns."""

MAX_LOCAL_DIM = 64
"""Longer local descriptors are projected to this length, since their covariance would be large."""

SEED = 20

TURN_M_PER_DEG = 0.01
"""Weight of rotation in the distance travelled: the mapper keeps a keyframe every 0.03 m or 3 degrees."""

OTHER_VIEW = 0.8
"""An image less similar to the last one than this is matched even if the odometry reports no motion (kidnapping)."""

NEAR_KEYFRAMES = 3
"""Keyframes around which a guessed pose is searched."""

ELSEWHERE_CELLS = 250.0
"""A pose farther than this from a place contradicts it: 5 m with cells of 2 cm. In cells, as the scale of a map may be
any."""


@dataclass(frozen=True, eq=False)
class Recognition:
    """The result of place recognition for an image and those before it.

    Attributes:
        places: matches of the image sequence, best first; empty if the map has no descriptors.
        keyframes: keyframes to search around first: the best places, and the best matches of the image alone.
        complete: whether a full sequence of images was matched.
    """

    places: list[Place] = field(default_factory=list)
    keyframes: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    complete: bool = False


class MapPlaces:
    """Matches the images of a drive against the keyframes of a map."""

    def __init__(self, map_code: MapCode, config: PlaceConfig) -> None:
        self._map, self._config = map_code, config
        self._index = PlaceIndex(DIM, config)
        self._version = -1
        self._held = np.zeros(0, bool)
        self._stamps_ns = np.zeros(0, np.int64)
        self._descriptors = np.zeros((0, DIM), np.int8)
        self._newest: np.ndarray | None = None
        self._odom_T_cam: np.ndarray | None = None

    def __len__(self) -> int:
        """Return the number of keyframes with descriptors."""
        return len(self._index)

    def recognize(self, features: Features, odom_T_cam: np.ndarray | None = None) -> Recognition:
        """Return the places of an image.

        Args:
            odom_T_cam: (4, 4) the camera in the odometry frame, or None: with it, images without motion count once.
        """
        self._follow()
        descriptor = place_descriptor(features.descriptors)
        if not self._config.enabled or len(self._index) == 0 or not descriptor.any():
            return Recognition()
        unit = unit_descriptors(descriptor[None])[0]
        places = self._index.query(unit, self._travelled_m(odom_T_cam, unit))
        half = (self._config.search_first + 1) // 2
        first = [*places[:half], *self._index.alike(self._config.search_first - half)]
        return Recognition(places, np.unique([place.keyframe_id for place in first]).astype(np.int64),
                           self._index.images >= self._config.sequence_length)

    def contradiction(self, recognition: Recognition, scene: str, world_T_cam: np.ndarray) -> str | None:
        """Return how a pose contradicts the places: empty if they agree, None if the places are inconsistent."""
        if not recognition.places or not recognition.complete:
            return None
        best = recognition.places[0]
        there = self._map.pose_of(best.keyframe_id)
        if not all(place.scene == best.scene and self._apart_m(place, there) <= self._elsewhere_m
                   for place in recognition.places):
            return None
        if scene != best.scene:
            return f"the last images look like scene {best.scene}, the pose lies in {scene}"
        apart_m = min(self._apart_m(place, world_T_cam) for place in recognition.places)
        return f"the last images look like a place {apart_m:.1f} m away" if apart_m > self._elsewhere_m else ""

    @property
    def _elsewhere_m(self) -> float:
        return ELSEWHERE_CELLS * self._map.cell_size_m

    def place_at(self, scene: str, world_T_cam: np.ndarray) -> Place:
        """Return the keyframe of a scene nearest to a pose, with its descriptor distance to the newest image."""
        rows = self._map.keyframes.rows()
        rows = rows[self._map.keyframes["keyframe_scenes"][rows] == self._map.scene_number(scene)]
        apart_m = np.linalg.norm(self._map.keyframes["keyframe_poses"][rows, :3] - world_T_cam[:3, 3], axis=1)
        nearest = int(rows[apart_m.argmin()])
        similarity = 0.0
        if self._newest is not None and self._held[nearest]:
            similarity = float(unit_descriptors(self._descriptors[nearest][None])[0] @ self._newest)
        return Place(scene, nearest, float(np.sqrt(max(2.0 - 2.0 * similarity, 0.0))))

    def near(self, world_T_cam: np.ndarray) -> np.ndarray:
        """Return the keyframes (K,) nearest to a pose (4, 4) in place and direction; at most `NEAR_KEYFRAMES`."""
        poses = self._map.keyframe_world_T_cam
        turns_deg = se3.rotation_angle_deg(np.swapaxes(poses[:, :3, :3], 1, 2) @ world_T_cam[:3, :3])
        apart_m = np.linalg.norm(poses[:, :2, 3] - world_T_cam[:2, 3], axis=1) + TURN_M_PER_DEG * turns_deg
        return self._map.keyframes.rows()[np.argsort(apart_m, kind="stable")[:NEAR_KEYFRAMES]]

    def _apart_m(self, place: Place, world_T_cam: np.ndarray) -> float:
        return float(np.linalg.norm(self._map.pose_of(place.keyframe_id)[:3, 3] - world_T_cam[:3, 3]))

    def _travelled_m(self, odom_T_cam: np.ndarray | None, unit: np.ndarray) -> float | None:
        """Return the distance travelled since the last image, with rotation; None if unknown or implausible."""
        before, last = self._odom_T_cam, self._newest
        self._odom_T_cam, self._newest = odom_T_cam, unit
        if before is None or odom_T_cam is None or last is None or float(last @ unit) < OTHER_VIEW:
            return None
        moved_m, turned_deg = se3.pose_error(before, odom_T_cam)
        return moved_m + TURN_M_PER_DEG * turned_deg

    def _follow(self) -> None:
        """Update the index to the map's version; keyframes with a new pose keep their position on the route."""
        if self._map.version == self._version or not self._config.enabled:
            return
        self._version, table = self._map.version, self._map.keyframes
        extra = len(table.live) - len(self._held)
        self._held = np.concatenate([self._held, np.zeros(extra, bool)])
        self._stamps_ns = np.concatenate([self._stamps_ns, np.zeros(extra, np.int64)])
        self._descriptors = np.concatenate([self._descriptors, np.zeros((extra, DIM), np.int8)])
        stamps_ns, descriptors = table["keyframe_stamps_ns"], table["keyframe_descriptors"]
        wanted = table.live & descriptors.any(axis=1)
        same = (stamps_ns == self._stamps_ns) & (descriptors == self._descriptors).all(axis=1)
        for keyframe in np.flatnonzero(self._held & ~(wanted & same)).tolist():
            self._index.remove(keyframe)
        self._add(np.flatnonzero(wanted & ~(self._held & same)))
        self._held, self._stamps_ns, self._descriptors = wanted, stamps_ns.copy(), descriptors.copy()

    def _add(self, keyframes: np.ndarray) -> None:
        """Add keyframes by scene, in the order of their timestamps."""
        scenes = self._map.keyframes["keyframe_scenes"][keyframes]
        stamps_ns = self._map.keyframes["keyframe_stamps_ns"][keyframes]
        for scene in np.unique(scenes):
            of_scene = keyframes[scenes == scene]
            of_scene = of_scene[np.argsort(stamps_ns[scenes == scene], kind="stable")]
            units = unit_descriptors(self._map.keyframes["keyframe_descriptors"][of_scene])
            self._index.add(units, self._map.scene_names[scene], of_scene.tolist())


def place_descriptor(local_descriptors: np.ndarray) -> np.ndarray:
    """Return the descriptor (256,) int8 of an image from local descriptors (N, D), strongest first; zeros if N < 2."""
    chosen = local_descriptors[:STRONGEST].astype(np.float32)
    if len(chosen) < 2:
        return np.zeros(DIM, np.int8)
    if chosen.shape[1] > MAX_LOCAL_DIM:
        chosen = chosen @ _signs(chosen.shape[1], MAX_LOCAL_DIM)
    pooled = _root_of_covariance(chosen)
    projected = pooled @ _signs(len(pooled), DIM)
    return quantized(projected[None] / max(float(np.linalg.norm(projected)), 1e-6))[0]


def _root_of_covariance(chosen: np.ndarray) -> np.ndarray:
    """Return the upper triangle of the square root of the covariance of (N, D), weighted to preserve inner products."""
    centred = chosen - chosen.mean(axis=0)
    values, vectors = np.linalg.eigh((centred.T @ centred).astype(np.float64) / len(chosen))
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    upper = np.triu_indices(len(root))
    weights = np.where(upper[0] == upper[1], 1.0, np.sqrt(2.0))
    return (root[upper] * weights).astype(np.float32)


@lru_cache(maxsize=8)
def _signs(rows: int, columns: int) -> np.ndarray:
    """Return a fixed matrix (rows, columns) of random signs."""
    bits = np.random.Generator(np.random.PCG64(SEED)).integers(0, 2, (rows, columns), np.int8)
    return (2 * bits - 1).astype(np.float32)
