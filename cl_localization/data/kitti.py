"""KITTI odometry: a folder `sequences/NN` with `image_2/` (or `image_0/`), `calib.txt`, `times.txt`.

Poses are of camera 0, in `poses/NN.txt` beside `sequences`, or `poses.txt` in the folder; the images are rectified and
`calib.txt` says how far beside camera 0 each camera stands.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cl_localization.data.camera_file import image_size
from cl_localization.data.files import read_lines, read_text, to_float
from cl_localization.data.images import image_files
from cl_localization.data.reading import FRAME_PERIOD_NS, Findings, ImageFile, ImageFileSequence
from cl_localization.data.stamps import parse_stamp_s
from cl_localization.errors import DataError, named
from cl_localization.geometry.camera import Camera
from cl_localization.geometry.se3 import inverse

CALIBRATION, TIMES, POSES = "calib.txt", "times.txt", "poses.txt"
CAMERAS = ("image_2", "image_0", "image_3", "image_1")
NUMBERS = 12


def is_kitti(path: Path) -> bool:
    """Return whether a folder is a sequence of KITTI odometry."""
    return path.is_dir() and (path / CALIBRATION).is_file() and any((path / one).is_dir() for one in CAMERAS)


def open_kitti(path: Path, name: str = "", *, image: str = "", poses: str = "", camera: str = "") -> ImageFileSequence:
    """Open a sequence; frames whose pose holds infinity or NaN are skipped and counted.

    Args:
        image: folder of the camera; empty for the left colour camera, else the left grey one.
        camera: a calibration file, see `read_camera_file`, instead of that in `calib.txt`.
        poses: a file of poses of camera 0 in KITTI's format, 12 numbers a line; empty to look for it.

    Raises:
        DataError: no images, malformed files, another number of times or poses than images.
        GeometryError: numbers that are no camera or pose.
    """
    image = image or next(one for one in CAMERAS if image_files(path / one) or one == CAMERAS[-1])
    images, findings = image_files(path / image), Findings(camera_source=str(path / CALIBRATION))
    if not images:
        raise DataError(f"folder {path / image}", "must hold images", "none")
    view, cam0_T_cam = _calibration(path / CALIBRATION, image, image_size(images[0]))
    view = findings.camera_given(camera, images[0]) or view
    stamps_ns = _stamps(path / TIMES, len(images), findings)
    matrices, source = _poses(path, poses, len(images))
    if source:
        findings.assumed(f"poses of camera 0 from {source}, moved to {image}")
    for index, (stamp_ns, file) in enumerate(zip(stamps_ns, images)):
        findings.add(ImageFile(file.stem, stamp_ns, file, view, None if matrices is None else matrices[index]),
                     f"pose {index + 1} of {source}", cam0_T_cam)
    return findings.sequence(name or str(path))


def _calibration(path: Path, image: str, size_px: tuple[int, int]) -> tuple[Camera, np.ndarray]:
    """Return a camera, and where it is on camera 0 (4, 4), of its line `P2: ` of 12 numbers."""
    key = f"P{image.rpartition('_')[2]}:"
    line = next((line for line in read_text(path).splitlines() if line.startswith(key)), "")
    numbers = [to_float(word, f"{key} of {path}") for word in line.split()[1:]]
    if len(numbers) != NUMBERS or not np.isfinite(numbers).all():
        raise DataError(f"{key} of {path}", "must hold 12 numbers", line[:120])
    projection = np.reshape(numbers, (3, 4))
    with named(f"{key} of {path}"):
        camera = Camera.from_opencv(*size_px, projection[:, :3]).checked()
    cam_T_cam0 = np.eye(4)
    cam_T_cam0[:3, 3] = np.linalg.solve(projection[:, :3], projection[:, 3])
    return camera, inverse(cam_T_cam0)


def _stamps(path: Path, count: int, findings: Findings) -> list[int]:
    if not path.is_file():
        findings.assumed(f"there is no {TIMES}: images are taken as 0.1 s apart")
        return [index * FRAME_PERIOD_NS for index in range(count)]
    stamps_ns = [parse_stamp_s(line.split()[0], f"each line of {path}") for line in read_lines(path)]
    if len(stamps_ns) != count:
        raise DataError(f"file {path}", f"must have a time for each of {count} images", len(stamps_ns))
    return stamps_ns


def _poses(path: Path, given: str, count: int) -> tuple[np.ndarray | None, str]:
    """Return world_T_cam0 (N, 4, 4), not yet checked, and the file; None where there is none."""
    places = [Path(given)] if given else [path / POSES, path.parent.parent / "poses" / f"{path.resolve().name}.txt"]
    file = next((place for place in places if given or place.is_file()), None)
    if file is None:
        return None, ""
    numbers = [[to_float(word, f"line {number} of {file}") for word in line.split()]
               for number, line in enumerate(read_lines(file), start=1)]
    if len(numbers) != count or any(len(row) != NUMBERS for row in numbers):
        raise DataError(f"poses {file}", f"must have {count} lines of 12 numbers, one an image",
                        f"{len(numbers)} lines of {sorted({len(row) for row in numbers})[:5]}")
    poses = np.tile(np.eye(4), (count, 1, 1))
    poses[:, :3] = np.reshape(numbers, (count, 3, 4))
    return poses, str(file)
