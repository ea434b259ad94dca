"""Contrastive batches: stretches of the query traverse, each with the stretch of the database at the same places."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from cl_localization.errors import DataError
from cl_localization.research.seqmatchnet.traverse import TraversePair
from cl_localization.research.seqmatchnet.windows import stretch_ends

IGNORED_RADII = 1.0
"""Pairs up to this many times the radius of true matches apart, that are not matches, count neither as same nor as
different."""

APART = 1e9
"""Mirrored stretches are this far from all others, in the unit of positions."""


@dataclass(frozen=True, eq=False)
class Runs:
    """The images of a batch: R stretches of K images of each traverse.

    Attributes:
        database, queries: (R, K) image numbers.
        mirrored: (R,) bool.
    """

    database: Tensor
    queries: Tensor
    mirrored: Tensor


class RunSampler:
    """Draws stretches of a pair of traverses.

    Invariant: stretches never cross a break, and the first images of both show one place.

    Raises:
        DataError: nowhere do both traverses pass the same places for L images.
    """

    def __init__(self, pair: TraversePair, runs: int, run_length: int, sequence_length: int, mirror: bool) -> None:
        self._pair, self._runs, self._mirror = pair, runs, mirror
        distance, nearest = cKDTree(pair.database.positions).query(pair.queries.positions)
        length = run_length
        while True:
            self.starts = self._starts(distance, nearest, length)
            if len(self.starts) or length <= sequence_length:
                break
            length = max(length // 2, sequence_length)
        if not len(self.starts):
            raise DataError(f"traverses {pair.database.name} and {pair.queries.name}",
                            f"must pass the same places for {sequence_length} images in a row",
                            remedy="check positions and radius")
        self.run_length, self._nearest = length, nearest

    def draw(self, generator: torch.Generator) -> Runs:
        """Return the next batch; a stretch may be drawn twice when there are few."""
        chosen = torch.randint(len(self.starts), (self._runs,), generator=generator)
        starts = self.starts[chosen.numpy()]
        steps = torch.arange(self.run_length)
        mirrored = (torch.rand(self._runs, generator=generator) < 0.5) & self._mirror
        return Runs(torch.from_numpy(self._nearest[starts])[:, None] + steps, torch.from_numpy(starts)[:, None] + steps,
                    mirrored)

    def relations(self, runs: Runs, centres: slice) -> tuple[Tensor, Tensor]:
        """Return which database and query sequences (M, N) of a batch show one place, and which are too near to tell.

        The one place is the nearest within the radius of positives; sequences are numbered by stretch, then by image.

        Args:
            centres: the images of a stretch at which sequences are centred.
        """
        shift = APART * runs.mirrored.double()[:, None, None]
        database = (torch.from_numpy(self._pair.database.positions)[runs.database[:, centres]] + shift).flatten(0, 1)
        queries = (torch.from_numpy(self._pair.queries.positions)[runs.queries[:, centres]] + shift).flatten(0, 1)
        apart = torch.cdist(database, queries, compute_mode="donot_use_mm_for_euclid_dist")
        within = apart <= self._pair.near_radius
        same = within & (apart <= apart.min(dim=0).values[None]) & (apart <= apart.min(dim=1).values[:, None])
        return same, apart <= IGNORED_RADII * self._pair.true_radius

    def _starts(self, distance: np.ndarray, nearest: np.ndarray, length: int) -> np.ndarray:
        pair, numbers = self._pair, np.arange(len(nearest))
        _, query_end = stretch_ends(pair.queries.bounds, len(pair.queries))
        _, database_end = stretch_ends(pair.database.bounds, len(pair.database))
        return np.flatnonzero((distance <= pair.near_radius) & (numbers + length <= query_end)
                              & (nearest + length <= database_end[nearest]))
