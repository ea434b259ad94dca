from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cl_localization.places.place_index import Image, LineVotes


def shortlist(rng: np.random.Generator, positions: int, count: int) -> tuple[Image, np.ndarray]:
    """An image with a random shortlist, and its distances to all positions: those beyond the shortlist count as the
    farthest."""
    chosen = rng.choice(positions, min(count, positions), replace=False)
    distances = rng.uniform(0.1, 1.5, len(chosen))
    everything = np.full(positions, distances.max())
    everything[chosen] = distances
    return Image(chosen, distances.max() - distances, float(distances.max())), everything


def naive(window: list[np.ndarray], numbers: list[int], ratios: np.ndarray, position: int) -> float:
    """The definition: the least mean distance over the window of the lines that end at a position."""
    best = np.inf
    for ratio in ratios:
        travelled = [int(np.floor(ratio * number + 0.5)) for number in numbers]
        passed = [position - (travelled[-1] - one) for one in travelled]
        best = min(best, np.mean([distances[at] if 0 <= at < len(distances) else distances.max() for distances,
                                  at in zip(window, passed)]))
    return best


@given(st.integers(0, 1000), st.integers(1, 6), st.integers(1, 30),
       st.sampled_from([(1.0,), (0.5, 1.0, 2.0), (0.7, 1.4)]))
def test_votes_that_come_and_go_give_the_mean_along_the_best_line(seed: int, length: int, count: int,
                                                                  ratios: tuple[float, ...]) -> None:
    rng, votes, window, numbers = np.random.default_rng(seed), LineVotes(np.array(ratios), length), [], []
    for number in range(1, 13):
        image, distances = shortlist(rng, 30, count)
        votes.add(image, 30)
        window, numbers = [*window, distances][-length:], [*numbers, number][-length:]
        found = votes.mean_distances(np.arange(30))
        assert np.allclose(found, [naive(window, numbers, np.array(ratios), position) for position in range(30)])
    assert len(votes) == min(length, 12)


def test_more_positions_change_nothing_for_those_that_were_there() -> None:
    small, grown, rng = LineVotes(np.array([0.5, 1.0, 2.0]), 4), LineVotes(np.array([0.5, 1.0, 2.0]),
                                                                           4), np.random.default_rng(0)
    for positions in (20, 20, 300, 5000):
        image, _ = shortlist(rng, 20, 8)
        small.add(image, 20)
        grown.add(image, positions)
    assert np.allclose(small.mean_distances(np.arange(20)), grown.mean_distances(np.arange(20)))
