"""Scenes, maps and networks of the attention regressor for tests."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cl_localization.config import MapCodeConfig
from cl_localization.data.sequence import IndexedSequence
from cl_localization.features import Features
from cl_localization.localization.attention.network import SparseNetwork
from cl_localization.map.map_code import MapCode, NewCodes
from cl_localization.research.ace_g.options import AttentionConfig, AttentionNetworkConfig, PretrainingConfig
from cl_localization.research.ace_g.scenes import TrainingScene
from cl_localization.research.ace_g.sparse_network import SparseRegressor
from core_makers import PointScene, SceneEncoder, look_at, noisy, unit_vectors, wall_depth

QUICK = AttentionConfig(network=AttentionNetworkConfig(width=16, blocks=1, heads=2, candidates=4, neighbours=4,
                                                       codes=16),
                        pretraining=PretrainingConfig(steps=20, features_per_step=64))
CODES = replace(QUICK, network=replace(QUICK.network, form="codes"))


class FrameList(IndexedSequence):
    """A sequence of frames that are at hand."""

    def __init__(self, name: str, frames: list) -> None:
        super().__init__(name, [frame.name for frame in frames])
        self.frames = frames

    def _frame(self, index: int):
        return self.frames[index]

    def _pose(self, index: int):
        return self.frames[index].world_T_cam


def wall_scene(
    seed: int = 0, frames: int = 4, similarity: float = 0.9, depth: bool = True
) -> tuple[TrainingScene, SceneEncoder]:
    """A wall seen from some places, mapped, and from others, asked for; and the encoder that knows it."""
    encoder = SceneEncoder(PointScene.wall(150, 16, seed), similarity=similarity)

    def seen(first: int) -> list:
        poses = [look_at((0.4 * np.sin(number), 0.0, 0.0), (0.1 * number, 0, 4))
                 for number in range(first, first + frames)]
        return [encoder.frame(pose, wall_depth(pose) if depth else None) for pose in poses]

    return TrainingScene("wall", FrameList("mapping", seen(0)), FrameList("queries", seen(frames))), encoder


def in_numpy(network: SparseRegressor) -> SparseNetwork:
    """The same network as localizing has it."""
    return SparseNetwork(network.dim, network.config,
                         {name: value.numpy() for name, value in network.state_dict().items()})


def map_of(positions_m: np.ndarray, descriptors: np.ndarray, world_T_map: np.ndarray | None = None,
           scale: float = 1.0) -> MapCode:
    """A map of codes, moved and scaled as a whole."""
    map_code = MapCode(MapCodeConfig(cell_size_m=0.02 * scale), "scene", descriptors.shape[1])
    frame = map_code.add_keyframe(np.eye(4), 0, map_code.scene_number("room"))
    moved = positions_m * scale
    if world_T_map is not None:
        moved = moved @ world_T_map[:3, :3].T + world_T_map[:3, 3]
    map_code.insert(NewCodes(descriptors, moved.astype(np.float32), np.full(len(moved), 0.01 * scale, np.float32)),
                    frame)
    return map_code


def asked(count: int = 80, seed: int = 0, dim: int = 16) -> tuple[np.ndarray, np.ndarray, Features]:
    """Positions and descriptors of codes, and features that show them."""
    random = np.random.default_rng(seed)
    positions_m, descriptors = random.uniform(-2, 2, (count, 3)), unit_vectors(random, count, dim)
    pixels = (positions_m[:, :2] * 50 + 150).astype(np.float32)
    return positions_m, descriptors, Features(pixels, noisy(random, descriptors, 0.9), np.ones(count, np.float32))
