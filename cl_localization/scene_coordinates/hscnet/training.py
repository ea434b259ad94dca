"""Continual training of the dense networks, task by task with replay, and joint training as its upper bound (CL_HSCNet)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cl_localization.config import Config, option
from cl_localization.continual.admission import AdmissionPolicy, ClassBalanced, CoverageScore, Reservoir
from cl_localization.continual.replay_buffer import ReplayBuffer
from cl_localization.data.frame import Frame
from cl_localization.errors import DataError
from cl_localization.scene_coordinates.hscnet import replay
from cl_localization.scene_coordinates.hscnet.dense_pose import dense_pose, predict
from cl_localization.scene_coordinates.hscnet.losses import LossWeights, Target, replay_loss, supervised_loss
from cl_localization.scene_coordinates.hscnet.network import HscNet, Prediction, ScrNet
from cl_localization.scene_coordinates.hscnet.regions import RegionTree
from cl_localization.scene_coordinates.hscnet.samples import Augmentation, Sample, make_sample, prepared, scene_points_m
from cl_localization.scene_coordinates.plain_pose import PlainPose

POLICIES: dict[str, AdmissionPolicy] = {
    "Random": Reservoir(), "Imgbal": ClassBalanced(), "CoverageS": CoverageScore(evict_redundant=False), "Redundant": CoverageScore()}
"""Ways to fill the replay buffer by the original's names; Redundant is ours."""
POINTS_PER_FRAME = 2000


@dataclass(frozen=True)
class DenseTrainingConfig(Config):
    """How a dense network is trained; defaults are those of the original."""

    model: str = option("hscnet", "Network: regions first, or coordinates at once.", choices=("hscnet", "scrnet"))
    width: float = option(1.0, "Channels as a share of the published ones; 0.125 trains on a CPU.", 0.01, 4)
    image_width_px: int = option(640, "Width that images are shrunk to [px].", 32, 4096)
    learning_rate: float = option(5e-5, "Of Adam, constant.", 1e-8, 1)
    iterations: int = option(30_000, "Steps per task.", 1, 10**9)
    regression_weight: float = option(0.0, "Weight of the distance [1/m]; 0: 10 for one scene, 100000 for several.", 0, 1e9)
    augment: bool = option(True, "Whether to change the images of the current task in brightness and by affine maps.")
    buffer_size: int = option(1024, "Frames in the replay buffer; 0 trains without replay.", 0, 10**6)
    sampling: str = option("Random", "How the replay buffer is filled.", choices=tuple(POLICIES))
    dense_pred: bool = option(False, "Whether replay also distils the predictions stored with the frames.")
    seed: int = option(0, "Of everything random.", 0, 2**31 - 1)


