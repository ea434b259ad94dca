"""How far a trajectory is from the true one, once the two are laid over each other."""

from __future__ import annotations

import numpy as np

from cl_localization.errors import DataError


def aligned_errors_m(found_m: np.ndarray, true_m: np.ndarray, with_scale: bool = False) -> np.ndarray:
    """Return the distances (N,) of positions (N, 3) from the true ones (N, 3) after `alignment`.

    Raises:
        DataError: see `alignment`.
    """
    true_T_found = alignment(found_m, true_m, with_scale)
    return np.linalg.norm(found_m @ true_T_found[:3, :3].T + true_T_found[:3, 3] - true_m, axis=1)


def alignment(found_m: np.ndarray, true_m: np.ndarray, with_scale: bool = False) -> np.ndarray:
    """Return the motion (4, 4) that lays positions (N, 3) over the true ones (N, 3) so that the squares of what is left
    are least (Umeyama, 1991): rigid, or with a scale in its rotation, too.

    Raises:
        DataError: fewer than three positions, or not as many true ones.
    """
    if len(found_m) < 3 or found_m.shape != true_m.shape:
        raise DataError("positions to be aligned", "must be at least 3, and as many true ones",
                        f"{found_m.shape} and {true_m.shape}")
    found, true = found_m - found_m.mean(axis=0), true_m - true_m.mean(axis=0)
    u, singular, vt = np.linalg.svd(true.T @ found)
    mirror = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    scale = float((singular * mirror).sum() / max((found**2).sum(), 1e-12)) if with_scale else 1.0
    motion = np.eye(4)
    motion[:3, :3] = scale * (u * mirror) @ vt
    motion[:3, 3] = true_m.mean(axis=0) - motion[:3, :3] @ found_m.mean(axis=0)
    return motion


def rmse(errors: np.ndarray) -> float:
    """Return the root of the mean square of errors (N,)."""
    return float(np.sqrt(np.mean(np.square(errors))))


def path_m(positions_m: np.ndarray) -> float:
    """Return the length of the way through positions (N, 3)."""
    return float(np.linalg.norm(np.diff(positions_m, axis=0), axis=1).sum())
