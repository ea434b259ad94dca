"""Continual training of the dense networks, task by task with replay, and joint training as its upper bound
(CL_HSCNet)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from cl_localization.continual.admission import AdmissionPolicy, ClassBalanced, CoverageScore, Reservoir
from cl_localization.continual.replay_buffer import ReplayBuffer
from cl_localization.data.frame import Frame
from cl_localization.errors import DataError
from cl_localization.research.hscnet import replay
from cl_localization.research.hscnet.batches import Batch, BatchMaker, ahead
from cl_localization.research.hscnet.dense_pose import dense_pose, predict
from cl_localization.research.hscnet.losses import LossWeights, replay_loss, supervised_loss
from cl_localization.research.hscnet.network import HscNet, Prediction, ScrNet
from cl_localization.research.hscnet.options import DenseTrainingConfig
from cl_localization.research.hscnet.regions import LEAVES, RegionTree
from cl_localization.research.hscnet.samples import PreparedFrames, scene_points_m
from cl_localization.research.plain_pose import PlainPose

POLICIES: dict[str, AdmissionPolicy] = {
    "Random": Reservoir(), "Imgbal": ClassBalanced(), "CoverageS": CoverageScore(evict_redundant=False),
    "Redundant": CoverageScore()}
"""Ways to fill the replay buffer by the original's names; Redundant is ours."""
POINTS_PER_FRAME = 2000
CONTINUAL_RATE, JOINT_RATE = 5e-5, 1e-4
DECAY_STEPS, DECAY_SHARE, DECAY_HALVINGS = 200_000, 2 / 3, 4
"""Joint training halves its rate four times over its last 200,000 steps, or over two thirds of a training of less than
300,000."""
ORDER, FILLING, REGIONS = 1, 2, 3
"""What random numbers are for, besides the step they belong to."""

OnStep = Callable[[int, float], None]
"""Is told the number of a step that is done and its loss."""


def ignore(step: int, loss: float) -> None:
    """Do nothing with a step."""


