"""Learning places while mapping: keyframes that the robot came back to teach the descriptors of all.

A revisit is a keyframe that confirmed codes of the map where an older keyframe looks from nearly the same place: poses and codes have
verified it. Revisits are kept in a replay buffer, so that those of rooms long left go on counting; some are never learned from, and a
version of the descriptors that finds fewer of those than the one in use is not taken.
"""

from __future__ import annotations

import time

import numpy as np

from cl_localization.config import PlaceLearningConfig
from cl_localization.continual.admission import Reservoir
from cl_localization.continual.replay_buffer import ReplayBuffer
from cl_localization.geometry import se3
from cl_localization.place_recognition.fine_tuning import KeyframeTransform, Revisits
from cl_localization.place_recognition.whole_image import DIM, as_bytes, unit_place_descriptors
from cl_localization.scene_coordinates.map_code import MapCode

SAME_M, SAME_DEG = 1.0, 40.0
NEAR_M, NEAR_DEG = 2.0, 80.0
"""Keyframes nearer than this that do not show the same place count neither way."""

OTHER_TIME_NS = 10 * 10**9
HELD_OUT_RUN, HELD_OUT_EVERY = 10, 4
"""Of so many runs of revisits in a row the last is held out: neighbours in time would tell what is asked."""

MIN_REVISITS, MAX_KEYFRAMES = 40, 1024
STEPS_A_VERSION = 20


class PlaceLearner:
    """Fine-tunes the keyframe descriptors of one map.

    Attributes:
        versions: how many have been taken.
    """

    def __init__(self, map_code: MapCode, config: PlaceLearningConfig) -> None:
        self._map, self._config = map_code, config
        self._transform = KeyframeTransform(DIM, config.seed)
        self._replay = ReplayBuffer(Reservoir(), config.revisits, seed=config.seed)
        self._raw = np.zeros((0, DIM), np.int8)
        self._stamps_ns = np.zeros(0, np.int64)
        self._random = np.random.default_rng(config.seed)
        self._last_check = 0
        self.versions = 0

    def kept(self, descriptor: np.ndarray) -> np.ndarray:
        """Return the descriptor (256,) int8 that a new keyframe gets in the map."""
        if self.versions == 0 or not descriptor.any():
            return descriptor
        return as_bytes(self._transform.applied(unit_place_descriptors(descriptor[None])))[0]

    def saw(self, keyframe: int, descriptor: np.ndarray, confirmed: int) -> None:
        """Take note of a new keyframe, what its image looks like, and how many codes it confirmed."""
        if self._config.learn_ms == 0:
            return
        self._follow()
        self._raw[keyframe] = descriptor
        if confirmed < self._config.min_confirmed or not descriptor.any():
            return
        item = {"descriptor": descriptor[None], "pose": self._pose(keyframe)[None],
                "stamp_ns": self._map.keyframes["keyframe_stamps_ns"][[keyframe]]}
        scene = int(self._map.keyframes["keyframe_scenes"][keyframe])
        if not related(self._map, item["pose"], np.array([scene]), item["stamp_ns"], self._map.keyframes.rows())[0].any():
            return
        item["scene"] = np.array([scene])
        item["held_out"] = np.array([self._replay.seen.total // HELD_OUT_RUN % HELD_OUT_EVERY == HELD_OUT_EVERY - 1])
        self._replay.offer(item, scene)

    def learn(self) -> bool:
        """Learn for the configured time, if there is enough to learn from; return whether the map got other descriptors."""
        until_s = time.perf_counter() + self._config.learn_ms / 1000
        if self._config.learn_ms == 0 or len(self._replay) < MIN_REVISITS:
            return False
        self._follow()
        keyframes = self._chosen_keyframes()
        revisits, held_out = self._revisits(keyframes)
        if not (held_out.any() and (~held_out).any()):
            return False
        self._transform.learn(revisits.of(~held_out), max(until_s - time.perf_counter(), 0.0))
        if self._transform.steps < self._last_check + STEPS_A_VERSION:
            return False
        self._last_check = self._transform.steps
        if not self._transform.take_if_better(revisits.of(held_out)):
            return False
        self.versions += 1
        rows = self._described()
        self._map.set_keyframe_descriptors(rows, as_bytes(self._transform.applied(unit_place_descriptors(self._raw[rows]))))
        return True

    def _revisits(self, keyframes: np.ndarray) -> tuple[Revisits, np.ndarray]:
        """Return the replayed revisits of keyframes (K,), and which are held out."""
        items = self._replay.columns.rows(np.arange(len(self._replay)))
        same, ignored = related(self._map, items["pose"], items["scene"], items["stamp_ns"], keyframes)
        revisits = Revisits(unit_place_descriptors(items["descriptor"]), unit_place_descriptors(self._raw[keyframes]), same, ignored)
        known = same.any(axis=1)
        return revisits.of(known), items["held_out"][known]

    def _chosen_keyframes(self) -> np.ndarray:
        rows = self._described()
        return rows if len(rows) <= MAX_KEYFRAMES else np.sort(self._random.choice(rows, MAX_KEYFRAMES, replace=False))

    def _described(self) -> np.ndarray:
        rows = self._map.keyframes.rows()
        return rows[self._raw[rows].any(axis=1)]

    def _pose(self, keyframe: int) -> np.ndarray:
        return self._map.keyframe_world_T_cam[np.searchsorted(self._map.keyframes.rows(), keyframe)]

    def _follow(self) -> None:
        """Have a raw descriptor of every keyframe: of those that came from a file, or before, the one in the map."""
        table = self._map.keyframes
        extra = len(table.live) - len(self._raw)
        self._raw = np.concatenate([self._raw, np.zeros((extra, DIM), np.int8)])
        self._stamps_ns = np.concatenate([self._stamps_ns, np.full(extra, -1)])
        new = table.live & (table["keyframe_stamps_ns"] != self._stamps_ns)
        self._raw[new] = table["keyframe_descriptors"][new]
        self._stamps_ns = table["keyframe_stamps_ns"].copy()


def related(map_code: MapCode, poses: np.ndarray, scenes: np.ndarray, stamps_ns: np.ndarray,
            keyframes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return of images (P,) and live keyframes (K,) which show the same place at another time, and which count neither way; both (P, K).

    Args:
        poses: (P, 4, 4) of the images.
        scenes, stamps_ns: (P,) their scenes and stamps.
    """
    table = map_code.keyframes
    of_keyframes = map_code.keyframe_world_T_cam[np.searchsorted(table.rows(), keyframes)]
    apart_m = np.linalg.norm(of_keyframes[None, :, :3, 3] - poses[:, None, :3, 3], axis=2)
    turned_deg = se3.rotation_angle_deg(np.swapaxes(of_keyframes[None, :, :3, :3], 2, 3) @ poses[:, None, :3, :3])
    one_scene = scenes[:, None] == table["keyframe_scenes"][keyframes][None]
    one_time = np.abs(stamps_ns[:, None] - table["keyframe_stamps_ns"][keyframes][None]) < OTHER_TIME_NS
    same = one_scene & ~one_time & (apart_m < SAME_M) & (turned_deg < SAME_DEG)
    return same, ~same & one_scene & (one_time | ((apart_m < NEAR_M) & (turned_deg < NEAR_DEG)))
