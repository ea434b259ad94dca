"""EuRoC and other folders in ASL's layout (TUM-VI): `mav0/cam0/data`, `data.csv`, `sensor.yaml`, and a ground truth.

Ground truth is the pose of the body (the IMU, or the motion capture's markers); `T_BS` of `sensor.yaml` puts the
camera on it. Stamps are nanoseconds. Images are distorted as they come; the camera carries the distortion.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cl_localization.data.camera_file import numbers_under
from cl_localization.data.files import is_file, read_lines, read_yaml_mapping
from cl_localization.data.images import IMAGE_SUFFIXES, image_files
from cl_localization.data.reading import Findings, ImageFileSequence
from cl_localization.data.stamps import parse_stamp_s, stamp_of_name
from cl_localization.data.trajectory import (
    Trajectory,
    make_trajectory,
    poses_of,
    read_trajectory,
    stamped_table,
)
from cl_localization.errors import DataError
from cl_localization.geometry.se3 import inverse, validated

MAV, SENSOR, DATA = "mav0", "sensor.yaml", "data.csv"
TRUTHS = ("state_groundtruth_estimate0", "mocap0", "vicon0")
"""Folders of poses in the order in which they are looked for."""

ASL_COLUMNS = 8


def is_euroc(path: Path) -> bool:
    """Return whether a folder holds, or is, a `mav0` with a camera."""
    return path.is_dir() and (_mav(path) / "cam0" / "data").is_dir()


def open_euroc(path: Path, name: str = "", *, image: str = "cam0", camera: str = "", pose: str = "",
               max_gap_s: float = 0.1) -> ImageFileSequence:
    """Open a sequence; images that are listed but missing are skipped and counted.

    Args:
        image: folder of the camera in `mav0`.
        camera: a calibration file, see `read_camera_file`, instead of its `sensor.yaml`.
        pose: folder of poses in `mav0`, or a TUM file of the body's poses; empty to look for the usual ones, "none".
        max_gap_s: poses are interpolated between neighbours up to this far apart.

    Raises:
        DataError: no images, malformed lists or calibration.
        GeometryError: numbers that are no camera or pose.
    """
    mav, findings = _mav(path), Findings()
    folder = mav / image
    listed = _listed(folder)
    images = findings.present(listed)
    if not images:
        raise DataError(f"camera {folder}", "must have images", f"0 of {len(listed)} listed",
                        f"look into {folder / 'data'}")
    view = findings.camera_of_file(Path(camera) if camera else folder / SENSOR, images[0][1])
    truth, source = _truth(mav, pose, findings)
    body_T_cam = np.eye(4) if truth is None else _extrinsics(folder / SENSOR, mav / source / SENSOR, findings)
    findings.add_stamped(images, view, truth, source, max_gap_s, body_T_cam=body_T_cam)
    return findings.sequence(name or str(path))


def _mav(path: Path) -> Path:
    return path / MAV if (path / MAV).is_dir() else path


def _listed(folder: Path) -> list[tuple[int, Path]]:
    """Return (stamp_ns, file) of the images of `data.csv`, or of their names where there is none."""
    if not (folder / DATA).is_file():
        stamped = ((stamp_of_name(file.stem), file) for file in image_files(folder / "data"))
        return [(stamp_ns, file) for stamp_ns, file in stamped if stamp_ns is not None]
    listed = []
    for line in read_lines(folder / DATA):
        words = line.split()
        if len(words) < 2 or not words[1].lower().endswith(IMAGE_SUFFIXES):
            raise DataError(f"line of {folder / DATA}", "must be: stamp_ns,file", line[:80])
        listed.append((parse_stamp_s(words[0], f"each line of {folder / DATA}"), folder / "data" / words[1]))
    return listed


def _truth(mav: Path, pose: str, findings: Findings) -> tuple[Trajectory | None, str]:
    """Return the body's poses and the folder or file that they are from."""
    if pose == "none":
        return None, ""
    if pose and is_file(Path(pose)):
        return read_trajectory(Path(pose)), pose
    found = [folder for folder in ([pose] if pose else TRUTHS) if (mav / folder / DATA).is_file()]
    if not found and pose:
        raise DataError(f"poses {pose}", f"must be a TUM file or a folder of {mav} with {DATA}", "neither")
    if not found:
        return None, ""
    findings.assumed(f"poses from {found[0]}, of the body; T_BS of {SENSOR} puts the camera on it")
    file = mav / found[0] / DATA
    lines = [" ".join(line.split()[:ASL_COLUMNS]) for line in read_lines(file)]
    stamps_ns, table = stamped_table(lines, file, ASL_COLUMNS, "stamp_ns, x, y, z, qw, qx, qy, qz")
    return make_trajectory(stamps_ns, poses_of(table[:, [0, 1, 2, 4, 5, 6, 3]], str(file))), found[0]


def _extrinsics(camera_file: Path, truth_file: Path, findings: Findings) -> np.ndarray:
    """Return where the camera is on what the poses are of (4, 4)."""
    if not camera_file.is_file():
        findings.assumed(f"there is no {camera_file}: poses are taken as the camera's own")
        return np.eye(4)
    body_T_cam = _transform(camera_file)
    return body_T_cam if not truth_file.is_file() else inverse(_transform(truth_file)) @ body_T_cam


def _transform(file: Path) -> np.ndarray:
    """Return `T_BS` (4, 4) of a sensor: it takes the sensor's points to the body."""
    numbers = numbers_under(read_yaml_mapping(file), ("T_BS",), f"file {file}", 16, "copy it again")
    return validated(np.reshape(numbers, (4, 4)), f"T_BS of {file}")
