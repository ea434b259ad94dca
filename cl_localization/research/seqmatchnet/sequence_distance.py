"""The distance of two image sequences: the mean along a diagonal of the matrix of image distances (SeqMatchNet).

The sums along all diagonals are the convolution of the M x N distance matrix with an L x L identity kernel. For a robot
v times as fast as in the database, the kernel is a line of slope v. Lines are sparse, so the convolution is computed as
the differentiable sum of L shifted matrices.

Near the borders the window of a cell (j, i) is shifted along its diagonal until it fits, as centred as possible. A cell
without a fitting window has infinite distance.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from cl_localization.errors import DataError
from cl_localization.places.place_index import MIN_SQUARED_DISTANCE
from cl_localization.research.seqmatchnet.normalization import normalized

BLOCK_QUERIES = 256
SAME_SPEED = (1.0,)


def image_distances(database: Tensor, queries: Tensor) -> Tensor:
    """Return the Euclidean distances (..., M, N) of unit descriptors (..., M, D) and (..., N, D), clamped."""
    return (2 - 2 * database @ queries.transpose(-1, -2)).clamp_min(MIN_SQUARED_DISTANCE).sqrt()


def line_offsets(sequence_length: int, slope: float) -> np.ndarray:
    """Return the database index (L,) that matches each image of a sequence whose first image matches index 0.

    Args:
        slope: speed ratio, in database images per query image.

    Raises:
        DataError: the slope is negative or not finite.
    """
    if not (np.isfinite(slope) and slope >= 0):
        raise DataError("speed ratio", "must be a finite number of at least 0", slope)
    return np.floor(slope * np.arange(sequence_length) + 0.5).astype(np.int64)


def line_means(distances: Tensor, sequence_length: int, slope: float = 1.0) -> Tensor:
    """Return the mean distance along every line: for slope 1, the valid convolution with an L x L identity kernel.

    Args:
        distances: (..., M, N) of images.

    Returns:
        (..., M - R, N - L + 1), R the rise of the line; entry (a, b) is the mean of the line starting at that cell.

    Raises:
        DataError: no line fits into the matrix.
    """
    offsets = line_offsets(sequence_length, slope)
    rows, columns = distances.shape[-2] - int(offsets[-1]), distances.shape[-1] - sequence_length + 1
    if rows < 1 or columns < 1:
        raise DataError("sequence length", f"must fit into {distances.shape[-2]} database images and "
                                           f"{distances.shape[-1]} queries",
                        f"{sequence_length} at speed ratio {slope:g}", "choose a shorter one")
    total = distances[..., :rows, :columns]
    for step, offset in enumerate(offsets[1:].tolist(), start=1):
        total = total + distances[..., offset:rows + offset, step:columns + step]
    return total / sequence_length


def window_starts(
    row: np.ndarray, column: np.ndarray, shape: tuple[int, int], offsets: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return how many images before each cell (row, column) its window starts, and whether a window fits.

    Args:
        row, column: cells, broadcast against each other.
        shape: (M, N) of the distance matrix.
        offsets: (L,) the line, see `line_offsets`.
    """
    length = len(offsets)
    first = np.maximum(np.searchsorted(offsets, row - (shape[0] - 1 - offsets[-1])), column - (shape[1] - length))
    last = np.minimum(np.searchsorted(offsets, row, side="right") - 1, column)
    first, last = np.maximum(first, 0), np.minimum(last, length - 1)
    return np.clip(length // 2, first, np.maximum(first, last)), first <= last


def sequence_distances(distances: Tensor, sequence_length: int, slopes: tuple[float, ...] = SAME_SPEED) -> Tensor:
    """Return the sequence distance (M, N) of every pair of database and query image.

    Args:
        distances: (M, N) of single images.
        slopes: speed ratios; the best one counts.
    """
    return _window_distances(distances, sequence_length, slopes, 0, distances.shape[1])


def _window_distances(distances: Tensor, length: int, slopes: tuple[float, ...], begin: int, end: int) -> Tensor:
    """Return the columns [begin, end) of the sequence distances."""
    rows, columns = np.arange(distances.shape[0])[:, None], np.arange(begin, end)[None]
    best = torch.full((distances.shape[0], end - begin), torch.inf, dtype=distances.dtype, device=distances.device)
    for slope in slopes:
        offsets = line_offsets(length, slope)
        if offsets[-1] >= distances.shape[0] or length > distances.shape[1]:
            continue
        means = line_means(distances, length, slope)
        back, fits = window_starts(rows, columns, (distances.shape[0], distances.shape[1]), offsets)
        starts = np.clip(rows - offsets[back], 0, means.shape[0] - 1) * means.shape[1] + np.clip(
            columns - back, 0, means.shape[1] - 1
        )
        found = means.reshape(-1)[torch.from_numpy(starts).to(means.device)]
        best = torch.minimum(best, torch.where(torch.from_numpy(fits).to(means.device), found, torch.inf))
    return best


def sequence_block(database: Tensor, queries: Tensor, sequence_length: int, slopes: tuple[float, ...], begin: int,
                   end: int, reach: int = 0) -> Tensor:
    """Return the sequence distances (M, end - begin) of all database images and the queries [begin, end).

    Args:
        database, queries: unit descriptors (M, D) and (N, D) of consecutive images.
        reach: of the normalization of the image distances, see `normalized`; 0 takes them as they are.
    """
    left, right = max(begin - sequence_length + 1, 0), min(end + sequence_length - 1, len(queries))
    left = max(min(left, len(queries) - sequence_length), 0)  # the last windows are shifted back
    first = max(left - reach, 0)
    part = image_distances(database, queries[first:right + reach])
    if reach:
        part = normalized(part, reach)
    return _window_distances(part[:, left - first:right - first], sequence_length, slopes, begin - left, end - left)


def unit(descriptors: Tensor) -> Tensor:
    """Return descriptors (..., D) normalized to unit length; zeros stay zeros."""
    return F.normalize(descriptors, dim=-1)
