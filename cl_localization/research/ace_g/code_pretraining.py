"""Pre-training of the paper's form: scenes are mapped again and again, and the network is asked for what was not
mapped.

Mapping iterations change the codes of all active scenes, and every few the network, too. Query iterations change the
network only, on other images of the same scenes. Codes begin anew after a while, so that the network cannot learn them
by heart (section 3.3 of the paper), and each time the scene is turned, scaled and shifted another way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from cl_localization.research.ace_g.active_scenes import ActiveScenes
from cl_localization.research.ace_g.augmentation import NO_CHANGE, scene_change
from cl_localization.research.ace_g.code_mapping import with_dropout
from cl_localization.research.ace_g.code_pool import CodeScene
from cl_localization.research.ace_g.losses import laplace_loss_3d
from cl_localization.research.ace_g.options import AttentionConfig, CodeMappingConfig

OLD, QUERIES = 0.8, 256
"""Share of their life after which codes count as learned, and queries of each scene that the error is told of."""


class ScenePool(Protocol):
    """Where scenes come from."""

    def ready(self) -> Sequence[CodeScene]:
        """Return the scenes that can be learned from now, at least one, in the order in which they became so."""
        ...

    def close(self) -> None:
        """Prepare no more."""
        ...


@dataclass(frozen=True, eq=False)
class PreparedScenes:
    """A `ScenePool` whose scenes are all there."""

    scenes: list[CodeScene]

    def ready(self) -> Sequence[CodeScene]:
        """See `ScenePool`."""
        return self.scenes

    def close(self) -> None:
        """See `ScenePool`."""


@dataclass(eq=False)
class CodeObjective:
    """Iterations of the form `codes`; see `Objective`. A resumed training maps its scenes from the beginning."""

    pool: ScenePool
    config: AttentionConfig
    device: torch.device
    _active: ActiveScenes | None = None
    _begun: Counter[int] = field(default_factory=Counter)

    def loss(self, network: nn.Module, step: int, rng: np.random.Generator) -> tuple[Tensor, bool]:
        """See `Objective`."""
        training, active = self.config.pretraining, self._filled(rng)
        is_query = step % (training.query_every + 1) == training.query_every
        generator = torch.Generator(self.device).manual_seed(int(rng.integers(2**62)))
        part = active.queries if is_query else active.mapping
        features, points_m = part.batch(-(-training.features_per_step // active.scenes), generator)
        if not is_query:
            features = with_dropout(features, CodeMappingConfig().feature_dropout, generator)
        # A copy, so that the codes may be changed before the network's gradients are computed.
        codes = active.codes.clone().requires_grad_(not is_query)
        predicted_m, log_sigma = network(features, codes)
        losses = laplace_loss_3d(predicted_m, points_m, log_sigma).mean(1)
        if is_query:
            return losses.mean(), True
        for_network = step % (training.query_every + 1) % training.network_every == 0
        active.learn(torch.autograd.grad(losses.sum(), codes, retain_graph=for_network)[0])
        return losses.mean(), for_network

    @torch.inference_mode()
    def query_error_m(self, network: nn.Module) -> float:
        """Return the median error of queries of the scenes that are in the last fifth of their codes' life, or of the
        oldest."""
        active = self._active
        if active is None:
            return float("nan")
        old = active.ages >= min(OLD * active.life, active.ages.max())
        generator = torch.Generator(self.device).manual_seed(0)
        features, points_m = (known[old] for known in active.queries.batch(QUERIES, generator))
        error_m = torch.linalg.vector_norm(network(features, active.codes[old])[0] - points_m, dim=-1)
        return float(error_m.median())

    def close(self) -> None:
        """See `Objective`."""
        self.pool.close()

    def _filled(self, rng: np.random.Generator) -> ActiveScenes:
        """Return the active scenes after new ones began in the places of those that ended.

        The first begin at random ages, so that they do not all end at once. The scene that began least often is next.
        """
        life, first = self.config.pretraining.code_life, self._active is None
        if self._active is None:
            dim = self.pool.ready()[0].mapping.features.shape[1]
            self._active = ActiveScenes(dim, self.config, self.device)
        for slot in self._active.ended():
            scenes = self.pool.ready()
            number = min(rng.permutation(len(scenes)).tolist(), key=lambda one: self._begun[one])
            self._begun[number] += 1
            change = scene_change(rng) if self.config.pretraining.augment else NO_CHANGE
            self._active.put(slot, scenes[number], change, rng, int(rng.integers(life)) if first else 0)
        return self._active
