"""`camera.yaml` as ROS's camera_calibration writes it; `camera_file` reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import yaml

from cl_localization.geometry.camera import Camera

CAMERA_YAML = "camera.yaml"


def write_camera_yaml(camera: Camera, path: Path) -> None:
    """Write a camera in the format of ROS's camera_calibration; no distortion becomes five zeros of plumb_bob."""
    matrix = camera.opencv_matrix
    ideal = camera.distortion_model == "none"
    distortion = [0.0] * 5 if ideal else list(camera.distortion)
    content = {
        "image_width": camera.width_px, "image_height": camera.height_px, "camera_name": "camera",
        "camera_matrix": _matrix(3, 3, matrix),
        "distortion_model": "plumb_bob" if ideal else camera.distortion_model,
        "distortion_coefficients": _matrix(1, len(distortion), distortion),
        "rectification_matrix": _matrix(3, 3, np.eye(3)),
        "projection_matrix": _matrix(3, 4, np.column_stack([matrix, np.zeros(3)])),
    }
    path.write_text(yaml.safe_dump(content, sort_keys=False, default_flow_style=None), encoding="utf-8")


def _matrix(rows: int, columns: int, values: Any) -> dict[str, Any]:
    return {"rows": rows, "cols": columns, "data": [float(value) for value in np.ravel(values)]}
