from __future__ import annotations

import numpy as np
import pytest
import torch

from cl_localization.errors import DataError
from cl_localization.research.seqmatchnet.runs import RunSampler
from cl_localization.research.seqmatchnet.traverse import Traverse, TraversePair, whole
from place_makers import random_pair, traverse_of


def sampler(pair: TraversePair, length: int = 8, mirror: bool = False, runs: int = 6, shortest: int = 3) -> RunSampler:
    return RunSampler(pair, runs, length, shortest, mirror)


def test_stretches_begin_at_the_same_place_and_stay_inside() -> None:
    bounds = np.array([[0, 20], [20, 60]])
    pair = random_pair(60)
    pair = TraversePair(traverse_of(pair.database.descriptors, bounds=bounds), pair.queries, 1.0, 1.0)
    runs = sampler(pair, runs=200).draw(torch.Generator().manual_seed(0))
    assert torch.equal(runs.database, runs.queries) and runs.queries.shape == (200, 8)
    assert all((row[0] < 20) == (row[-1] < 20) for row in runs.database)


def test_the_same_seed_draws_the_same() -> None:
    one = sampler(random_pair())
    first, second = (one.draw(torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(first.queries, second.queries)


def test_stretches_get_shorter_where_there_is_no_room() -> None:
    pair = random_pair(10)
    assert sampler(pair, 32).run_length == 8 and sampler(pair, 32, shortest=10).run_length == 10


def test_one_place_is_the_nearest_within_the_radius_and_neighbours_are_ignored() -> None:
    one = sampler(random_pair(), runs=1)
    same, ignored = one.relations(one.draw(torch.Generator().manual_seed(0)), slice(0, 8))
    assert torch.equal(same, torch.eye(8, dtype=torch.bool))
    gap = (torch.arange(8)[:, None] - torch.arange(8)).abs()
    assert torch.equal(ignored, gap <= 1)


def test_mirrored_stretches_are_other_places() -> None:
    one = sampler(random_pair(9), length=8, mirror=True, runs=40)
    runs = one.draw(torch.Generator().manual_seed(0))
    same, ignored = one.relations(runs, slice(0, 8))
    mirrored = runs.mirrored.repeat_interleave(8)
    assert 5 < runs.mirrored.sum() < 35
    assert not (same | ignored)[mirrored[:, None] != mirrored].any() and same[mirrored][:, mirrored].any()


def test_routes_are_matched_by_position() -> None:
    database = Traverse("d", [str(number) for number in range(30)], np.stack([np.arange(30.0), np.zeros(30)], 1),
                        whole(30))
    queries = Traverse("q", [str(number) for number in range(12)], np.stack([5.3 + np.arange(12.0), np.ones(12)], 1),
                       whole(12))
    one = sampler(TraversePair(database, queries, 2.0, 2.0), runs=1, length=10)
    runs = one.draw(torch.Generator().manual_seed(0))
    same, _ = one.relations(runs, slice(0, 10))
    assert torch.equal(runs.database, runs.queries + 5) and torch.equal(same, torch.eye(10, dtype=torch.bool))


def test_routes_that_nowhere_meet_are_refused() -> None:
    pair = random_pair()
    far = traverse_of(pair.queries.descriptors)
    far.positions[:] += 1000
    with pytest.raises(DataError, match="must pass the same places for 3 images in a row"):
        sampler(TraversePair(pair.database, far, 1.0, 1.0))
