"""Calibration files of other tools to a `Camera`: ROS, OpenCV, Kalibr, EuRoC, ORB-SLAM, and bare numbers.

All of them put the centre of the first pixel at (0, 0). ROS's `camera.yaml` is also written.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import yaml

from cl_localization.data.files import MAX_IMAGE_BYTES, is_file, read_bytes, read_rows, read_yaml_mapping, to_float
from cl_localization.data.images import header_size
from cl_localization.errors import DataError, named
from cl_localization.geometry.camera import Camera

CAMERA_YAML = "camera.yaml"

LARGEST_SIZE_PX = 10**6
MATRIX_KEYS = ("camera_matrix", "cameramatrix", "intrinsic_matrix", "camera_intrinsics", "mtx", "k")
DISTORTION_KEYS = ("distortion_coefficients", "distortion_coeffs", "dist_coeffs", "distcoeffs", "dist", "d")
WIDTH_KEYS, HEIGHT_KEYS = ("image_width", "camera.width", "width"), ("image_height", "camera.height", "height")
ORB_SLAM_PREFIXES = ("camera1.", "camera.")
ORB_SLAM_DISTORTION = {"KannalaBrandt8": ("k1", "k2", "k3", "k4"), "": ("k1", "k2", "p1", "p2", "k3")}
KNOWN = "ROS camera_calibration, OpenCV, Kalibr, EuRoC and ORB-SLAM YAML, or a .txt with fx fy cx cy or K"
GIVE_CAMERA = ("give ?camera=FILE (YAML of ROS, OpenCV, Kalibr, EuRoC or ORB-SLAM, or a .txt with one line: "
               "fx fy cx cy)")
"""What to do about a sequence that lacks the calibration of its camera."""


def read_camera_file(path: Path, size_px: tuple[int, int] | None = None) -> Camera:
    """Return the camera of a calibration file, recognised by its keys.

    Args:
        path: may end in `#cam1` for another camera than the first of a Kalibr chain.
        size_px: width and height of the images; needed where the file does not say them. A calibration of the same
            images in another size is scaled.

    Raises:
        DataError: a missing or malformed file or entry, or no size anywhere.
        GeometryError: numbers that are no camera, or not of these images.
    """
    with named(f"calibration {path}"):
        camera = stated_camera(path, size_px)
        return camera if size_px is None else camera.fitted(*size_px)


def stated_camera(path: Path, size_px: tuple[int, int] | None = None) -> Camera:
    """Return the camera of a calibration file in the size that it states; see `read_camera_file`."""
    path, _, which = (path, "", "") if is_file(path) else _without_selection(path)
    with named(f"calibration {path}"):
        if path.suffix.lower() == ".txt":
            camera = camera_of_numbers(numbers_of(path), size_px, f"calibration {path}")
        else:
            camera = _camera_of_yaml(read_yaml_mapping(path), f"calibration {path}", size_px, which)
        return camera.checked()


def image_size(path: Path) -> tuple[int, int]:
    """Return width and height of an image file in pixels. Raises DataError when it is none."""
    return header_size(read_bytes(path, MAX_IMAGE_BYTES), f"image {path}")


def numbers_of(path: Path) -> list[float]:
    """Return all numbers in a text file. Raises DataError when there are other words."""
    return [to_float(word, f"file {path}") for row in read_rows(path) for word in row]


def camera_of_numbers(numbers: list[float], size_px: tuple[int, int] | None, thing: str) -> Camera:
    """Return the camera of 9 or 16 numbers of a matrix, or of fx fy cx cy and distortion.

    Raises:
        DataError: another count of numbers, or no size.
        GeometryError: numbers that are no camera.
    """
    if size_px is None:
        raise DataError(thing, "must be used with images, it does not say their size")
    if len(numbers) in (9, 16):
        side = 3 if len(numbers) == 9 else 4
        return Camera.from_opencv(*size_px, np.reshape(numbers, (side, side))[:3, :3])
    if len(numbers) not in (4, 8, 12):
        raise DataError(thing, "must hold fx fy cx cy and distortion, or a 3x3 matrix", f"{len(numbers)} numbers")
    return _pinhole(numbers[:4], size_px, "", numbers[4:])


def _without_selection(path: Path) -> tuple[Path, str, str]:
    name, mark, which = path.name.partition("#")
    return path.with_name(name) if name else path, mark, which


def _camera_of_yaml(content: dict[str, Any], thing: str, size_px: tuple[int, int] | None, which: str) -> Camera:
    flat = {str(key).lower(): value for key, value in content.items()}
    chain = [key for key in flat if key.startswith("cam") and isinstance(flat[key], dict) and "intrinsics" in flat[key]]
    if which and which not in chain:
        raise DataError(f"camera {which} of {thing}", "is missing", remedy=f"it has {', '.join(chain) or 'one camera'}")
    if chain:
        flat = flat[which or chain[0]]
    if any(f"{prefix}fx" in flat for prefix in ORB_SLAM_PREFIXES):
        return _orb_slam_camera(flat, thing, size_px)
    if "intrinsics" in flat:
        return _kalibr_camera(flat, thing, size_px)
    if not any(key in flat for key in MATRIX_KEYS):
        raise DataError(thing, "must hold a camera_matrix or intrinsics", ", ".join(flat)[:200], f"known are {KNOWN}")
    matrix = np.reshape(numbers_under(flat, MATRIX_KEYS, thing, 9), (3, 3))
    distortion = numbers_under(flat, DISTORTION_KEYS, thing) if any(key in flat for key in DISTORTION_KEYS) else []
    model = str(flat.get("distortion_model", flat.get("camera_model", "")) or "")
    return Camera.from_opencv(*_size(flat, thing, size_px), matrix, model, tuple(distortion))


def _kalibr_camera(entry: dict[str, Any], thing: str, size_px: tuple[int, int] | None) -> Camera:
    """Return the camera of Kalibr or EuRoC: `intrinsics` fu fv pu pv and `resolution`."""
    if entry.get("camera_model", "pinhole") != "pinhole":
        raise DataError(f"camera_model of {thing}", "must be pinhole", repr(entry["camera_model"]),
                        "calibrate with pinhole-radtan or pinhole-equi")
    resolution = entry.get("resolution")
    if isinstance(resolution, list) and len(resolution) == 2:
        size_px = whole_number(resolution[0], "resolution", thing), whole_number(resolution[1], "resolution", thing)
    if size_px is None:
        raise DataError(thing, "must have a resolution of two numbers", resolution)
    distortion = numbers_under(entry, DISTORTION_KEYS, thing) if any(key in entry for key in DISTORTION_KEYS) else []
    model = str(entry.get("distortion_model") or "")
    return _pinhole(numbers_under(entry, ("intrinsics",), thing, 4), size_px, model, distortion)


def _orb_slam_camera(flat: dict[str, Any], thing: str, size_px: tuple[int, int] | None) -> Camera:
    prefix = next(prefix for prefix in ORB_SLAM_PREFIXES if f"{prefix}fx" in flat)
    kind = str(flat.get("camera.type", ""))
    keys = ORB_SLAM_DISTORTION["KannalaBrandt8" if kind == "KannalaBrandt8" else ""]
    distortion = [_number(flat, prefix + key, thing) for key in keys if prefix + key in flat and kind != "Rectified"]
    intrinsics = [_number(flat, prefix + key, thing) for key in ("fx", "fy", "cx", "cy")]
    return _pinhole(intrinsics, _size(flat, thing, size_px), "fisheye" if len(keys) == 4 else "", distortion)


def _pinhole(intrinsics: list[float], size_px: tuple[int, int], model: str, distortion: list[float]) -> Camera:
    fx_px, fy_px, cx_px, cy_px = intrinsics
    return Camera.from_opencv(*size_px, np.array([[fx_px, 0, cx_px], [0, fy_px, cy_px], [0, 0, 1.0]]), model,
                              tuple(distortion))


def _size(flat: dict[str, Any], thing: str, size_px: tuple[int, int] | None) -> tuple[int, int]:
    """Return the stated size; the images' where the file is silent."""
    keys = [next((key for key in keys if key in flat), None) for keys in (WIDTH_KEYS, HEIGHT_KEYS)]
    if None in keys and size_px is not None:
        return size_px
    width_key, height_key = keys[0] or WIDTH_KEYS[0], keys[1] or HEIGHT_KEYS[0]
    return whole_number(flat.get(width_key), width_key, thing), whole_number(flat.get(height_key), height_key, thing)


