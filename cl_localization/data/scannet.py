"""ScanNet as its reader exports it: `color/N.jpg`, `depth/N.png`, `pose/N.txt`, and `intrinsic/` or `intrinsics.txt`.

Poses are camera to world, of the depth camera to which colour is close; depth (mm) has another size than colour and is
registered with the intrinsics of both.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cl_localization.data.camera_file import image_size, read_camera_file
from cl_localization.data.files import is_file
from cl_localization.data.images import image_files
from cl_localization.data.reading import (
    Findings,
    ImageFile,
    ImageFileSequence,
    depth_beside,
    depth_unit,
    pose_file,
)
from cl_localization.data.registration import DepthRegistration
from cl_localization.data.seven_scenes import FRAME_PERIOD_NS
from cl_localization.errors import DataError
from cl_localization.geometry.camera import Camera

COLOUR, DEPTH, POSE = "color", "depth", "pose"
COLOUR_INTRINSICS = ("intrinsic/intrinsic_color.txt", "intrinsics_color.txt", "intrinsics.txt")
DEPTH_INTRINSICS = ("intrinsic/intrinsic_depth.txt", "intrinsics_depth.txt")


def is_scannet(path: Path) -> bool:
    """Return whether a folder is an exported scan of ScanNet."""
    return path.is_dir() and (path / COLOUR).is_dir() and (path / POSE).is_dir()


def open_scannet(path: Path, name: str = "", *, camera: str = "", depth: bool = True,
                 depth_unit_m: float = 0.0) -> ImageFileSequence:
    """Open a scan; frames whose pose holds infinity or NaN are skipped and counted.

    Args:
        camera: a calibration file of the colour camera, see `read_camera_file`.
        depth, depth_unit_m: whether to read depth, and metres of a step of it; 0 for millimetres.

    Raises:
        DataError: no images or intrinsics, malformed files.
        GeometryError: numbers that are no camera or pose.
    """
    images, findings = image_files(path / COLOUR), Findings()
    if not images:
        raise DataError(f"folder {path / COLOUR}", "must hold images", "none")
    view = findings.camera_given(camera, images[0], (path / one for one in COLOUR_INTRINSICS))
    if view is None:
        raise DataError(f"folder {path}", f"must hold {COLOUR_INTRINSICS[0]}", "none", "or give ?camera=FILE")
    depths = [depth_beside(path / DEPTH, image.stem) if depth else None for image in images]
    registration = _registration(path, next(filter(None, depths), None), view, findings)
    unit_m = depth_unit(depth_unit_m)
    for index, (image, depth_path) in enumerate(zip(images, depths)):
        matrix = pose_file(path / POSE / f"{image.stem}.txt")
        findings.add(ImageFile(image.stem, index * FRAME_PERIOD_NS, image, view, matrix, depth_path, unit_m,
                               registration), f"pose of {image}")
    return findings.sequence(name or str(path))


def _registration(path: Path, depth_path: Path | None, view: Camera, findings: Findings) -> DepthRegistration | None:
    """Return what registers the depth to the colour camera; None where both are one view."""
    file = next((path / one for one in DEPTH_INTRINSICS if is_file(path / one)), None)
    if depth_path is None or file is None:
        return None
    depth_camera = read_camera_file(file, image_size(depth_path))
    if depth_camera == view:
        return None
    findings.assumed("depth is registered to colour with the intrinsics of both, without a shift between them")
    return DepthRegistration(depth_camera, view, np.eye(4))
