"""7-Scenes: Kinect sequences with poses, and what `export_7scenes` writes.

A sequence is a folder of `frame-NNNNNN.color.png` (or .jpg), `.depth.png` and `.pose.txt`; a scene is a folder of
sequences `seq-NN`.

The published calibration is applied: colour focal length 525 px, depth 585 px, principal points in the centre. The
published poses are those of the depth sensor, so they are moved to the colour camera, and the depth is registered to
it. A `camera.yaml` in the folder, or a `camera-intrinsics.txt` there or in the folder above (3DMatch), says that
neither is needed: depth and poses are already those of the colour camera it describes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from cl_localization.data.camera_file import CAMERA_YAML, image_size
from cl_localization.data.files import names_file, read_rows
from cl_localization.data.reading import (
    Findings,
    ImageFile,
    ImageFileSequence,
    checked_split,
    depth_beside,
    depth_unit,
    pose_file,
)
from cl_localization.data.registration import DepthRegistration
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
STAMPS_FILE, INTRINSICS = "stamps.txt", "camera-intrinsics.txt"


@dataclass(frozen=True)
class Request:
    """What the user wants; `open_7scenes` explains each."""

    calibrated: bool
    camera: str
    depth: bool
    depth_unit_m: float


def is_7scenes(path: Path) -> bool:
    """Return whether a folder looks like a 7-Scenes sequence or scene."""
    return path.is_dir() and (_has_frames(path) or any(_has_frames(folder) for folder in _sequence_folders(path)))


def open_7scenes(path: Path, name: str = "", *, calibrated: bool = True, split: str = "all", camera: str = "",
                 depth: bool = True, depth_unit_m: float = 0.0) -> ImageFileSequence:
    """Open a sequence folder `seq-NN`, or all sequences of a scene one after the other.

    Missing depth or pose files leave the frame without them; frames whose pose holds infinity or NaN are skipped and
    counted.

    Args:
        calibrated: whether to register depth and move poses to the colour camera; False gives both as they lie on the
            disk.
        split: "train" or "test" takes the sequences that `TrainSplit.txt` or `TestSplit.txt` of a scene lists.
        camera: a calibration file, see `read_camera_file`, of a camera that depth and poses are already those of.
        depth, depth_unit_m: whether to read depth, and metres of a step of it; 0 for millimetres.

    Raises:
        DataError: no frames, an unreadable pose file, or a split that is not there.
        GeometryError: a pose that is no rotation.
    """
    is_scene = not _has_frames(path)
    if not is_scene and split != "all":
        raise DataError(f"split {split}", "needs the folder of a scene", path,
                        "give the folder above, or leave split out")
    findings, request = Findings(), Request(calibrated, camera, depth, depth_unit(depth_unit_m))
    for folder in _split_folders(path, split) if is_scene else [path]:
        _add_frames(folder, f"{folder.name}/" if is_scene else "", request, findings)
    return findings.sequence(name or str(path))


def _has_frames(folder: Path) -> bool:
    return any(COLOUR_FILE.match(file.name) for file in folder.glob("frame-*.color.*"))


def colour_files(folder: Path) -> list[tuple[int, Path]]:
    """Return (number, file) of the colour images of a folder, in order."""
    return sorted((int(match[1]), file) for file in folder.glob("frame-*.color.*")
                  if (match := COLOUR_FILE.match(file.name)) and names_file(file))


def _sequence_folders(path: Path) -> list[Path]:
    return sorted(folder for folder in path.glob("seq-*") if SEQUENCE_FOLDER.match(folder.name) and folder.is_dir())


def _split_folders(path: Path, split: str) -> list[Path]:
    if checked_split(split) == "all":
        return _sequence_folders(path)
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


def _add_frames(folder: Path, prefix: str, request: Request, findings: Findings) -> None:
    """Add the frames of one folder after those of the folders before."""
    colour = colour_files(folder)
    if not colour:
        return
    camera, move = _camera(folder, colour[0][1], request, findings)
    stamps_ns = _stamps(folder)
    start_ns = findings.files[-1].stamp_ns + PAUSE_BETWEEN_SEQUENCES_NS if findings.files else 0
    for number, image_path in colour:
        stem = image_path.name.split(".")[0]
        pose_path = folder / f"{stem}.pose.txt"
        findings.add(ImageFile(
            prefix + stem, start_ns + stamps_ns.get(stem, number * FRAME_PERIOD_NS), image_path, camera,
            pose_file(pose_path), depth_beside(folder, f"{stem}.depth") if request.depth else None,
            request.depth_unit_m, kinect_registration() if move else None),
            f"pose {pose_path}", inverse(COLOUR_T_DEPTH) if move else None)


def _camera(folder: Path, image_path: Path, request: Request, findings: Findings) -> tuple[Camera, bool]:
    """Return the camera, and whether the published calibration is to be applied to depth and poses."""
    places = (folder / CAMERA_YAML, folder / INTRINSICS, folder.parent / INTRINSICS)
    if (view := findings.camera_given(request.camera, image_path, places)) is not None:
        if Path(findings.camera_source).name == INTRINSICS:
            findings.assumed(f"depth and poses are taken as those of the camera in {findings.camera_source}")
        return view, False
    findings.camera_source = "7-Scenes' published calibration"
    done = "depth registered, poses moved to the colour camera" if request.calibrated else "depth and poses as they are"
    findings.assumed(f"camera is that of 7-Scenes, 525 px; {done}. If this was made by another camera, put "
                     f"{CAMERA_YAML} beside the frames or give ?camera=FILE")
    if (size_px := image_size(image_path)) != (COLOUR_CAMERA.width_px, COLOUR_CAMERA.height_px):
        raise DataError(f"image {image_path}", "must be 640x480 for the calibration of 7-Scenes",
                        f"{size_px[0]}x{size_px[1]}", f"put {CAMERA_YAML} beside it or give ?camera=FILE")
    return COLOUR_CAMERA, request.calibrated


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
