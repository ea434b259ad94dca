"""TUM RGB-D: a folder with `rgb.txt`, and usually `depth.txt` and `groundtruth.txt`.

Depth is registered to colour by the data set, 1/5000 m a step. The camera is, in this order: `camera.yaml` in the
folder; the published calibration when the folder's name says freiburg1, 2 or 3; the data set's default of 525 px. Poses
are of the colour camera.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cl_localization.data.camera_file import read_camera_file
from cl_localization.data.camera_yaml import CAMERA_YAML
from cl_localization.data.files import is_file, read_rows
from cl_localization.data.sequence import ImageFile, ImageFileSequence
from cl_localization.data.stamps import NS_PER_S, parse_stamp_s
from cl_localization.data.trajectory import Trajectory, read_trajectory
from cl_localization.errors import DataError
from cl_localization.geometry.camera import Camera

DEPTH_UNIT_M = 1 / 5000
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
    return path.is_dir() and (path / "rgb.txt").is_file()


def open_tum(path: Path, name: str = "", *, max_difference_s: float = 0.02,
             max_gap_s: float = 0.1) -> ImageFileSequence:
    """Open a sequence; images that are listed but missing are skipped and counted.

    Args:
        max_difference_s: an image gets the depth image nearest in time, if not further away than this; so with a pose
            where there is none on both sides.
        max_gap_s: poses are interpolated between neighbours up to this far apart.

    Raises:
        DataError: no images, malformed lists, intrinsics of another image size.
        GeometryError: a pose with a zero quaternion.
    """
    camera, note = _camera(path)
    images = _listed(path / "rgb.txt")
    listed = _listed(path / "depth.txt") if (path / "depth.txt").is_file() else []
    depths = [entry for entry in listed if is_file(entry[1])]
    poses = read_trajectory(path / "groundtruth.txt") if (path / "groundtruth.txt").is_file() else None
    depth_stamps_ns = np.array([stamp for stamp, _ in depths], np.int64)
    files, skipped = [], []
    for stamp_ns, image_path in images:
        if not is_file(image_path):
            skipped.append(image_path.stem)
            continue
        nearest = nearest_index(depth_stamps_ns, stamp_ns, round(max_difference_s * NS_PER_S))
        files.append(ImageFile(image_path.stem, stamp_ns, image_path, camera,
                               pose_at(poses, stamp_ns, max_gap_s, max_difference_s),
                               None if nearest is None else depths[nearest][1], DEPTH_UNIT_M))
    return ImageFileSequence(name or str(path), files, skipped, [note])


def nearest_index(stamps_ns: np.ndarray, stamp_ns: int, max_difference_ns: int) -> int | None:
    """Return the index of the nearest of ascending stamps (N,) int64, None if it is further away than allowed."""
    if len(stamps_ns) == 0:
        return None
    after = int(np.searchsorted(stamps_ns, stamp_ns))
    candidates = [index for index in (after - 1, after) if 0 <= index < len(stamps_ns)]
    best = min(candidates, key=lambda index: abs(int(stamps_ns[index]) - stamp_ns))
    return best if abs(int(stamps_ns[best]) - stamp_ns) <= max_difference_ns else None


def pose_at(poses: Trajectory | None, stamp_ns: int, max_gap_s: float, max_hold_s: float) -> np.ndarray | None:
    """Return the pose (4, 4) at a stamp as `Trajectory.at`, None without a trajectory."""
    return None if poses is None else poses.at(stamp_ns, round(max_gap_s * NS_PER_S), round(max_hold_s * NS_PER_S))


def _listed(path: Path) -> list[tuple[int, Path]]:
    """Return (stamp_ns, file) of each line, in order of time."""
    listed = []
    for number, words in enumerate(read_rows(path), start=1):
        if len(words) < 2:
            raise DataError(f"line {number} of {path}", "must be: stamp file", " ".join(words))
        listed.append((parse_stamp_s(words[0], f"line {number} of {path}"), path.parent / words[1]))
    return sorted(listed, key=lambda entry: entry[0])


def _camera(path: Path) -> tuple[Camera, str]:
    if (path / CAMERA_YAML).is_file():
        return read_camera_file(path / CAMERA_YAML), f"camera from {CAMERA_YAML}"
    known = next((key for key in CALIBRATIONS if key in path.resolve().name), None)
    (fx, fy, cx, cy), distortion = CALIBRATIONS[known] if known else DEFAULT_CALIBRATION
    camera = Camera.from_opencv(*IMAGE_SIZE, np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1.0]]), "", distortion)
    default = f"camera is the data set's default of 525 px; put a {CAMERA_YAML} beside rgb.txt"
    return camera, f"camera of {known}" if known else default
