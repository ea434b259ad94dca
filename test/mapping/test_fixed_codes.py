"""Codes of what turns out to be fixed to the camera: they leave the map, and later images add none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cl_localization.config import MapperConfig, MaskConfig
from cl_localization.data.frame import Frame
from cl_localization.features import Features
from cl_localization.features.frame_encoder import FixedRegions
from cl_localization.map.map_code import MapCode
from cl_localization.mapper import Mapper
from cl_localization.mapping.fixed_codes import codes_fixed_to_camera
from core_makers import CAMERA, PointScene, SceneEncoder, motion, noisy, unit_vectors

RANDOM = np.random.default_rng(5)
DIRECTIONS = RANDOM.normal(size=(6000, 3))
AROUND = PointScene(3 * DIRECTIONS / np.linalg.norm(DIRECTIONS, axis=1, keepdims=True), unit_vectors(RANDOM, 6000, 64))
BODY_TOP_PX = 180
BODY_PX = RANDOM.uniform([0, BODY_TOP_PX], [320, 240], (250, 2)).astype(np.float32)
BODY = unit_vectors(RANDOM, 250, 64)


class BodyEncoder(SceneEncoder):
    """Sees points 3 m away on all sides, and the robot's body in the lower quarter of every image."""

    def __init__(self) -> None:
        super().__init__(AROUND, noise_px=0.2, similarity=0.95)

    def encode(self, image: np.ndarray) -> Features:
        """Return features of the scene and of the body."""
        scene = super().encode(image)
        scene = scene.select(scene.keypoints_px[:, 1] < BODY_TOP_PX)
        body = noisy(np.random.default_rng(len(self.encoded)), BODY, 0.95)
        return Features(np.concatenate([scene.keypoints_px, BODY_PX]), np.concatenate([scene.descriptors, body]),
                        np.ones(len(scene) + len(body), np.float32))

    def turned(self, step: int) -> Frame:
        """Return a frame of a camera that turns on the spot, with depth."""
        depth_m = np.full((CAMERA.height_px, CAMERA.width_px), 3.0, np.float32)
        depth_m[BODY_TOP_PX:] = 0.6
        return self.frame(motion(np.deg2rad([0.0, 12.0 * step, 0.0]), np.zeros(3)), depth_m)


def body_codes(map_code: MapCode) -> int:
    """Return how many codes are of the body, which is nearer than the scene."""
    return int((np.linalg.norm(map_code.positions_m, axis=1) < 1.5).sum())


def mapped(mask: MaskConfig, steps: int) -> tuple[Mapper, list[int]]:
    """Return a mapper that has seen a turning robot's images, and how many codes of its body there were after each."""
    encoder = BodyEncoder()
    mapper = Mapper(replace(MapperConfig(), mask=mask), encoder)
    counts = []
    for step in range(steps):
        mapper.add(encoder.turned(step))
        counts.append(body_codes(mapper.map_code))
    return mapper, counts


def test_the_body_leaves_the_map_once_it_is_recognised_and_never_comes_back():
    mapper, counts = mapped(MaskConfig(), 8)
    assert counts[1] > 300
    assert max(counts[3:]) < 40
    assert len(mapper.map_code) > 1000


def test_without_detection_each_keyframe_maps_the_body_again():
    _, counts = mapped(MaskConfig(detect=False), 5)
    assert counts[-1] > 4 * 200


def test_keyframes_of_another_sequence_keep_their_codes():
    mapper, _ = mapped(MaskConfig(detect=False), 3)
    regions = FixedRegions()
    for step in range(5):
        frame = BodyEncoder().turned(step)
        encoder = BodyEncoder()
        regions.observe(encoder.encode(encoder.turned(step).image), CAMERA, frame.world_T_cam, "map", 0)
    fixed = codes_fixed_to_camera(mapper.map_code, np.array([1]), regions, CAMERA)
    assert len(fixed) > 100
    assert set(mapper.map_code.codes["anchors"][fixed].tolist()) == {1}
    assert len(codes_fixed_to_camera(mapper.map_code, np.array([], np.int64), regions, CAMERA)) == 0
