from __future__ import annotations

import numpy as np
import pytest
import torch

from cl_localization.errors import DataError
from cl_localization.research.seqmatchnet.network import PlaceNetwork
from cl_localization.research.seqmatchnet.normalization import normalized
from cl_localization.research.seqmatchnet.options import NetworkConfig
from cl_localization.research.seqmatchnet.scoring import PlaceScorer
from cl_localization.research.seqmatchnet.sequence_distance import image_distances, sequence_distances, unit
from cl_localization.research.seqmatchnet.traverse import TraversePair
from place_makers import pair_of, random_pair, tensors, traverse_of


def raw(pooling: str = "single+seqmatch") -> PlaceNetwork:
    return PlaceNetwork(NetworkConfig(pooling=pooling), 1).eval()


def scorer(pair: TraversePair, length: int, pooling: str = "single+seqmatch", **options: object) -> PlaceScorer:
    return PlaceScorer(raw(pooling), pair.database, pair.queries, *tensors(pair), length, **options)


def test_sequence_matching_of_whole_traverses_is_the_sequence_distance() -> None:
    pair = random_pair(40)
    expected = sequence_distances(image_distances(*(unit(side) for side in tensors(pair))), 5)
    blocks = list(scorer(pair, 5).blocks(block_queries=7))
    assert torch.allclose(torch.cat([block for _, block in blocks], dim=1), expected, atol=1e-5)
    assert [begin for begin, _ in blocks] == list(range(0, 40, 7))


def test_no_sequence_crosses_a_break() -> None:
    pair = random_pair(40)
    database, queries = tensors(pair)
    bounds = np.array([[0, 15], [15, 37], [37, 40]])
    broken = TraversePair(traverse_of(database.numpy(), bounds=bounds), traverse_of(queries.numpy(), bounds=bounds),
                          1.0, 1.0)
    found = scorer(broken, 5).block(0, 40)
    single = image_distances(unit(database), unit(queries))
    for first, last in bounds[:2]:
        for begin, end in bounds[:2]:
            expected = sequence_distances(single[first:last, begin:end], 5)
            assert torch.allclose(found[first:last, begin:end], expected, atol=1e-5)
    assert torch.isinf(found[:, 37:]).all() and torch.isinf(found[37:]).all()


@pytest.mark.parametrize("pooling", ["smooth", "single"])
def test_one_descriptor_a_sequence_is_compared_where_there_is_a_sequence(pooling: str) -> None:
    pair = random_pair(30)
    bounds = np.array([[0, 27], [27, 30]])
    broken = TraversePair(traverse_of(pair.database.descriptors, bounds=bounds), pair.queries, 1.0, 1.0)
    found = scorer(broken, 5, pooling).block(0, 30)
    assert torch.isinf(found[27:]).all() and torch.isfinite(found[:27]).all()


def test_a_block_is_part_of_the_whole() -> None:
    pair = random_pair(30)
    one = scorer(pair, 4)
    assert torch.allclose(one.block(9, 14), one.block(0, 30)[:, 9:14])


def test_traverses_shorter_than_a_sequence_are_refused() -> None:
    pair = pair_of(np.ones((4, 3), np.float32), np.ones((9, 3), np.float32))
    with pytest.raises(DataError, match="traverse must have 6 images in a row"):
        scorer(pair, 6)


def test_normalized_sequences_are_matched_within_their_stretches_and_one_image_as_it_is() -> None:
    pair = random_pair(40)
    single = image_distances(*(unit(side) for side in tensors(pair)))
    expected = sequence_distances(normalized(single), 5)
    assert torch.allclose(scorer(pair, 5, normalize=True).block(0, 40), expected, atol=1e-3)
    assert torch.equal(scorer(pair, 1, normalize=True).block(0, 40), scorer(pair, 1).block(0, 40))
