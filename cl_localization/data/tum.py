"""TUM RGB-D and what is written like it (ETH3D, ICL-NUIM): `rgb.txt`, and usually `depth.txt` and
`groundtruth.txt`, or `associations.txt` with both images a line.

Depth is registered to colour by the data set, 1/5000 m a step. The camera is, in this order: the option `camera`;
`camera.yaml` or `calibration.txt` (fx fy cx cy, as ETH3D) in the folder; the published calibration when the folder's
name says freiburg1, 2 or 3; the data set's default of 525 px. Poses are of the colour camera.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cl_localization.data.camera_file import CAMERA_YAML, image_size
from cl_localization.data.files import is_file, read_rows
from cl_localization.data.reading import Findings, ImageFileSequence, StampedFile, depth_unit
from cl_localization.data.stamps import parse_stamp_s
from cl_localization.data.trajectory import read_trajectory
from cl_localization.errors import DataError
from cl_localization.geometry.camera import Camera

DEPTH_UNIT_M = 1 / 5000
RGB, DEPTH, GROUND_TRUTH, CALIBRATION = "rgb.txt", "depth.txt", "groundtruth.txt", "calibration.txt"
ASSOCIATIONS = ("associations.txt", "associated.txt", "associate.txt")
CALIBRATIONS = {
    "freiburg1": ((517.306408, 516.469215, 318.643040, 255.313989),
                  (0.262383, -0.953104, -0.005358, 0.002628, 1.163314)),
    "freiburg2": ((520.908620, 521.007327, 325.141442, 249.701764),
                  (0.231222, -0.784899, -0.003257, -0.000105, 0.917205)),
    "freiburg3": ((535.433105, 539.212524, 320.106653, 247.632132), ()),
}
"""fx, fy, cx, cy in pixels (first pixel centre at 0, 0) and distortion as the data set's page gives them."""

DEFAULT_CALIBRATION = ((525.0, 525.0, 319.5, 239.5), ())
IMAGE_SIZE = (640, 480)


def is_tum(path: Path) -> bool:
    """Return whether a folder looks like a sequence of TUM RGB-D."""
    return path.is_dir() and any((path / name).is_file() for name in (RGB, *ASSOCIATIONS))


def open_tum(path: Path, name: str = "", *, camera: str = "", poses: str = "", depth: bool = True,
             depth_unit_m: float = 0.0, max_difference_s: float = 0.02, max_gap_s: float = 0.1) -> ImageFileSequence:
    """Open a sequence; images that are listed but missing are skipped and counted.

    Args:
        camera: a calibration file; see `read_camera_file`.
        poses: a TUM trajectory of the colour camera, instead of `groundtruth.txt`.
        depth, depth_unit_m: whether to read depth, and metres of a step of it; 0 for 1/5000.
        max_difference_s: an image gets the depth image nearest in time, if not further away than this; so with a pose
            where there is none on both sides.
        max_gap_s: poses are interpolated between neighbours up to this far apart.

    Raises:
        DataError: no images, malformed lists, intrinsics of another image size.
        GeometryError: a pose with a zero quaternion, numbers that are no camera.
    """
    findings = Findings()
    listed, listed_depths = _lists(path)
    images = findings.present(listed)
    if not images:
        return findings.sequence(name or str(path))
    view = _camera(path, camera, images[0][1], findings)
    depths = [entry for entry in listed_depths if depth and is_file(entry[1])]
    unit_m = depth_unit(depth_unit_m, DEPTH_UNIT_M)
    if depths and not depth_unit_m:
        findings.assumed("depth is taken as TUM's, 1/5000 m a step; ?depth_unit_m=0.001 for millimetres")
    poses_path = Path(poses) if poses else path / GROUND_TRUTH
    trajectory = read_trajectory(poses_path) if poses or poses_path.is_file() else None
    findings.add_stamped(images, view, trajectory, poses_path, max_gap_s, max_difference_s, depths=depths,
                         depth_unit_m=unit_m)
    return findings.sequence(name or str(path))


def _lists(path: Path) -> tuple[list[StampedFile], list[StampedFile]]:
    """Return (stamp_ns, file) of each colour and each depth image."""
    if (path / RGB).is_file():
        return stamped_files(path / RGB), stamped_files(path / DEPTH) if (path / DEPTH).is_file() else []
    file = next((path / name for name in ASSOCIATIONS if (path / name).is_file()), None)
    if file is None:
        raise DataError(f"folder {path}", f"must hold one of {', '.join((RGB, *ASSOCIATIONS))}", "none")
    first, second = stamped_files(file, 0), stamped_files(file, 2)
    depth_first = bool(first) and "depth" in str(first[0][1].relative_to(path))
    return (second, first) if depth_first else (first, second)


def stamped_files(path: Path, column: int = 0) -> list[StampedFile]:
    """Return (stamp_ns, file) of each line, whose words from `column` on are a stamp and a file beside the list.

    Raises:
        DataError: a line with fewer words, or another one than a stamp.
    """
    listed = []
    for number, words in enumerate(read_rows(path), start=1):
        if len(words) < column + 2:
            rule = "must be: stamp file" if column == 0 else "must be: stamp image stamp depth image"
            raise DataError(f"line {number} of {path}", rule, " ".join(words))
        listed.append((parse_stamp_s(words[column], f"line {number} of {path}"), path.parent / words[column + 1]))
    return listed


def _camera(path: Path, given: str, image_path: Path, findings: Findings) -> Camera:
    if (view := findings.camera_given(given, image_path, (path / CAMERA_YAML, path / CALIBRATION))) is not None:
        return view
    known = next((key for key in CALIBRATIONS if key in path.resolve().name), None)
    (fx, fy, cx, cy), distortion = CALIBRATIONS[known] if known else DEFAULT_CALIBRATION
    findings.camera_source = f"calibration of {known}" if known else "TUM's default of 525 px"
    if not known:
        findings.assumed(f"camera is TUM's default of 525 px; put a {CAMERA_YAML} beside {RGB} or give ?camera=FILE")
    if (size_px := image_size(image_path)) != IMAGE_SIZE:
        raise DataError(f"image {image_path}", f"must be 640x480 for the {findings.camera_source}",
                        f"{size_px[0]}x{size_px[1]}", f"put a {CAMERA_YAML} beside {RGB} or give ?camera=FILE")
    return Camera.from_opencv(*IMAGE_SIZE, np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1.0]]), "", distortion)