class DenseTrainer:
    """Trains one network on scenes that come one after the other, or all at once.

    Attributes:
        network: the network.
        trees: regions of every scene, for HSCNet; made when a scene is first seen.
        buffer: replayed frames, None without replay.
    """

    def __init__(self, scenes: int, config: DenseTrainingConfig = DenseTrainingConfig(), device: str = "cpu") -> None:
        """Make a network for a number of scenes."""
        torch.manual_seed(config.seed)
        self.config, self.scenes, self.device = config, scenes, device
        self.network = (HscNet(scenes, config.width) if config.model == "hscnet" else ScrNet(config.width)).to(device)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=config.learning_rate)
        weights = LossWeights.published(scenes)
        self.weights = LossWeights(regression=config.regression_weight) if config.regression_weight else weights
        self.rng = np.random.default_rng(config.seed)
        self.trees: dict[int, RegionTree] = {}
        self.buffer = ReplayBuffer(POLICIES[config.sampling], config.buffer_size, seed=config.seed) if config.buffer_size else None

    def learn(self, scene: int, frames: Sequence[Frame], on_step: Callable[[int, float], None] = lambda step, loss: None) -> None:
        """Learn one scene, replaying earlier ones, then offer its frames to the buffer.

        Args:
            frames: its training frames with poses and depth.
            on_step: called with each step's number and loss.

        Raises:
            DataError: a frame without pose or depth, or too little depth in all.
        """
        small = self._prepared(scene, frames)
        replays = self.buffer is not None and len(self.buffer) > 0
        for step, index in enumerate(self._order(len(small))):
            sample = self._sample(scene, small[index], augmented=True)
            losses = [self._supervised(sample, scene)] if sample.valid.any() else []
            if replays:
                losses.append(self._replayed())
            self._step(losses, step, on_step)
        if self.buffer is not None:
            self._fill_buffer(scene, small)

    def learn_jointly(self, frames: Sequence[Sequence[Frame]],
                      on_step: Callable[[int, float], None] = lambda step, loss: None) -> None:
        """Learn all scenes at once with as many steps as one after the other: the upper bound of what replay can reach."""
        small = [(scene, frame) for scene, each in enumerate(frames) for frame in self._prepared(scene, each)]
        for step, index in enumerate(self._order(len(small), len(frames))):
            scene, frame = small[index]
            sample = self._sample(scene, frame, augmented=True)
            self._step([self._supervised(sample, scene)] if sample.valid.any() else [], step, on_step)

    def localize(self, frame: Frame) -> PlainPose:
        """Return the pose of a frame. No scene is given: the network's own regions tell it."""
        small, coordinates_m = predict(self.network, frame, self.config.image_width_px, self.leaf_centres_m())
        return dense_pose(small, coordinates_m, self.config.seed)

    def leaf_centres_m(self) -> Tensor | None:
        """Return the leaf centres (scenes * 625, 3) of all scenes, zeros for those not seen yet; None for SCRNet."""
        if self.config.model == "scrnet":
            return None
        unseen = np.zeros((625, 3))
        leaves_m = [self.trees[scene].leaf_centres_m if scene in self.trees else unseen for scene in range(self.scenes)]
        return torch.from_numpy(np.concatenate(leaves_m).astype(np.float32)).to(self.device)

    def _prepared(self, scene: int, frames: Sequence[Frame]) -> list[Frame]:
        if not 0 <= scene < self.scenes:
            raise DataError("scene number", f"must lie in [0, {self.scenes - 1}]", scene, "make the network for more scenes")
        small = [prepared(frame, self.config.image_width_px) for frame in frames]
        if scene not in self.trees and self.config.model == "hscnet":
            self.trees[scene] = RegionTree.of(self._points_m(small), self.config.seed)
        return small

    def _points_m(self, frames: list[Frame]) -> np.ndarray:
        """Return some points of every frame, where there is depth."""
        chosen = []
        for frame in frames:
            points_m = scene_points_m(frame).reshape(-1, 3)
            points_m = points_m[np.isfinite(points_m).all(1)]
            chosen.append(self.rng.permutation(points_m)[:POINTS_PER_FRAME])
        return np.concatenate(chosen or [np.zeros((0, 3))])

    def _order(self, count: int, tasks: int = 1) -> np.ndarray:
        """Return which frame to learn from at each step: shuffled anew for every pass."""
        steps = self.config.iterations * tasks
        return np.concatenate([self.rng.permutation(count) for _ in range(-(-steps // count))])[:steps]

    def _sample(self, scene: int, frame: Frame, augmented: bool) -> Sample:
        return make_sample(frame, self.trees.get(scene), Augmentation() if augmented and self.config.augment else None, self.rng)

    def _target(self, sample: Sample, scene: int) -> Target:
        tree = self.trees.get(scene)
        return Target.of(sample, None if tree is None else torch.from_numpy(tree.leaf_centres_m.astype(np.float32)), scene).to(self.device)

    def _answer(self, sample: Sample, target: Target) -> Prediction:
        """Return what the network says when it is told the true regions."""
        image = sample.image.to(self.device)
        return self.network(image, target.labels) if target.labels else self.network(image)

    def _supervised(self, sample: Sample, scene: int) -> Tensor:
        target = self._target(sample, scene)
        return supervised_loss(self._answer(sample, target), target, self.weights)

    def _replayed(self) -> Tensor:
        """Return the loss of a frame drawn evenly from the buffer, not changed: stored predictions are of the same pixels."""
        frame, scene, stored = replay.draw(self.buffer)
        sample = self._sample(scene, frame, augmented=False)
        target = self._target(sample, scene)
        prediction = self._answer(sample, target)
        if stored is None:
            return supervised_loss(prediction, target, self.weights)
        return replay_loss(prediction, target, stored.to(self.device), self.weights)

    def _step(self, losses: list[Tensor], step: int, on_step: Callable[[int, float], None]) -> None:
        if not losses:
            return
        self.network.train()
        loss = torch.stack(losses).sum()
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        on_step(step, float(loss.detach()))

    def _fill_buffer(self, scene: int, frames: list[Frame]) -> None:
        """Offer every frame of a learned scene, in random order."""
        for index in self.rng.permutation(len(frames)):
            sample = self._sample(scene, frames[index], augmented=False)
            if not sample.valid.any():
                continue
            leaves = np.zeros(0, np.int64) if sample.leaves is None else sample.leaves[sample.valid].numpy()
            stored = None
            if self.config.dense_pred:
                with torch.inference_mode():
                    stored = self._answer(sample, self._target(sample, scene))
            replay.store(self.buffer, frames[index], scene, leaves, stored)
