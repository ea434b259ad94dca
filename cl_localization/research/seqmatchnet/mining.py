"""Triplets for a query: the nearest sequence of its place, and the nearest of other places, by the distance that is
learned.

Distances come from a cache that is made anew every so many queries, since the network has changed since.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from cl_localization.research.seqmatchnet.options import TrainingConfig
from cl_localization.research.seqmatchnet.scoring import PlaceScorer
from cl_localization.research.seqmatchnet.traverse import TraversePair

NEAREST_KEPT = 100
"""Of the random images, so many are looked at more closely."""


@dataclass(frozen=True, eq=False)
class Triplet:
    """Image numbers: of a query, of a database image at its place, and (K,) of others elsewhere."""

    query: int
    positive: int
    negatives: Tensor


class TripletMiner:
    """Chooses triplets and remembers which negatives were hard for each query."""

    def __init__(self, pair: TraversePair, config: TrainingConfig, generator: torch.Generator) -> None:
        self._pair, self._config, self._generator = pair, config, generator
        self._hard: dict[int, Tensor] = {}
        self._database = torch.from_numpy(pair.database.positions)

    def mine(self, scorer: PlaceScorer, begin: int, end: int) -> Iterator[Triplet]:
        """Yield the triplets of the queries [begin, end); queries without a place, or that nothing resembles, are
        passed over."""
        distances = scorer.block(begin, end)
        for query in range(begin, end):
            triplet = self._triplet(query, distances[:, query - begin])
            if triplet is not None:
                yield triplet

    def _triplet(self, query: int, distances: Tensor) -> Triplet | None:
        position = torch.from_numpy(self._pair.queries.positions[query])
        apart = (self._database - position).norm(dim=1)
        near = torch.nonzero((apart <= self._pair.near_radius) & distances.isfinite())[:, 0]
        far = torch.nonzero((apart > self._pair.true_radius) & distances.isfinite())[:, 0]
        if not len(near) or not len(far):
            return None
        positive = near[distances[near].argmin()]
        drawn = far[torch.randint(len(far), (self._config.negative_samples,), generator=self._generator)]
        known = self._hard.get(query, drawn[:0])
        candidates = torch.unique(torch.cat([drawn, known]))
        candidates = candidates[distances[candidates].argsort()[:NEAREST_KEPT]]
        violating = distances[candidates] < distances[positive] + self._config.margin ** 0.5
        negatives = candidates[violating][:self._config.negatives]
        if not len(negatives):
            return None
        self._hard[query] = negatives
        return Triplet(query, int(positive), negatives)
