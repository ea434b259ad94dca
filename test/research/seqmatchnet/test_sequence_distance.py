from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cl_localization.errors import DataError
from cl_localization.research.seqmatchnet.sequence_distance import (
    image_distances,
    line_means,
    line_offsets,
    sequence_block,
    sequence_distances,
    unit,
)


def descriptors(count: int, seed: int, width: int = 6) -> torch.Tensor:
    """Random unit descriptors."""
    return unit(torch.randn(count, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64))


def naive(distances: np.ndarray, length: int, slope: float) -> np.ndarray:
    """The definition, in loops: of the windows along the line through a cell, the one whose images lie most evenly
    around it."""
    rows, columns = distances.shape
    offsets = [int(np.floor(slope * step + 0.5)) for step in range(length)]
    result = np.full(distances.shape, np.inf)
    for j in range(rows):
        for i in range(columns):
            fitting = [back for back in range(length) if 0 <= j - offsets[back] < rows - offsets[-1]
                       and 0 <= i - back <= columns - length]
            if fitting:
                back = min(fitting, key=lambda one: abs(one - length // 2))
                result[j, i] = np.mean([distances[j - offsets[back] + offsets[t], i - back + t] for t in range(length)])
    return result


@given(st.integers(1, 12), st.integers(1, 12), st.integers(1, 6), st.sampled_from([0.5, 0.8, 1.0, 1.25, 2.0]))
def test_the_shifted_sums_are_what_the_loops_say(rows: int, columns: int, length: int, slope: float) -> None:
    distances = image_distances(descriptors(rows, 1), descriptors(columns, 2))
    found = sequence_distances(distances, length, (slope,)).numpy()
    assert np.allclose(found, naive(distances.numpy(), length, slope), equal_nan=False)


@given(st.integers(2, 8), st.integers(2, 8), st.integers(1, 5))
def test_the_same_speed_is_a_convolution_with_an_identity_kernel(rows: int, columns: int, length: int) -> None:
    length = min(length, rows, columns)
    distances = torch.rand(rows, columns, generator=torch.Generator().manual_seed(0))
    kernel = torch.eye(length)[None, None] / length
    assert torch.allclose(
        line_means(distances, length), torch.nn.functional.conv2d(distances[None, None], kernel)[0, 0], atol=1e-6
    )


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 7), st.integers(1, 9),
       st.sampled_from([(1.0,), (0.5, 1.0, 2.0)]))
def test_blocks_are_equal_to_the_whole(rows: int, columns: int, length: int, block: int,
                                       slopes: tuple[float, ...]) -> None:
    database, queries = descriptors(rows, 3), descriptors(columns, 4)
    whole = sequence_distances(image_distances(database, queries), length, slopes)
    parts = [sequence_block(database, queries, length, slopes, begin, min(begin + block, columns))
             for begin in range(0, columns, block)]
    assert torch.allclose(torch.cat(parts, dim=1), whole)


def test_a_block_in_the_middle_is_that_of_the_whole() -> None:
    database, queries = descriptors(30, 5), descriptors(25, 6)
    whole = sequence_distances(image_distances(database, queries), 4)
    assert torch.allclose(sequence_block(database, queries, 4, (1.0,), 7, 12), whole[:, 7:12])


def test_equal_descriptors_have_a_finite_gradient() -> None:
    vectors = descriptors(5, 7).requires_grad_()
    image_distances(vectors, vectors).sum().backward()
    assert torch.isfinite(vectors.grad).all()


def test_round_off_beyond_one_gives_no_nan() -> None:
    vector = torch.full((1, 4), 0.5) * (1 + 1e-6)
    assert torch.isfinite(image_distances(vector, vector)).all()


def test_every_image_of_equal_traverses_is_nearest_to_itself_up_to_the_borders() -> None:
    vectors = descriptors(30, 8)
    noisy = unit(vectors + 0.2 * descriptors(30, 9))
    for length in (1, 5, 30):
        assert (sequence_distances(image_distances(vectors, noisy), length).argmin(dim=0) == torch.arange(30)).all()


@pytest.mark.parametrize("ratio", [0.5, 0.75, 1.5, 2.0])
def test_another_speed_is_found_with_its_slope(ratio: float) -> None:
    database = descriptors(80, 10, 32)
    passed = np.floor(np.arange(30) * ratio + 0.5).astype(int)
    queries = unit(database[passed] + 0.5 * descriptors(30, 11, 32))
    distances = image_distances(database, queries)
    found = sequence_distances(distances, 8, (0.5, 0.75, 1.0, 1.5, 2.0)).argmin(dim=0).numpy()
    assert np.mean(np.abs(found - passed) <= 1) == 1.0


def test_cells_through_which_no_window_fits_are_infinitely_far() -> None:
    found = sequence_distances(torch.ones(3, 10), 5)
    assert torch.isinf(found).all()


@given(st.floats(0, 3), st.integers(1, 30))
def test_lines_rise_by_their_slope(slope: float, length: int) -> None:
    offsets = line_offsets(length, slope)
    assert offsets[0] == 0 and (np.diff(offsets) >= 0).all() and abs(offsets[-1] - slope * (length - 1)) <= 0.5


@pytest.mark.parametrize("slope", [-1.0, float("nan"), float("inf")])
def test_a_slope_that_is_none_is_refused(slope: float) -> None:
    with pytest.raises(DataError, match="speed ratio must be a finite number of at least 0"):
        line_offsets(3, slope)


def test_a_sequence_longer_than_the_traverse_is_refused() -> None:
    with pytest.raises(DataError, match="sequence length must fit into 3 database images and 9 queries, found 4"):
        line_means(torch.ones(3, 9), 4)
