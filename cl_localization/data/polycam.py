"""Polycam's raw export: `keyframes/` with `images/`, `cameras/` (JSON), and maybe `depth/`, each also as `corrected_*`.

The corrected files are taken where they are there: Polycam's own optimised poses. Poses are camera to world with
ARKit's camera axes (y up, z back) and are turned; intrinsics count from the image's corner. Depth is 16 bits,
millimetres, smaller than the images, of the same view.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from cl_localization.data.camera_file import image_size
from cl_localization.data.files import read_json_object
from cl_localization.data.images import image_files
from cl_localization.data.reading import Findings, ImageFile, ImageFileSequence, depth_beside, depth_unit
from cl_localization.errors import DataError, named
from cl_localization.geometry.camera import Camera
from cl_localization.geometry.robot_pose import OPENGL_T_OPENCV

KEYFRAMES, IMAGES, CAMERAS, DEPTH = "keyframes", "images", "cameras", "depth"
NS_PER_US = 1000
POSE_KEYS = [f"t_{row}{column}" for row in range(3) for column in range(4)]


def is_polycam(path: Path) -> bool:
    """Return whether a folder is a raw export of Polycam, or its `keyframes`."""
    return path.is_dir() and any((_keyframes(path) / name).is_dir() for name in (CAMERAS, f"corrected_{CAMERAS}")) \
        and any((_keyframes(path) / name).is_dir() for name in (IMAGES, f"corrected_{IMAGES}"))


def open_polycam(path: Path, name: str = "", *, camera: str = "", depth: bool = True, depth_unit_m: float = 0.0,
                 corrected: bool = True) -> ImageFileSequence:
    """Open an export; images without a camera file, and frames whose pose is infinite or NaN, are skipped and counted.

    Args:
        camera: a calibration file, see `read_camera_file`, instead of the cameras' own.
        depth, depth_unit_m: whether to read depth, and metres of a step of it; 0 for millimetres.
        corrected: whether to take `corrected_images` and `corrected_cameras` where they are there.

    Raises:
        DataError: no images, malformed camera files.
        GeometryError: numbers that are no camera or pose.
    """
    folder, findings = _keyframes(path), Findings()
    has_corrected = corrected and all((folder / f"corrected_{part}").is_dir() for part in (CAMERAS, IMAGES))
    prefix = "corrected_" if has_corrected else ""
    if not has_corrected:
        findings.assumed("poses are ARKit's own, which drift: Polycam's corrected ones are not there")
    cameras = folder / f"{prefix}{CAMERAS}"
    findings.camera_source = str(cameras)
    images = image_files(folder / f"{prefix}{IMAGES}")
    given = findings.camera_given(camera, images[0]) if images else None
    unit_m = depth_unit(depth_unit_m)
    for index, image in enumerate(images):
        camera_path = cameras / f"{image.stem}.json"
        if not camera_path.is_file():
            findings.skipped.append(image.stem)
            continue
        content = read_json_object(camera_path)
        pose = np.vstack([np.reshape(_numbers(content, POSE_KEYS, camera_path), (3, 4)), [0, 0, 0, 1]])
        findings.add(ImageFile(image.stem, _stamp_ns(content, image, index), image,
                               given or _camera(content, camera_path, image), pose,
                               depth_beside(folder / DEPTH, image.stem) if depth else None, unit_m),
                     f"pose of {camera_path}", OPENGL_T_OPENCV)
    return findings.sequence(name or str(path))


def _keyframes(path: Path) -> Path:
    return path / KEYFRAMES if (path / KEYFRAMES).is_dir() else path


def _numbers(content: dict[str, Any], keys: list[str], path: Path) -> list[float]:
    values: list[Any] = [content.get(key) for key in keys]
    if not all(isinstance(value, (int, float)) for value in values):
        raise DataError(f"file {path}", f"must have numbers {keys[0]} to {keys[-1]}", values)
    return [float(value) for value in values]


def _camera(content: dict[str, Any], path: Path, image: Path) -> Camera:
    fx_px, fy_px, cx_px, cy_px = _numbers(content, ["fx", "fy", "cx", "cy"], path)
    width_px, height_px = image_size(image)
    stated = [content.get(key, side) for key, side in (("width", width_px), ("height", height_px))]
    if not all(isinstance(side, (int, float)) and 0 < side < 10**6 for side in stated):
        raise DataError(f"width and height of {path}", "must be the size of the image", stated)
    with named(f"file {path}"):
        return Camera(int(stated[0]), int(stated[1]), fx_px, fy_px, cx_px, cy_px).checked().fitted(width_px, height_px)


def _stamp_ns(content: dict[str, Any], image: Path, index: int) -> int:
    """Return the stamp in nanoseconds; Polycam counts microseconds, and names its files by them."""
    stamp_us = content.get("timestamp", int(image.stem) if image.stem.isdecimal() else index)
    return int(stamp_us * NS_PER_US) if isinstance(stamp_us, (int, float)) and abs(stamp_us) < 9e15 else index
