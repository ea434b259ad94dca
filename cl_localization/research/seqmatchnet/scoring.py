"""Distances of all places of one traverse to those of another, by sequence matching or by one descriptor a sequence."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from cl_localization.research.seqmatchnet.network import PlaceNetwork, described, described_images
from cl_localization.research.seqmatchnet.normalization import REACH
from cl_localization.research.seqmatchnet.sequence_distance import (
    BLOCK_QUERIES,
    SAME_SPEED,
    image_distances,
    line_offsets,
    sequence_block,
)
from cl_localization.research.seqmatchnet.traverse import Traverse
from cl_localization.research.seqmatchnet.windows import centred_windows


class PlaceScorer:
    """Compares two traverses with a network.

    Args:
        network: how images or sequences are described.
        database, queries: the traverses; sequences do not cross their bounds.
        database_descriptors, query_descriptors: (M, D), (N, D) what goes into the network for each image.
        sequence_length: images of a sequence.
        slopes: speed ratios that sequence matching tries.
        batch_size: images described at once.
        normalize: whether sequences are matched by normalized distances; one image alone never is.

    Raises:
        DataError: a traverse has no stretch as long as a sequence.
    """

    def __init__(self, network: PlaceNetwork, database: Traverse, queries: Traverse, database_descriptors: Tensor,
                 query_descriptors: Tensor, sequence_length: int, slopes: tuple[float, ...] = SAME_SPEED,
                 batch_size: int = 256, normalize: bool = False) -> None:
        self._database, self._queries, self._length, self._slopes = database, queries, sequence_length, slopes
        self._reach = REACH if normalize and sequence_length > 1 else 0
        self._matches_sequences = network.matches_sequences
        self._sides, self._has_window = [], []
        for traverse, descriptors in ((database, database_descriptors), (queries, query_descriptors)):
            windows, fits = centred_windows(traverse.bounds, len(traverse), sequence_length)
            self._has_window.append(torch.from_numpy(fits))
            self._sides.append(described_images(network, descriptors, batch_size) if network.matches_sequences
                               else described(network, descriptors, torch.from_numpy(windows), batch_size))

    def __len__(self) -> int:
        return len(self._queries)

    @property
    def descriptors(self) -> tuple[Tensor, Tensor]:
        """The unit descriptors of all places of the database (M, out) and of the queries (N, out), as they are
        compared."""
        return self._sides[0], self._sides[1]

    def blocks(self, block_queries: int = BLOCK_QUERIES) -> Iterator[tuple[int, Tensor]]:
        """Yield (first query, distances (M, n)) of all places to the next n queries; infinite where no sequence
        fits."""
        for begin in range(0, len(self), block_queries):
            yield begin, self.block(begin, min(begin + block_queries, len(self)))

    def block(self, begin: int, end: int) -> Tensor:
        """Return the distances (M, end - begin) of all places to the queries [begin, end)."""
        steps = range(begin, end, BLOCK_QUERIES)  # what is needed besides the result grows with the step only
        return torch.cat([self._block(first, min(first + BLOCK_QUERIES, end)) for first in steps], dim=1)

    def _block(self, begin: int, end: int) -> Tensor:
        database, queries = self._sides
        if not self._matches_sequences:
            distances = image_distances(database, queries[begin:end])
            fits = self._has_window[0][:, None] & self._has_window[1][begin:end]
            return torch.where(fits, distances, torch.inf)
        result = torch.full((len(database), end - begin), torch.inf)
        for first, last in self._queries.bounds:
            low, high = max(first, begin), min(last, end)
            if low < high:
                result[:, low - begin:high - begin] = self._stretch(queries[first:last], low - first, high - first)
        return result

    def _stretch(self, queries: Tensor, begin: int, end: int) -> Tensor:
        """Return the distances (M, end - begin) to queries of one stretch, each database stretch by itself."""
        database, result = self._sides[0], torch.full((len(self._sides[0]), end - begin), torch.inf)
        shortest = min(line_offsets(self._length, slope)[-1] for slope in self._slopes)
        for first, last in self._database.bounds:
            if last - first > shortest and len(queries) >= self._length:
                result[first:last] = sequence_block(database[first:last], queries, self._length, self._slopes, begin,
                                                    end, self._reach)
        return result
