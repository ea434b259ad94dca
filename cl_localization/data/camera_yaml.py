"""`camera.yaml` as ROS's camera_calibration writes it: reading, writing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import yaml

from cl_localization.data.files import read_yaml_mapping
from cl_localization.errors import DataError
from cl_localization.geometry.camera import Camera

CAMERA_YAML = "camera.yaml"
LARGEST_SIZE_PX = 10**6


def read_camera_yaml(path: Path) -> Camera:
    """Return the camera of a calibration file of ROS, whose first pixel centre is (0, 0).

    Raises:
        DataError: a missing or malformed file or entry.
        GeometryError: numbers that are no camera.
    """
    content, thing = read_yaml_mapping(path), f"calibration {path}"
    matrix = np.reshape(_numbers(content, "camera_matrix", thing, 9), (3, 3))
    distortion = _numbers(content, "distortion_coefficients", thing) if "distortion_coefficients" in content else ()
    width_px, height_px = (_size(content, key, thing) for key in ("image_width", "image_height"))
    return Camera.from_opencv(width_px, height_px, matrix, str(content.get("distortion_model", "")), tuple(distortion))


def write_camera_yaml(camera: Camera, path: Path, name: str = "camera") -> None:
    """Write a camera in the format of ROS's camera_calibration; no distortion becomes five zeros of plumb_bob."""
    matrix = camera.opencv_matrix
    ideal = camera.distortion_model == "none"
    distortion = [0.0] * 5 if ideal else list(camera.distortion)
    content = {
        "image_width": camera.width_px, "image_height": camera.height_px, "camera_name": name,
        "camera_matrix": _matrix(3, 3, matrix),
        "distortion_model": "plumb_bob" if ideal else camera.distortion_model,
        "distortion_coefficients": _matrix(1, len(distortion), distortion),
        "rectification_matrix": _matrix(3, 3, np.eye(3)),
        "projection_matrix": _matrix(3, 4, np.column_stack([matrix, np.zeros(3)])),
    }
    path.write_text(yaml.safe_dump(content, sort_keys=False, default_flow_style=None), encoding="utf-8")


def _matrix(rows: int, columns: int, values: Any) -> dict[str, Any]:
    return {"rows": rows, "cols": columns, "data": [float(value) for value in np.ravel(values)]}


def _numbers(content: dict[str, Any], key: str, thing: str, count: int | None = None) -> list[float]:
    entry = content.get(key)
    data = entry.get("data") if isinstance(entry, dict) else entry
    if not isinstance(data, list) or not all(isinstance(value, (int, float)) for value in data):
        raise DataError(thing, f"must have a list of numbers in {key}.data", data, "write it with camera_calibration")
    if count is not None and len(data) != count:
        raise DataError(thing, f"must have {count} numbers in {key}.data", len(data),
                        "write it with camera_calibration")
    return [float(value) for value in data]


def _size(content: dict[str, Any], key: str, thing: str) -> int:
    value = content.get(key)
    if not isinstance(value, (int, float)) or not abs(value) < LARGEST_SIZE_PX or value != int(value):
        raise DataError(thing, f"must have a whole number {key}", value, "write it with camera_calibration")
    return int(value)
