"""What readers of folders share: images in the order of their names, cameras and poses of small files, options."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cl_localization.data.camera_file import image_size, read_camera_file, stated_camera
from cl_localization.data.files import is_file, read_matrix
from cl_localization.data.images import DEPTH_SUFFIXES, IMAGE_SUFFIXES
from cl_localization.data.sequence import ImageFile, ImageFileSequence
from cl_localization.data.stamps import natural_key
from cl_localization.errors import DataError
from cl_localization.geometry.camera import Camera
from cl_localization.geometry.se3 import validated

FRAME_PERIOD_NS = 100_000_000
"""Between images that carry no time."""

OPENGL_T_OPENCV = np.diag([1.0, -1.0, -1.0, 1.0])
"""Camera axes of OpenGL and ARKit (y up, z back) to x right, y down, z forward."""

DEPTH_UNITS_M = (1e-6, 1e3)
DEFAULT_DEPTH_UNIT_M = 0.001


@dataclass
class Findings:
    """What a reader gathers beside the frames: notes for the user, frames left out, where the camera is from."""

    notes: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    camera_source: str = ""

    def assumed(self, note: str) -> None:
        """Add a note once."""
        if note not in self.notes:
            self.notes.append(note)

    def camera_of_file(self, path: Path, image_path: Path) -> Camera:
        """Return the camera of a calibration file for images like this one; scaled to them with a note.

        Raises:
            DataError, GeometryError: as `read_camera_file`.
        """
        size_px = image_size(image_path)
        camera = read_camera_file(path, size_px)
        self.camera_source = str(path)
        if camera.fx_px != (stated := stated_camera(path, size_px)).fx_px:
            self.assumed(f"calibration {path} of {stated.width_px}x{stated.height_px} scaled to images of "
                         f"{size_px[0]}x{size_px[1]}")
        return camera

    def sequence(self, name: str, files: list[ImageFile]) -> ImageFileSequence:
        """Return the sequence of files that were found. Raises DataError for none."""
        return ImageFileSequence(name, files, self.skipped, self.notes, self.camera_source)

    def pose(self, matrix: np.ndarray, thing: str, name: str) -> np.ndarray | None:
        """Return a 4x4 pose of a file; None, with the frame counted as left out, when a number is infinite or NaN.

        Raises:
            GeometryError: finite numbers that are no pose.
        """
        if not np.isfinite(matrix).all():
            self.skipped.append(name)
            return None
        return validated(matrix, thing)


def checked_split(split: str) -> str:
    """Return the option `split` of data sets that have two. Raises DataError for another word."""
    if split not in ("all", "train", "test"):
        raise DataError("option split", "must be all, train or test", repr(split))
    return split


def image_files(folder: Path, suffixes: tuple[str, ...] = IMAGE_SUFFIXES) -> list[Path]:
    """Return the images in a folder in the order of their names; none where it is not there.

    Hidden files are left out: macOS puts a `._NAME` beside each file it copies.
    """
    if not folder.is_dir():
        return []
    found = [file for file in folder.iterdir() if file.suffix.lower() in suffixes and not file.name.startswith(".")]
    return sorted(found, key=lambda file: natural_key(file.stem))


def depth_beside(folder: Path, stem: str) -> Path | None:
    """Return the depth image of a frame in a folder, whatever its format; None if there is none."""
    return next((path for suffix in DEPTH_SUFFIXES if is_file(path := folder / f"{stem}{suffix}")), None)


def pose_file(path: Path) -> np.ndarray | None:
    """Return the 4x4 matrix of a text file, whose numbers may be infinite; None where there is no file.

    Raises:
        DataError: not 16 numbers.
    """
    return read_matrix(path) if path.is_file() else None


def depth_unit(given_m: float, default_m: float = DEFAULT_DEPTH_UNIT_M) -> float:
    """Return the metres of a step of depth that the option `depth_unit_m` asks for; 0 is the reader's default.

    Raises:
        DataError: no unit of depth.
    """
    if given_m == 0:
        return default_m
    if not DEPTH_UNITS_M[0] <= given_m <= DEPTH_UNITS_M[1]:
        raise DataError("option depth_unit_m", f"must lie in {DEPTH_UNITS_M[0]:g} to {DEPTH_UNITS_M[1]:g} m", given_m,
                        "0.001 for millimetres")
    return given_m
