from __future__ import annotations

import torch

from cl_localization.research.seqmatchnet.normalization import normalized
from cl_localization.research.seqmatchnet.sequence_distance import (
    image_distances,
    sequence_block,
    sequence_distances,
    unit,
)


def directly(distances: torch.Tensor, reach: int) -> torch.Tensor:
    """Return distances less the mean of their columns around, over their deviation, cell by cell; then by rows."""
    for _ in range(2):
        around = [[distances[max(row - reach, 0):row + reach + 1, column] for column in range(distances.shape[1])]
                  for row in range(distances.shape[0])]
        distances = torch.stack([torch.stack([(distances[row, column] - cells.mean()) / cells.std(correction=0)
                                              for column, cells in enumerate(line)])
                                 for row, line in enumerate(around)]).T
    return distances


def test_distances_are_relative_to_those_around_in_both_directions() -> None:
    distances = torch.rand(20, 14, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(normalized(distances, 4), directly(distances, 4), atol=1e-4)


def test_equal_distances_have_no_contrast() -> None:
    assert torch.equal(normalized(torch.full((5, 3), 0.7), 2), torch.zeros(5, 3))
    assert torch.equal(normalized(torch.full((1, 1), 0.7), 2), torch.zeros(1, 1))


def test_blocks_of_queries_are_normalized_as_the_whole() -> None:
    generator = torch.Generator().manual_seed(0)
    database, queries = (unit(torch.randn(count, 6, generator=generator)) for count in (50, 60))
    whole = sequence_distances(normalized(image_distances(database, queries), 7), 5)
    blocks = [sequence_block(database, queries, 5, (1.0,), begin, min(begin + 9, 60), 7) for begin in range(0, 60, 9)]
    assert torch.allclose(torch.cat(blocks, dim=1), whole, atol=1e-4)


def test_a_place_that_resembles_everything_is_found_less_often() -> None:
    generator = torch.Generator().manual_seed(0)
    places = torch.randn(60, 32, generator=generator)
    queries = unit(places + 2.5 * torch.randn(60, 32, generator=generator) + 4 * places[30])
    distances = image_distances(unit(places), queries)
    right = [float((found.argmin(0) == torch.arange(60)).float().mean()) for found in
             (distances, normalized(distances, 40))]
    assert right[0] < 0.2 and right[1] > right[0] + 0.2