class DenseTrainer:
    """Trains one network on scenes that come one after the other, or all at once.

    Everything random follows from the seed, the scene and the step: a training goes on from any step as if it had not
    stopped.

    Attributes:
        network: the network.
        trees: regions of every scene, for HSCNet; made when a scene is first seen, or put there before.
        buffer: replayed frames, None without replay.
    """

    def __init__(self, scenes: int, config: DenseTrainingConfig = DenseTrainingConfig(), device: str = "cpu") -> None:
        """Make a network for a number of scenes."""
        torch.manual_seed(config.seed)
        self.config, self.scenes, self.device = config, scenes, device
        network = (
            HscNet(scenes, config.width, config.coordinate_channels)
            if config.model == "hscnet"
            else ScrNet(config.width)
        )
        self.network = network.to(device)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=config.learning_rate or CONTINUAL_RATE,
                                          fused=True)
        weights = LossWeights.published(scenes)
        self.weights = LossWeights(regression=config.regression_weight) if config.regression_weight else weights
        self.trees: dict[int, RegionTree] = {}
        self.buffer = ReplayBuffer(POLICIES[config.sampling], config.buffer_size,
                                   seed=config.seed) if config.buffer_size else None
        self._batches = BatchMaker(self.trees, config.augment, device)

    def learn(self, scene: int, frames: Sequence[Frame], on_step: OnStep = ignore, first_step: int = 0) -> None:
        """Learn one scene, replaying earlier ones, then offer its frames to the buffer.

        Args:
            frames: its training frames with poses and depth, read by index.
            first_step: goes on from here.

        Raises:
            DataError: a frame without pose or depth, too little depth in all, or images of different sizes in one
                batch.
        """
        small = self._prepared(scene, frames)
        replays = self.buffer is not None and len(self.buffer) > 0

        def batches(step: int) -> list[Batch | None]:
            rng = self._rng(scene, step)
            current = self._batches.make([(small[index], scene, None)
                                          for index in self._drawn(scene, len(small), step)], rng, changed=True)
            old = self._batches.make(replay.draw(self.buffer, self.config.batch_size, rng), rng,
                                     changed=False) if replays else None
            return [current, old]

        for step, given in ahead(batches, range(first_step, self.config.iterations)):
            self._step(given, step, on_step)
        if self.buffer is not None:
            self._fill_buffer(scene, small)

    def learn_jointly(self, frames: Sequence[Sequence[Frame]], on_step: OnStep = ignore, first_step: int = 0) -> None:
        """Learn all scenes at once: the upper bound of what replay can reach. Arguments and errors as in `learn`."""
        scenes = [self._prepared(scene, each) for scene, each in enumerate(frames)]
        where = [(scene, index) for scene, each in enumerate(scenes) for index in range(len(each))]
        rate = self.config.learning_rate or JOINT_RATE

        def batches(step: int) -> list[Batch | None]:
            drawn = [where[place] for place in self._drawn(self.scenes, len(where), step)]
            return [self._batches.make([(scenes[scene][index], scene, None) for scene, index in drawn],
                                       self._rng(self.scenes, step),
                                       changed=True)]

        for step, given in ahead(batches, range(first_step, self.config.iterations)):
            self._set_rate(rate * decay(step, self.config.iterations))
            self._step(given, step, on_step)

    def localize(self, frame: Frame) -> PlainPose:
        """Return the pose of a frame. No scene is given: the network's own regions tell it."""
        small, coordinates_m = predict(self.network, frame, self.config.image_width_px, self.leaf_centres_m())
        return dense_pose(small, coordinates_m, self.config.seed)

    def leaf_centres_m(self) -> Tensor | None:
        """Return the leaf centres (scenes * 625, 3) of all scenes, zeros for those not seen yet; None for SCRNet."""
        if self.config.model == "scrnet":
            return None
        unseen = np.zeros((LEAVES, 3))
        leaves_m = [self.trees[scene].leaf_centres_m if scene in self.trees else unseen for scene in range(self.scenes)]
        return torch.from_numpy(np.concatenate(leaves_m).astype(np.float32)).to(self.device)

    def _prepared(self, scene: int, frames: Sequence[Frame]) -> PreparedFrames:
        if not 0 <= scene < self.scenes:
            raise DataError("scene number", f"must lie in [0, {self.scenes - 1}]", scene,
                            "make the network for more scenes")
        small = PreparedFrames(frames, self.config.image_width_px, self.config.memory_mb)
        if not any(has_depth(small[index]) for index in range(len(small))):
            raise DataError(f"scene {scene}", "must have frames with depth", f"{len(small)} frames, none with any",
                            "give a sequence with depth images")
        if scene not in self.trees and self.config.model == "hscnet":
            self.trees[scene] = make_regions(small, self.config.seed)
        return small

    def _rng(self, *key: int) -> np.random.Generator:
        return np.random.default_rng((self.config.seed, *key))

    def _drawn(self, task: int, count: int, step: int) -> list[int]:
        """Return which of `count` frames a step learns from: all of them once in each pass, in another order every
        time."""
        places = range(step * self.config.batch_size, (step + 1) * self.config.batch_size)
        orders = {number: self._rng(task, number, ORDER).permutation(count)
                  for number in {place // count for place in places}}
        return [int(orders[place // count][place % count]) for place in places]

    def _set_rate(self, rate: float) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = rate

    def _answer(self, batch: Batch) -> Prediction:
        """Return what the network says when it is told the true regions."""
        return self.network(batch.images, batch.target.labels) if batch.target.labels else self.network(batch.images)

    def _step(self, batches: list[Batch | None], step: int, on_step: OnStep) -> None:
        """Learn from images of the current task and from replayed ones, which go through the network together."""
        given = [batch for batch in batches if batch is not None]
        if not given:
            return
        self.network.train()
        answer = self._answer(Batch.joined(given))
        loss, begin = answer.coordinates_m.new_zeros(()), 0
        for batch in given:
            prediction = answer.images(slice(begin, begin := begin + len(batch.images)))
            loss = loss + (supervised_loss(prediction, batch.target, self.weights) if batch.stored is None
                           else replay_loss(prediction, batch.target, batch.stored, self.weights))
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        on_step(step, float(loss.detach()))

    def _fill_buffer(self, scene: int, frames: PreparedFrames) -> None:
        """Offer every frame of a learned scene that has depth, in random order."""
        rng = self._rng(scene, FILLING)
        for index in rng.permutation(len(frames)):
            frame = frames[int(index)]
            batch = self._batches.make([(frame, scene, None)], rng, changed=False)
            if batch is None:
                continue
            stored = None
            if self.config.dense_pred:
                with torch.inference_mode():
                    stored = self._answer(batch)
            replay.store(self.buffer, frame, scene, batch.seen_leaves(), stored)


def has_depth(frame: Frame) -> bool:
    """Return whether a frame has depth anywhere, or lacks it so that learning will say so."""
    return frame.depth_m is None or bool((frame.depth_m > 0).any())


def make_regions(frames: PreparedFrames, seed: int) -> RegionTree:
    """Return the regions of a scene from some points of every frame.

    Raises:
        DataError: a frame without pose or depth, or too few points in all.
    """
    rng = np.random.default_rng((seed, REGIONS))
    chosen = [np.zeros((0, 3))]
    for index in range(len(frames)):
        points_m = scene_points_m(frames[index]).reshape(-1, 3)
        points_m = points_m[np.isfinite(points_m).all(1)]
        chosen.append(points_m[rng.permutation(len(points_m))[:POINTS_PER_FRAME]])
    return RegionTree.of(np.concatenate(chosen), seed)


def decay(step: int, steps: int) -> float:
    """Return the learning rate of joint training over its first one (HSCNet: constant, then halved at once and every
    50,000 steps)."""
    window = min(DECAY_STEPS, DECAY_SHARE * steps)
    late = step - (steps - window)
    return 1.0 if late < 0 else 0.5 ** (1 + int(late // (window / DECAY_HALVINGS)))
