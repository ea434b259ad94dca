"""OpenLORIS-Scene in its package format: `color.txt`, `aligned_depth.txt`, `groundtruth.txt`, and two calibrations.

Read is the colour camera, a RealSense D435i, with the depth that is aligned to it, in millimetres. Its intrinsics in
`sensors.yaml` stand in the order fx cx fy cy. Poses are of the robot's `base_link`; `trans_matrix.yaml` puts the camera
on it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from cl_localization.data.camera_file import numbers_under, whole_number
from cl_localization.data.files import read_yaml_mapping
from cl_localization.data.reading import Findings, ImageFileSequence, depth_unit
from cl_localization.data.trajectory import read_trajectory
from cl_localization.data.tum import GROUND_TRUTH, stamped_files
from cl_localization.errors import DataError, named
from cl_localization.geometry.camera import Camera
from cl_localization.geometry.se3 import validated

COLOUR, DEPTH, SENSORS, TRANSFORMS = "color.txt", "aligned_depth.txt", "sensors.yaml", "trans_matrix.yaml"
BASE_FRAME, CAMERA_FRAME = "base_link", "d400_color_optical_frame"


def is_openloris(path: Path) -> bool:
    """Return whether a folder is a sequence of OpenLORIS-Scene."""
    return (path / COLOUR).is_file() and (path / SENSORS).is_file()


def open_openloris(path: Path, name: str = "", *, camera: str = "", depth: bool = True, depth_unit_m: float = 0.0,
                   max_difference_s: float = 0.02, max_gap_s: float = 0.1) -> ImageFileSequence:
    """Open a sequence; images that are listed but missing are skipped and counted.

    Args:
        camera: a calibration file, see `read_camera_file`, instead of `sensors.yaml`.
        depth, depth_unit_m: whether to read depth, and metres of a step of it; 0 for millimetres.
        max_difference_s: an image gets the depth image nearest in time, if not further away than this; so with a pose
            where there is none on both sides.
        max_gap_s: poses are interpolated between neighbours up to this far apart.

    Raises:
        DataError: no images, malformed lists or calibrations.
        GeometryError: numbers that are no camera or pose.
    """
    findings = Findings(camera_source=str(path / SENSORS))
    images = findings.present(stamped_files(path / COLOUR))
    if not images:
        return findings.sequence(name or str(path))
    view = findings.camera_given(camera, images[0][1]) or _camera(path / SENSORS)
    base_T_cam, truth = _base_T_cam(path / TRANSFORMS), path / GROUND_TRUTH
    has_depth = depth and (path / DEPTH).is_file()
    findings.add_stamped(images, view, read_trajectory(truth) if truth.is_file() else None, truth, max_gap_s,
                         max_difference_s, base_T_cam, stamped_files(path / DEPTH) if has_depth else [],
                         depth_unit(depth_unit_m))
    sequence = findings.sequence(name or str(path))
    sequence.base_T_cam = base_T_cam
    return sequence


def _camera(file: Path) -> Camera:
    thing = f"{CAMERA_FRAME} of {file}"
    entry = read_yaml_mapping(file).get(CAMERA_FRAME)
    if not isinstance(entry, dict):
        raise DataError(thing, "is missing", remedy="copy the file again, or give ?camera=FILE")
    width_px, height_px = (whole_number(entry.get(side), side, thing) for side in ("width", "height"))
    fx_px, cx_px, fy_px, cy_px = numbers_under(entry, ("intrinsics",), thing, 4, "copy the file again")
    distortion = numbers_under(entry, ("distortion_coefficients",), thing, remedy="copy the file again")
    with named(thing):
        return Camera.from_opencv(width_px, height_px, np.array([[fx_px, 0, cx_px], [0, fy_px, cy_px], [0, 0, 1.0]]),
                                  str(entry.get("distortion_model", "")), tuple(distortion)).checked()


def _base_T_cam(file: Path) -> np.ndarray:
    entries: Any = read_yaml_mapping(file).get("trans_matrix")
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, dict) and (entry.get("parent_frame"), entry.get("child_frame")) == (BASE_FRAME,
                                                                                                 CAMERA_FRAME):
            numbers = numbers_under(entry, ("matrix",), f"{CAMERA_FRAME} of {file}", 16, "copy the file again")
            return validated(np.reshape(numbers, (4, 4)), f"{CAMERA_FRAME} of {file}")
    raise DataError(f"file {file}", f"must say where {CAMERA_FRAME} is on {BASE_FRAME}", remedy="copy it again")
