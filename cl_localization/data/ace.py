"""The layout of ACE and DSAC*: `train/` and `test/` with `rgb/`, `poses/`, `calibration/`, and maybe `depth/`.

Files of one frame have the same place in the order of their names. Poses are camera to world. A calibration is a focal
length, with the principal point in the middle, or a 3x3 matrix; both count pixels from the image's corner.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cl_localization.data.camera_file import image_size, numbers_of
from cl_localization.data.files import read_matrix
from cl_localization.data.images import DEPTH_SUFFIXES, image_files
from cl_localization.data.reading import (
    DEFAULT_DEPTH_UNIT_M,
    FRAME_PERIOD_NS,
    Findings,
    ImageFile,
    ImageFileSequence,
    checked_split,
    depth_unit,
)
from cl_localization.errors import DataError, named
from cl_localization.geometry.camera import Camera

RGB, POSES, CALIBRATION, DEPTH = "rgb", "poses", "calibration", "depth"
SPLITS = ("train", "test")


def is_ace(path: Path) -> bool:
    """Return whether a folder is a scene of ACE, or one of its splits."""
    return path.is_dir() and any(all((place / part).is_dir() for part in (RGB, POSES, CALIBRATION))
                                 for place in (path, *(path / split for split in SPLITS)))


def open_ace(path: Path, name: str = "", *, split: str = "all", camera: str = "", depth: bool = True,
             depth_unit_m: float = 0.0) -> ImageFileSequence:
    """Open a scene, `train` before `test`, or one split of it.

    Frames whose pose holds infinity or NaN are skipped and counted.

    Args:
        split: "train", "test" or "all".
        camera: a calibration file, see `read_camera_file`, instead of `calibration/`.
        depth, depth_unit_m: whether to read `depth/`, and metres of a step of it; 0 for millimetres.

    Raises:
        DataError: no frames, or numbers of files that do not fit each other.
        GeometryError: numbers that are no camera or pose.
    """
    checked_split(split)
    single = (path / RGB).is_dir()
    wanted = [""] if single else [one for one in SPLITS if split in ("all", one) and (path / one / RGB).is_dir()]
    if single and split != "all":
        raise DataError(f"split {split}", "needs the folder of a scene", path, "give the folder above")
    findings = Findings()
    unit_m = depth_unit(depth_unit_m) if depth else None
    for one in wanted:
        _add_frames(path / one, f"{one}/" if one else "", camera, unit_m, findings)
    return findings.sequence(name or str(path))


def _add_frames(folder: Path, prefix: str, camera: str, unit_m: float | None, findings: Findings) -> None:
    """Add the frames of one split; without a unit of depth they have none."""
    images = image_files(folder / RGB)
    poses, calibrations = image_files(folder / POSES, (".txt",)), image_files(folder / CALIBRATION, (".txt",))
    depths = image_files(folder / DEPTH, DEPTH_SUFFIXES) if unit_m is not None else []
    for what, found in ((POSES, poses), (CALIBRATION, calibrations), (DEPTH, depths)):
        if len(found) != len(images) and not (what == DEPTH and not found):
            raise DataError(f"folder {folder / what}", f"must have a file for each of {len(images)} images", len(found))
    given = findings.camera_given(camera, images[0]) if images else None
    findings.camera_source = findings.camera_source or str(folder / CALIBRATION)
    size_px = image_size(images[0]) if images else (0, 0)
    start = len(findings.files)
    for index, (image_path, pose_path, calibration) in enumerate(zip(images, poses, calibrations)):
        findings.add(ImageFile(prefix + image_path.stem, (start + index) * FRAME_PERIOD_NS, image_path,
                               given or _camera(calibration, size_px), read_matrix(pose_path),
                               depths[index] if depths else None, unit_m or DEFAULT_DEPTH_UNIT_M),
                     f"pose {pose_path}")


def _camera(path: Path, size_px: tuple[int, int]) -> Camera:
    numbers = numbers_of(path)
    if len(numbers) not in (1, 9):
        raise DataError(f"calibration {path}", "must hold a focal length or a 3x3 matrix", f"{len(numbers)} numbers")
    focal_px = numbers[0]
    matrix = np.reshape(numbers, (3, 3)) if len(numbers) == 9 \
        else np.array([[focal_px, 0, 0.5 * size_px[0]], [0, focal_px, 0.5 * size_px[1]], [0, 0, 1]])
    with named(f"calibration {path}"):
        from_first_centre = matrix - np.array([[0, 0, 0.5], [0, 0, 0.5], [0, 0, 0]])
        return Camera.from_opencv(*size_px, from_first_centre).checked()
