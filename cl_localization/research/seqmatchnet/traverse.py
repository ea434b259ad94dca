"""Traverses: drives along one route, recorded image by image, and pairs of them in which the same places are known.

A pair is what place recognition is trained and tested on: `database`, driven first, and `queries`, driven later. Where
a folder holds the images of each and names are equal, equal names are the same place (Nordland); otherwise places are
compared by position.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence as Sized
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cl_localization.data.frame import Sequence
from cl_localization.data.images import IMAGE_SUFFIXES, read_rgb
from cl_localization.data.sequence import frame_names
from cl_localization.data.stamps import natural_key
from cl_localization.errors import DataError

MIN_REGULAR_SHARE = 0.9
"""Share of equal steps between the numbers of file names from which the numbers are taken for counters."""


@dataclass(frozen=True, eq=False)
class Traverse:
    """Images, or their stored descriptors, along one route.

    Attributes:
        name: what the user called it.
        names: (N) of the images.
        positions: (N, d) float64; in the unit of the radii, metres or image numbers.
        bounds: (S, 2) first and one past the last image of each unbroken stretch; no sequence of images crosses them.
        read: gives image i as (H, W, 3) uint8 RGB; None where only descriptors are stored.
        descriptors: (N, D) stored ones, or None.
    """

    name: str
    names: list[str]
    positions: np.ndarray
    bounds: np.ndarray
    read: Callable[[int], np.ndarray] | None = None
    descriptors: np.ndarray | None = None

    def __post_init__(self) -> None:
        if not self.names or self.positions.shape[:1] != (len(self.names),) or self.positions.ndim != 2:
            raise DataError(f"traverse {self.name}", "must have images and a position for each",
                            f"{len(self.names)} images, positions {self.positions.shape}")
        if self.descriptors is not None and len(self.descriptors) != len(self.names):
            raise DataError(f"descriptors of {self.name}", f"must be one for each of {len(self.names)} images",
                            len(self.descriptors))

    def __len__(self) -> int:
        return len(self.names)

    def part(self, begin: int, end: int) -> Traverse:
        """Return images [begin, end); a stretch that is cut there ends there.

        Raises:
            DataError: no such images.
        """
        if not 0 <= begin < end or begin >= len(self):
            raise DataError(f"range {begin}:{end} of {self.name}", f"must lie in 0:{len(self)}",
                            remedy="check the range")
        end = min(end, len(self))
        clipped = np.clip(self.bounds, begin, end) - begin
        read = self.read
        return replace(self, names=self.names[begin:end], positions=self.positions[begin:end],
                       bounds=clipped[clipped[:, 1] > clipped[:, 0]],
                       read=None if read is None else lambda index: read(index + begin),
                       descriptors=None if self.descriptors is None else self.descriptors[begin:end])


@dataclass(frozen=True, eq=False)
class TraversePair:
    """Two traverses with comparable positions.

    Attributes:
        true_radius: a database image this near to a query shows its place.
        near_radius: the smaller radius from which a training positive is taken (the originals' "non-trivial" radius).
    """

    database: Traverse
    queries: Traverse
    true_radius: float
    near_radius: float

    def part(self, begin: int, end: int) -> TraversePair:
        """Return images [begin, end) of both."""
        return replace(self, database=self.database.part(begin, end), queries=self.queries.part(begin, end))


def whole(count: int) -> np.ndarray:
    """Return the bounds (1, 2) of a traverse without breaks."""
    return np.array([[0, count]], np.int64)


def image_numbers(count: int) -> np.ndarray:
    """Return positions (N, 1) that are the images' numbers."""
    return np.arange(count, dtype=np.float64)[:, None]


def is_image_traverse(path: Path) -> bool:
    """Return whether a folder holds images directly, and nothing that says where they were taken."""
    return path.is_dir() and bool(_images(path)) and not (path / "camera.yaml").is_file()


def open_image_traverse(path: Path, split_at_gaps: bool = False) -> Traverse:
    """Open a folder of images as a traverse in the order of their names; positions are the images' numbers.

    Args:
        split_at_gaps: whether numbers left out in the names end a stretch; otherwise they are refused.

    Raises:
        DataError: no images, or numbers are left out.
    """
    files = _images(path) if path.is_dir() else []
    if not files:
        raise DataError(f"traverse {path}", f"must be a folder of images ({', '.join(IMAGE_SUFFIXES)})",
                        remedy="check the path")
    names = [file.stem for file in files]
    gaps = number_gaps(names)
    if len(gaps) and not split_at_gaps:
        before, after = names[gaps[0] - 1], names[gaps[0]]
        raise DataError(f"traverse {path}", "must not leave out images",
                        f"a gap between {before} and {after}, {len(gaps)} in all",
                        "restore them, or let no sequence cross a gap with --split-at-gaps")
    edges = np.r_[0, gaps, len(names)]
    return Traverse(str(path), names, image_numbers(len(names)), np.stack([edges[:-1], edges[1:]], axis=1),
                    lambda index: read_rgb(files[index]))


def number_gaps(names: Sized[str]) -> np.ndarray:
    """Return before which images numbers of the names are left out; none where names have no numbers or a varying
    step."""
    numbers = [[part for kind, part in natural_key(name) if kind == 0] for name in names]
    if len(names) < 3 or not all(numbers):
        return np.zeros(0, np.int64)
    steps = np.diff([number[-1] for number in numbers])
    usual = np.median(steps)
    if usual <= 0 or np.mean(steps == usual) < MIN_REGULAR_SHARE:
        return np.zeros(0, np.int64)
    return np.flatnonzero(steps > usual) + 1


def posed_traverse(sequence: Sequence) -> Traverse:
    """Return a posed sequence as a traverse; positions (N, 3) are the cameras' [m].

    Raises:
        DataError: an image has no pose.
    """
    poses = [sequence.pose(index) for index in range(len(sequence))]
    missing = [index for index, pose in enumerate(poses) if pose is None]
    if missing:
        raise DataError(f"sequence {sequence.name}", "must have a pose for each image", f"none for image {missing[0]}",
                        "choose frames with poses")
    positions = np.array([pose[:3, 3] for pose in poses], np.float64)
    return Traverse(sequence.name, frame_names(sequence), positions, whole(len(poses)),
                    lambda index: sequence[index].image)


def paired(database: Traverse, queries: Traverse, true_radius: float, near_radius: float | None = None) -> TraversePair:
    """Return two traverses as a pair.

    Args:
        near_radius: that of positives for training; `true_radius` when None.

    Raises:
        DataError: positions of different kinds; traverses whose places are known by their order but that differ in
            length or names.
    """
    if database.positions.shape[1] != queries.positions.shape[1]:
        raise DataError(f"positions of {queries.name}",
                        f"must have {database.positions.shape[1]} numbers as those of {database.name}",
                        queries.positions.shape[1])
    if database.positions.shape[1] == 1 and database.read is not None and queries.read is not None:
        _check_equal_names(database, queries)
    return TraversePair(database, queries, true_radius, true_radius if near_radius is None else near_radius)


def _check_equal_names(database: Traverse, queries: Traverse) -> None:
    missing = sorted(set(database.names) ^ set(queries.names), key=natural_key)
    if missing:
        lacking = queries if missing[0] in set(database.names) else database
        raise DataError(f"traverses {database.name} and {queries.name}", "must have images of the same names",
                        f"{len(database)} and {len(queries)} images, {len(missing)} only in one; {missing[0]} is not "
                        f"in {lacking.name}",
                        "equal names mean the same place: restore or remove those images")


def _images(path: Path) -> list[Path]:
    return sorted((file for file in path.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES),
                  key=lambda file: natural_key(file.stem))