def whole_number(value: Any, key: str, thing: str) -> int:
    """Return a whole number of pixels. Raises DataError for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < LARGEST_SIZE_PX \
            or value != int(value):
        raise DataError(thing, f"must have a whole number {key}", value, "write it with camera_calibration")
    return int(value)


def _number(flat: dict[str, Any], key: str, thing: str) -> float:
    value = flat.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise DataError(thing, f"must have a number {key}", value)
    return float(value)


def numbers_under(flat: dict[str, Any], keys: tuple[str, ...], thing: str, count: int | None = None,
                  remedy: str = "write it with camera_calibration") -> list[float]:
    """Return the list under the first of the keys that is there, as such, as rows, or as the `data` of a matrix.

    Raises:
        DataError: no such list of numbers, or another count of them; `remedy` says what to do.
    """
    key = next((key for key in keys if key in flat), keys[0])
    entry = flat.get(key)
    data = entry.get("data") if isinstance(entry, dict) else entry
    if isinstance(data, list) and all(isinstance(row, list) for row in data):
        data = [value for row in data for value in row]
    if not isinstance(data, list) or not all(isinstance(value, (int, float)) for value in data):
        raise DataError(thing, f"must have a list of numbers in {key}.data", data, remedy)
    if count is not None and len(data) != count:
        raise DataError(thing, f"must have {count} numbers in {key}.data", len(data), remedy)
    return [float(value) for value in data]


def write_camera_yaml(camera: Camera, path: Path) -> None:
    """Write a camera in the format of ROS's camera_calibration; no distortion becomes five zeros of plumb_bob."""
    matrix = camera.opencv_matrix
    model, distortion = camera.ros_distortion
    content = {
        "image_width": camera.width_px, "image_height": camera.height_px, "camera_name": "camera",
        "camera_matrix": _matrix(3, 3, matrix),
        "distortion_model": model,
        "distortion_coefficients": _matrix(1, len(distortion), distortion),
        "rectification_matrix": _matrix(3, 3, np.eye(3)),
        "projection_matrix": _matrix(3, 4, np.column_stack([matrix, np.zeros(3)])),
    }
    path.write_text(yaml.safe_dump(content, sort_keys=False, default_flow_style=None), encoding="utf-8")


def _matrix(rows: int, columns: int, values: Any) -> dict[str, Any]:
    return {"rows": rows, "cols": columns, "data": [float(value) for value in np.ravel(values)]}
