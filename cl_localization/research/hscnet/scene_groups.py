"""7-Scenes and 12-Scenes as benchmarks of several scenes: 7S and 12S one scene each, i7S, i12S and i19S all of them in
one frame.

Both data sets lie below one folder as they are published, `7Scenes/chess/seq-01/...` with `TrainSplit.txt`, and
`12Scenes/apt1/kitchen/data/...` with `split.txt`; the folders `7Scenes` and `12Scenes` may be left out. Lists of frames
as HSCNet's data package has them are used where they are there: `7Scenes/train.txt` with a scene, sequence and frame a
line, `12Scenes/apt1/kitchen/train.txt` with a frame a line.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cl_localization.data.files import read_rows
from cl_localization.data.frame import Frame, Sequence
from cl_localization.data.reading import ImageFile, ImageFileSequence
from cl_localization.data.sequence import IndexedSequence, frame_names, select
from cl_localization.data.seven_scenes import is_7scenes, open_7scenes
from cl_localization.data.twelve_scenes import is_12scenes, open_12scenes
from cl_localization.errors import DataError

DATASETS = ("7S", "12S", "i7S", "i12S", "i19S")
SEVEN_SCENES = {"chess": (0, 0, 0), "fire": (10, 0, 0), "heads": (-10, 0, 0), "office": (0, 10, 0),
                "pumpkin": (0, -10, 0),
                "redkitchen": (0, 0, 10), "stairs": (0, 0, -10)}
TWELVE_SCENES = {"apt1/kitchen": (0, -20, 0), "apt1/living": (0, -20, 0), "apt2/bed": (20, 0, 0),
                 "apt2/kitchen": (20, 0, 0),
                 "apt2/living": (25, 0, 0), "apt2/luke": (20, 0, 0), "office1/gates362": (-20, 0, 0),
                 "office1/gates381": (-25, 5, 0),
                 "office1/lounge": (-20, 0, 0), "office1/manolis": (-20, -5, 0), "office2/5a": (0, 20, 0),
                 "office2/5b": (0, 20, 0)}
"""Scenes in the order they are learned in, with their published places in the frame of all [m]; some of 12-Scenes share
one."""
FOLDERS = {"7S": "7Scenes", "12S": "12Scenes"}
SPLITS = ("train", "test")


@dataclass(frozen=True)
class BenchmarkScene:
    """One scene of a benchmark.

    Attributes:
        name: as published, such as chess or apt1/kitchen.
        kind: 7S or 12S, which says how it lies on the disk.
        offset_m: where its origin is put in the frame of all scenes.
    """

    name: str
    kind: str
    offset_m: tuple[float, float, float] = (0.0, 0.0, 0.0)


def benchmark_scenes(dataset: str, scene: str = "") -> tuple[BenchmarkScene, ...]:
    """Return the scenes of a benchmark in the order they are learned in.

    Args:
        dataset: one of `DATASETS`.
        scene: of 7S and 12S the one that is meant; benchmarks of several scenes have all of theirs.

    Raises:
        DataError: an unknown data set, or 7S and 12S without one of their scenes.
    """
    if dataset not in DATASETS:
        raise DataError("dataset", f"must be one of {', '.join(DATASETS)}", repr(dataset))
    seven = tuple(BenchmarkScene(name, "7S", offset_m) for name, offset_m in SEVEN_SCENES.items())
    twelve = tuple(BenchmarkScene(name, "12S", offset_m) for name, offset_m in TWELVE_SCENES.items())
    if dataset.startswith("i"):
        return {"i7S": seven, "i12S": twelve, "i19S": seven + twelve}[dataset]
    alone = {each.name: BenchmarkScene(each.name, each.kind) for each in (seven if dataset == "7S" else twelve)}
    if scene not in alone:
        raise DataError(f"scene of {dataset}", f"must be one of {', '.join(alone)}", repr(scene))
    return (alone[scene],)


def open_benchmark_scene(scene: BenchmarkScene, data_path: Path, split: str) -> IndexedSequence:
    """Open the training or test frames of a scene in its own frame.

    Frames with an infinite pose are left out and named in `skipped`, as the benchmarks have it.

    Raises:
        DataError: no such folder, a split or frame that is listed but not there, or a training frame without pose or
            depth.
    """
    if split not in SPLITS:
        raise DataError("split", f"must be one of {', '.join(SPLITS)}", repr(split))
    folder = _folder(scene, data_path)
    listed = _listed_frames(scene, folder, split)
    reader = open_7scenes if scene.kind == "7S" else open_12scenes
    sequence = reader(folder, scene.name, split="all" if listed else split)
    wanted = _places(sequence, listed, split) if listed else list(range(len(sequence)))
    if split == "train":
        _check_complete(sequence.name, [sequence.files[index] for index in wanted])
    return select(sequence, wanted, scene.name) if listed else sequence


class MovedSequence(IndexedSequence):
    """A sequence in a frame whose origin lies elsewhere: all poses moved by `shift_m` (3,)."""

    def __init__(self, sequence: Sequence, shift_m: Iterable[float]) -> None:
        """Move a sequence."""
        self.sequence, self.shift_m = sequence, np.asarray(tuple(shift_m), dtype=np.float64)
        self.base_T_cam = getattr(sequence, "base_T_cam", None)
        super().__init__(sequence.name, frame_names(sequence), sequence.skipped, getattr(sequence, "notes", ()))

    def _frame(self, index: int) -> Frame:
        frame = self.sequence[index]
        return replace(frame, world_T_cam=self._moved(frame.world_T_cam))

    def _pose(self, index: int) -> np.ndarray | None:
        return self._moved(self.sequence.pose(index))

    def _moved(self, world_T_cam: np.ndarray | None) -> np.ndarray | None:
        if world_T_cam is None:
            return None
        moved = np.array(world_T_cam, dtype=np.float64)
        moved[:3, 3] += self.shift_m
        return moved


def mean_position_m(sequence: Sequence) -> np.ndarray:
    """Return the mean of a sequence's camera positions (3,).

    Raises:
        DataError: no frame has a pose.
    """
    poses = [pose for index in range(len(sequence)) if (pose := sequence.pose(index)) is not None]
    if not poses:
        raise DataError(f"sequence {sequence.name}", "must have frames with poses", f"{len(sequence)} frames without")
    return np.mean([pose[:3, 3] for pose in poses], axis=0)


def _folder(scene: BenchmarkScene, data_path: Path) -> Path:
    """Return where a scene lies."""
    recognised = is_7scenes if scene.kind == "7S" else is_12scenes
    places = [data_path / FOLDERS[scene.kind] / scene.name, data_path / scene.name]
    for place in places:
        if recognised(place):
            return place
    found = "a folder of another layout" if any(place.is_dir() for place in places) else "nothing"
    raise DataError(f"scene {scene.name}", f"must lie in {places[0]} or {places[1]} as it is published", found,
                    "check --data-path")


def _listed_frames(scene: BenchmarkScene, folder: Path, split: str) -> list[str]:
    """Return the names `seq-01/frame-000000` or `frame-000000` that a list of frames has of a scene; empty without a
    list."""
    if scene.kind == "12S":
        listing = folder / f"{split}.txt"
        return [row[0] for row in read_rows(listing)] if listing.is_file() else []
    listing = folder.parent / f"{split}.txt"
    if not listing.is_file():
        return []
    rows = [row for row in read_rows(listing) if row[0] == scene.name]
    if not rows or any(len(row) != 3 for row in rows):
        raise DataError(f"list {listing}", f"must have lines like: {scene.name} seq-01 frame-000000",
                        f"{len(rows)} lines of {scene.name}",
                        "remove it to use the scene's own split")
    return [f"{row[1]}/{row[2]}" for row in rows]


def _check_complete(scene: str, files: list[ImageFile]) -> None:
    """Raise DataError for frames that cannot be learned from."""
    for what, names in (("pose", [file.name for file in files if file.world_T_cam is None]),
                        ("depth", [file.name for file in files if file.depth_path is None])):
        if names:
            raise DataError(f"training frames of {scene}", f"must all have a {what} file",
                            f"{len(names)} without, the first is {names[0]}", "copy the data set again")


def _places(sequence: ImageFileSequence, listed: list[str], split: str) -> list[int]:
    """Return where the listed frames are, in the order of the list; those with infinite poses may be listed."""
    places = {_key(name, listed[0]): index for index, name in enumerate(sequence.names)}
    skipped = {_key(name, listed[0]) for name in sequence.skipped}
    missing = [name for name in listed if name not in places and name not in skipped]
    if missing:
        raise DataError(f"scene {sequence.name}", f"must have all frames that {split}.txt lists",
                        f"{len(missing)} of {len(listed)} are missing, the first is {missing[0]}",
                        "copy the data set again")
    return [places[name] for name in listed if name in places]


def _key(name: str, like: str) -> str:
    """Return a frame's name with its folder if the names of the list have one."""
    return name if "/" in like else name.rsplit("/", 1)[-1]
