"""Pre-training of the paper's form: scenes are mapped again and again, and the network is asked for what was not
mapped.

Mapping iterations change the codes of a scene, and every tenth the network, too. Query iterations change the network
only, on other images of the same scene. Codes begin anew after a while, so that the network cannot learn them by heart
(section 3.3 of the paper).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from cl_localization.research.ace_g.code_network import new_codes
from cl_localization.research.ace_g.code_pool import CodeScene
from cl_localization.research.ace_g.losses import laplace_loss_3d
from cl_localization.research.ace_g.options import AttentionConfig


@dataclass(eq=False)
class ActiveScene:
    """A scene that is being mapped: its codes, their optimizer, and the mapping iterations it has had."""

    scene: CodeScene
    codes: nn.Parameter
    optimizer: torch.optim.Optimizer
    age: int = 0


@dataclass(eq=False)
class CodeObjective:
    """Iterations of the form `codes`; see `Objective`. A resumed training maps its scenes from the beginning."""

    scenes: list[CodeScene]
    config: AttentionConfig
    device: torch.device
    _active: list[ActiveScene] = field(default_factory=list)

    def loss(self, network: nn.Module, step: int, rng: np.random.Generator) -> tuple[Tensor, bool]:
        """See `Objective`."""
        training = self.config.pretraining
        while len(self._active) < min(training.active_scenes, len(self.scenes)):
            self._active.append(self._begun(rng, first_age=int(rng.integers(training.code_life))))
        chosen = int(rng.integers(len(self._active)))
        active, is_query = self._active[chosen], step % (training.query_every + 1) == training.query_every
        part = active.scene.queries if is_query else active.scene.mapping
        features, points_m = part.batch(training.features_per_step, rng, self.device)
        # The network gets a copy, so that the codes may be changed before the network's gradients are computed.
        predicted_m, log_sigma = network(features, active.codes.detach() if is_query else active.codes.clone())
        loss = laplace_loss_3d(predicted_m, points_m, log_sigma).mean()
        if is_query:
            return loss, True
        for_network = step % (training.query_every + 1) % training.network_every == 0
        self._learn_codes(active, loss, retain=for_network)
        active.age += 1
        if active.age >= training.code_life:
            self._active[chosen] = self._begun(rng)
        return loss, for_network

    def _learn_codes(self, active: ActiveScene, loss: Tensor, retain: bool) -> None:
        """Change the codes only: the network's gradients are left alone."""
        active.codes.grad, = torch.autograd.grad(loss, active.codes, retain_graph=retain)
        active.optimizer.step()

    def _begun(self, rng: np.random.Generator, first_age: int = 0) -> ActiveScene:
        """Return a scene with new codes; the first ones begin at random ages, so that they do not all end at once."""
        generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
        codes = new_codes(self.config.network, generator, self.device)
        optimizer = torch.optim.AdamW([codes], lr=self.config.pretraining.code_learning_rate, weight_decay=0.01)
        return ActiveScene(self.scenes[int(rng.integers(len(self.scenes)))], codes, optimizer, first_age)
