"""How often the right place is found: recall@N at several radii, and precision against recall."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.spatial import cKDTree

from cl_localization.errors import DataError
from cl_localization.research.seqmatchnet.scoring import PlaceScorer
from cl_localization.research.seqmatchnet.traverse import TraversePair

RECALL_AT = (1, 5, 10, 20, 100)


@dataclass(frozen=True, eq=False)
class PlaceMatches:
    """The nearest database images of each query.

    Attributes:
        queries: (Q,) image numbers of the queries.
        found: (Q, K) database image numbers, the nearest first, -1 where there is none.
        distances: (Q, K) their distances, ascending.
        error: (Q, K) how far they are from the query, in the unit of positions; infinite where there is none.
        nearest_error: (Q,) how far the nearest database image of all is.
    """

    queries: np.ndarray
    found: np.ndarray
    distances: np.ndarray
    error: np.ndarray
    nearest_error: np.ndarray

    def recall(self, count: int, radius: float) -> float:
        """Return the share of queries with a right image among the first `count`, of those that have any within
        `radius`.

        Raises:
            DataError: no query has one.
        """
        possible = self.nearest_error <= radius
        if not possible.any():
            raise DataError("queries", f"must have places of the database within {radius:g}", "none",
                            "choose a larger radius")
        return float((self.error[possible, :count] <= radius).any(axis=1).mean())


def match_places(scorer: PlaceScorer, pair: TraversePair, count: int = max(RECALL_AT), keep: np.ndarray | None = None,
                 candidates: np.ndarray | None = None, places: np.ndarray | None = None) -> PlaceMatches:
    """Return the `count` nearest database images of each query.

    Args:
        keep: (N,) which queries count; all when None.
        candidates: (N, K) database image numbers that alone are compared with each query, -1 for none; all when None.
        places: (M,) which images of the database count; all when None.

    Raises:
        DataError: candidates that do not fit the traverses, or no image of the database that counts.
    """
    if candidates is not None:
        _check_candidates(candidates, pair)
    places = np.ones(len(pair.database), bool) if places is None else places
    if not places.any():
        raise DataError(f"traverse {pair.database.name}", "must have images that count", "none",
                        "choose a shorter --inner-only")
    count = min(count, int(places.sum()))
    found, distances = [], []
    for begin, block in scorer.blocks():
        block[torch.from_numpy(~places)] = torch.inf
        if candidates is not None:
            block = torch.where(_chosen(candidates[begin:begin + block.shape[1]], len(pair.database)), block, torch.inf)
        nearest = torch.topk(block, count, dim=0, largest=False)
        found.append(nearest.indices.T.numpy())
        distances.append(nearest.values.T.numpy())
    queries = np.arange(len(pair.queries)) if keep is None else np.flatnonzero(keep)
    rows, away = np.concatenate(found)[queries], np.concatenate(distances)[queries]
    rows = np.where(np.isfinite(away), rows, -1)
    positions = pair.queries.positions[queries]
    error = np.linalg.norm(pair.database.positions[rows] - positions[:, None], axis=2)
    nearest_error, _ = cKDTree(pair.database.positions[places]).query(positions)
    return PlaceMatches(queries, rows, away, np.where(rows >= 0, error, np.inf), nearest_error)


def _check_candidates(candidates: np.ndarray, pair: TraversePair) -> None:
    right = candidates.ndim == 2 and len(candidates) == len(pair.queries) and candidates.dtype.kind in "iu"
    if not right or candidates.min() < -1 or candidates.max() >= len(pair.database):
        raise DataError("candidates", f"must be image numbers below {len(pair.database)} for each of "
                                      f"{len(pair.queries)} queries",
                        f"{candidates.shape} {candidates.dtype}", "make them with the same traverses")


def _chosen(candidates: np.ndarray, places: int) -> torch.Tensor:
    """Return (M, n) bool: the database images among the candidates (n, K) of each query."""
    chosen = torch.zeros(places + 1, len(candidates), dtype=torch.bool)
    chosen[torch.from_numpy(np.where(candidates < 0, places, candidates)).T, torch.arange(len(candidates))] = True
    return chosen[:places]


def precision_recall(matches: PlaceMatches, radius: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return precision (Q,), recall (Q,) and the distance (Q,) up to which best matches are trusted, ascending.

    Recall is the share of queries with a place in the database that are trusted and right.
    """
    order = np.argsort(matches.distances[:, 0], kind="stable")
    right = matches.error[order, 0] <= radius
    possible = max(int((matches.nearest_error <= radius).sum()), 1)
    hits = np.cumsum(right)
    return hits / np.arange(1, len(hits) + 1), hits / possible, matches.distances[order, 0]


def recall_at_full_precision(precision: np.ndarray, recall: np.ndarray) -> float:
    """Return the largest recall before the first wrong match; 0 when the nearest match of all is wrong."""
    perfect = recall[precision >= 1.0]
    return float(perfect.max()) if len(perfect) else 0.0
