"""Posed images for training and testing a field: read, chosen, ordered, and the bounding box of their scene."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from cl_localization.data.files import read_bytes
from cl_localization.data.open import open_sequence
from cl_localization.data.reading import ImageFileSequence
from cl_localization.data.transforms_json import open_transforms_json
from cl_localization.errors import DataError
from cl_localization.nerf.views import View, surface_of, view_of

SIDES = ("right", "left")
PNG_SIGNATURE, PNG_COLOUR_TYPE_BYTE, PNG_TYPES_WITH_ALPHA = b"\x89PNG", 25, (4, 6)
SYNTHETIC_BOX = (np.full(3, -1.5), np.full(3, 1.5))
"""Bounding box of the synthetic NeRF scenes."""

DEPTH_PIXELS, DEPTH_MARGIN, DEPTH_QUANTILE = 500, 0.1, 0.001


def read_synthetic(root: Path, split: str, size_px: tuple[int, int], need_alpha: bool = True) -> list[View]:
    """Return the images of `transforms_<split>.json` in order of their names, with white transparent parts.

    Args:
        split: empty for `transforms.json`.
        size_px: width and height of the views.
        need_alpha: whether images without an alpha channel are refused, since their background is unknown.

    Raises:
        DataError: missing or invalid files, no focal length, images of different sizes or without alpha.
        GeometryError: an invalid pose.
    """
    file = root / (f"transforms_{split}.json" if split else "transforms.json")
    if not file.is_file():
        raise DataError(f"split {split} of {root}", f"needs the file {file.name}", "nothing there",
                        "check --root_dir, or read other sequences with --dataset_name sequence")
    sequence = open_transforms_json(file, depth=False)
    if need_alpha:
        _check_alpha(sequence)
    return [view_of(frame, size_px) for frame in sequence]


def read_frames(spec: str, size_px: tuple[int, int], frames: int = 0) -> list[View]:
    """Return the frames of any posed sequence, with depth if available.

    Args:
        frames: number of frames; 0: all.

    Raises:
        DataError: the sequence cannot be read, or a frame has no pose.
    """
    sequence = open_sequence(spec)
    return [view_of(sequence[index], size_px) for index in range(min(frames or len(sequence), len(sequence)))]


def side_of(view: View) -> str:
    """Return the side of a view's camera, the two tasks of NeRF-CL: right for x > 0, else left."""
    return SIDES[0] if view.world_T_cam[0, 3] > 0 else SIDES[1]


def of_side(views: Iterable[View], side: str) -> list[View]:
    """Return the views from one side, or all views for any other word; raises DataError for none."""
    views = list(views)
    chosen = [view for view in views if side not in SIDES or side_of(view) == side]
    if not chosen:
        raise DataError(f"views from the {side}", "must be at least one", f"{len(views)} views",
                        "choose another side or split")
    return chosen


def along_a_path(views: list[View]) -> list[View]:
    """Return views ordered along a path: from the first, always the nearest remaining one."""
    left, path = list(views[1:]), [views[0]]
    while left:
        here = path[-1].world_T_cam[:3, 3]
        path.append(left.pop(int(np.argmin([np.linalg.norm(view.world_T_cam[:3, 3] - here) for view in left]))))
    return path


def box_of(views: list[View], near: float, far: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the bounding box (low, high) of the measured points, or of the view frustums for views without depth.

    Raises:
        DataError: no views, or no depth between the bounds.
    """
    if not views:
        raise DataError("box of the scene", "needs views", 0)
    points = []
    for view in views:
        rays = view.rays(near, far)
        if view.depth is not None:
            measured = surface_of(view, near, far)[0]
            points.append(measured[::max(len(measured) // DEPTH_PIXELS, 1)])
        else:
            corners = [0, view.camera.width_px - 1, -view.camera.width_px, -1]
            points += [(rays.origins[corners] + bound * rays.directions[corners]).numpy() for bound in (near, far)]
    joined = np.concatenate(points)
    if len(joined) == 0:
        raise DataError("box of the scene", "needs depth between the bounds", f"near {near:g}, far {far:g}",
                        "change --near and --far")
    share = DEPTH_QUANTILE if views[0].depth is not None else 0.0
    low, high = np.quantile(joined, (share, 1.0 - share), axis=0)
    margin = DEPTH_MARGIN * float((high - low).max()) if share else 0.0
    return low - margin, high + margin


def _check_alpha(sequence: ImageFileSequence) -> None:
    for file in sequence.files:
        head = read_bytes(file.image_path, 1 << 28)[:PNG_COLOUR_TYPE_BYTE + 1]
        if not (head.startswith(PNG_SIGNATURE) and head[-1] in PNG_TYPES_WITH_ALPHA):
            raise DataError(f"image {file.image_path}", "must have an alpha channel, as those of synthetic scenes",
                            "an image without", "set --background white or --background black")
