from __future__ import annotations

import numpy as np
import pytest
import torch

from cl_localization.errors import DataError
from cl_localization.research.seqmatchnet.network import PlaceNetwork
from cl_localization.research.seqmatchnet.options import NetworkConfig
from cl_localization.research.seqmatchnet.recall import (
    PlaceMatches,
    match_places,
    precision_recall,
    recall_at_full_precision,
)
from cl_localization.research.seqmatchnet.scoring import PlaceScorer
from cl_localization.research.seqmatchnet.traverse import TraversePair
from place_makers import random_pair, tensors


def matched(pair: TraversePair, length: int = 3, **options: object) -> PlaceMatches:
    network = PlaceNetwork(NetworkConfig(pooling="single+seqmatch"), 1).eval()
    return match_places(PlaceScorer(network, pair.database, pair.queries, *tensors(pair), length), pair, **options)


def made(error: list[list[float]], nearest_error: list[float],
         distances: list[list[float]] | None = None) -> PlaceMatches:
    """Matches with these errors."""
    rows = len(error)
    given = np.array(distances) if distances else np.arange(rows * len(error[0]), dtype=float).reshape(rows, -1)
    return PlaceMatches(np.arange(rows), np.zeros((rows, len(error[0])), int), given, np.array(error),
                        np.array(nearest_error))


def test_recall_counts_queries_with_a_right_image_among_the_first_n() -> None:
    matches = made([[0, 9], [9, 0.5], [9, 9], [3, 9]], [0, 0, 0, 2])
    assert matches.recall(1, 1.0) == pytest.approx(1 / 3)
    assert matches.recall(2, 1.0) == pytest.approx(2 / 3)
    assert matches.recall(1, 3.0) == pytest.approx(2 / 4)


def test_queries_without_a_place_in_the_database_do_not_count() -> None:
    with pytest.raises(DataError, match="queries must have places of the database within 0.1, found none"):
        made([[5.0]], [5.0]).recall(1, 0.1)


def test_all_places_are_found_where_the_drives_are_alike() -> None:
    matches = matched(random_pair(noise=0.1))
    assert matches.recall(1, 0.0) == 1.0 and (matches.found[:, 0] == np.arange(60)).all()
    assert (matches.distances[:, 1:] >= matches.distances[:, :-1]).all()


def test_longer_sequences_find_more() -> None:
    pair = random_pair(200, width=8, noise=1.5)
    recalls = [matched(pair, length).recall(1, 1.0) for length in (1, 5, 20)]
    assert recalls[0] < recalls[1] < recalls[2]


def test_only_queries_that_are_kept_count() -> None:
    keep = np.zeros(60, bool)
    keep[[4, 7]] = True
    assert matched(random_pair(), keep=keep).queries.tolist() == [4, 7]


def test_only_candidates_are_compared() -> None:
    candidates = np.stack([(np.arange(60) + 10) % 60, np.full(60, -1)], axis=1)
    matches = matched(random_pair(), candidates=candidates, count=3)
    assert (matches.found[:, 0] == candidates[:, 0]).all() and (matches.found[:, 1:] == -1).all()
    assert np.isinf(matches.error[:, 1:]).all()


@pytest.mark.parametrize("candidates", [np.zeros((59, 2), int), np.full((60, 1), 60), np.full((60, 1), -2),
                                        np.zeros((60, 2))])
def test_candidates_of_other_traverses_are_refused(candidates: np.ndarray) -> None:
    with pytest.raises(DataError, match="candidates must be image numbers below 60 for each of 60 queries"):
        matched(random_pair(), candidates=candidates)


def test_precision_and_recall_follow_the_distance() -> None:
    matches = made([[0], [9], [0], [9]], [0, 0, 0, 9], [[0.1], [0.3], [0.2], [0.4]])
    precision, recall, distances = precision_recall(matches, 1.0)
    assert precision.tolist() == pytest.approx([1, 1, 2 / 3, 0.5]) and recall.tolist() == pytest.approx(
        [1 / 3, 2 / 3, 2 / 3, 2 / 3]
    )
    assert distances.tolist() == [0.1, 0.2, 0.3, 0.4]
    assert recall_at_full_precision(precision, recall) == pytest.approx(2 / 3)


def test_no_recall_is_perfect_when_the_nearest_match_is_wrong() -> None:
    assert recall_at_full_precision(np.array([0.0, 0.5]), np.array([0.0, 0.5])) == 0.0


def test_places_without_any_match_are_no_match() -> None:
    matches = matched(random_pair(4), length=4, count=4)
    assert torch.is_tensor(torch.from_numpy(matches.found)) and ((matches.found == -1)
                                                                 == np.isinf(matches.distances)).all()
