"""7-Scenes: Kinect sequences with poses, and what `export_7scenes` writes.

A sequence is a folder of `frame-NNNNNN.color.png` (or .jpg), `.depth.png` and `.pose.txt`; a scene is a folder of
sequences `seq-NN`.

The published calibration is applied: colour focal length 525 px, depth 585 px, principal points in the centre. The
published poses are those of the depth sensor, so they are moved to the colour camera, and the depth is registered to
it. A `camera.yaml` in the folder says that neither is needed: depth and poses are already those of the colour camera it
describes.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

import numpy as np

from cl_localization.data.camera_file import read_camera_file
from cl_localization.data.camera_yaml import CAMERA_YAML
from cl_localization.data.files import read_matrix, read_rows
from cl_localization.data.registration import DepthRegistration
from cl_localization.data.sequence import ImageFile, ImageFileSequence
from cl_localization.errors import DataError
from cl_localization.geometry.camera import Camera
from cl_localization.geometry.se3 import inverse, validated

FRAME_PERIOD_NS = 1_000_000_000 // 30
PAUSE_BETWEEN_SEQUENCES_NS = 10_000_000_000
COLOUR_CAMERA = Camera(640, 480, 525.0, 525.0, 320.0, 240.0)
DEPTH_CAMERA = Camera(640, 480, 585.0, 585.0, 320.0, 240.0)
COLOUR_T_DEPTH = validated(np.array([[0.99996518, 0.00267651, -0.00790410, -0.02555894],
                                     [-0.00274093, 0.99996303, -0.00815045, 0.00010110],
                                     [0.00788199, 0.00817183, 0.99993555, 0.00203183],
                                     [0.0, 0.0, 0.0, 1.0]]), "Kinect calibration")
"""Calibration of LIRIS, which the scene coordinate methods use, in metres; its eight digits made an exact rotation."""

COLOUR_FILE = re.compile(r"frame-(\d{1,12})\.color\.(png|jpg|jpeg)$")
SEQUENCE_FOLDER = re.compile(r"seq-\d+$")
STAMPS_FILE = "stamps.txt"


def is_7scenes(path: Path) -> bool:
    """Return whether a folder looks like a 7-Scenes sequence or scene."""
    return path.is_dir() and (_has_frames(path) or any(_has_frames(folder) for folder in _sequence_folders(path)))


def open_7scenes(path: Path, name: str = "", *, calibrated: bool = True, split: str = "all") -> ImageFileSequence:
    """Open a sequence folder `seq-NN`, or all sequences of a scene one after the other.

    Missing depth or pose files leave the frame without them; frames whose pose holds infinity or NaN are skipped and
    counted.

    Args:
        calibrated: whether to register depth and move poses to the colour camera; False gives both as they lie on the
            disk.
        split: "train" or "test" takes the sequences that `TrainSplit.txt` or `TestSplit.txt` of a scene lists.

    Raises:
        DataError: no frames, an unreadable pose file, or a split that is not there.
        GeometryError: a pose that is no rotation.
    """
    is_scene = not _has_frames(path)
    if not is_scene and split != "all":
        raise DataError(f"split {split}", "needs the folder of a scene", path,
                        "give the folder above, or leave split out")
    folders = _split_folders(path, split) if is_scene else [path]
    files: list[ImageFile] = []
    skipped: list[str] = []
    for folder in folders:
        start_ns = files[-1].stamp_ns + PAUSE_BETWEEN_SEQUENCES_NS if files else 0
        _add_frames(folder, f"{folder.name}/" if is_scene else "", start_ns, calibrated, files, skipped)
    return ImageFileSequence(name or str(path), files, skipped)


def _has_frames(folder: Path) -> bool:
    return any(COLOUR_FILE.match(file.name) for file in folder.glob("frame-*.color.*"))


def _sequence_folders(path: Path) -> list[Path]:
    return sorted(folder for folder in path.glob("seq-*") if SEQUENCE_FOLDER.match(folder.name) and folder.is_dir())


def _split_folders(path: Path, split: str) -> list[Path]:
    if split == "all":
        return _sequence_folders(path)
    if split not in ("train", "test"):
        raise DataError("option split", "must be all, train or test", repr(split))
    listing = path / f"{split.capitalize()}Split.txt"
    numbers = [int("".join(re.findall(r"\d+", row[0])) or 0) for row in read_rows(listing)]
    folders = [folder for folder in _sequence_folders(path) if int(folder.name[4:]) in numbers]
    if len(folders) != len(set(numbers)):
        raise DataError(f"split {listing}", "must list sequences that are there",
                        [row[0] for row in read_rows(listing)],
                        f"beside it are {', '.join(folder.name for folder in _sequence_folders(path))}")
    return folders


@lru_cache(maxsize=1)
def kinect_registration() -> DepthRegistration:
    """Return the registration of the published Kinect calibration; made once."""
    return DepthRegistration(DEPTH_CAMERA, COLOUR_CAMERA, COLOUR_T_DEPTH)


def _add_frames(folder: Path, prefix: str, start_ns: int, calibrated: bool, files: list[ImageFile],
                skipped: list[str]) -> None:
    """Append the frames of one folder to `files`, and the names of those with an infinite pose to `skipped`."""
    registered = (folder / CAMERA_YAML).is_file()
    camera = read_camera_file(folder / CAMERA_YAML) if registered else COLOUR_CAMERA
    move = calibrated and not registered
    stamps_ns = _stamps(folder)
    colour = sorted((int(match[1]), file)
                    for file in folder.glob("frame-*.color.*") if (match := COLOUR_FILE.match(file.name)))
    for number, image_path in colour:
        stem = image_path.name.split(".")[0]
        depth_path, pose_path = folder / f"{stem}.depth.png", folder / f"{stem}.pose.txt"
        matrix = read_matrix(pose_path) if pose_path.is_file() else None
        if matrix is not None and not np.isfinite(matrix).all():
            skipped.append(prefix + stem)
            continue
        files.append(ImageFile(
            prefix + stem, start_ns + stamps_ns.get(stem, number * FRAME_PERIOD_NS), image_path, camera,
            None if matrix is None else _colour_pose(matrix, pose_path, move),
            depth_path if depth_path.is_file() else None, registration=kinect_registration() if move else None))


def _colour_pose(matrix: np.ndarray, pose_path: Path, move: bool) -> np.ndarray:
    world_T_sensor = validated(matrix, f"pose {pose_path}")
    return world_T_sensor @ inverse(COLOUR_T_DEPTH) if move else world_T_sensor


def _stamps(folder: Path) -> dict[str, int]:
    """Return the stamps of an exported sequence by the frames' names; empty where the folder has none."""
    path = folder / STAMPS_FILE
    if not path.is_file():
        return {}
    try:
        return {stem: int(stamp_ns) for stem, stamp_ns in read_rows(path)}
    except ValueError:
        raise DataError(f"file {path}", "must have a name and nanoseconds in each line",
                        remedy="export again") from None
