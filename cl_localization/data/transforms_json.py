"""`transforms.json`: posed photos as nerfstudio, instant-ngp and the synthetic NeRF scenes describe them.

Intrinsics stand at the top or beside a frame: `fl_x fl_y cx cy w h` with `k1 k2 p1 p2 k3` (or `k1..k4` of a fisheye),
or `camera_angle_x` alone. Poses are camera to world with OpenGL's camera axes (y up, z back) and are turned to x right,
y down, z forward. Principal points count from the corner of the image, as everywhere in this package.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from cl_localization.data.camera_file import image_size, named
from cl_localization.data.files import is_file, read_json_object
from cl_localization.data.images import IMAGE_SUFFIXES
from cl_localization.data.sequence import ImageFile, ImageFileSequence
from cl_localization.data.stamps import natural_key
from cl_localization.errors import DataError
from cl_localization.geometry.camera import Camera
from cl_localization.geometry.se3 import validated

TRANSFORMS_JSON = "transforms.json"
FRAME_PERIOD_NS = 100_000_000
DEPTH_UNIT_M = 0.001
OPENGL_T_OPENCV = np.diag([1.0, -1.0, -1.0, 1.0])
LARGEST_SIZE_PX = 10**6
LARGEST_NUMBER = 1e300
PERSPECTIVE_MODELS = ("", "OPENCV", "PINHOLE", "SIMPLE_PINHOLE", "RADIAL", "SIMPLE_RADIAL")


def is_transforms_json(path: Path) -> bool:
    """Return whether a path is a `transforms*.json` file or a folder with a `transforms.json`."""
    if path.is_dir():
        return (path / TRANSFORMS_JSON).is_file()
    return path.suffix == ".json" and path.is_file()


def open_transforms_json(path: Path, name: str = "", *, depth: bool = True) -> ImageFileSequence:
    """Open a transforms file; frames come in order of their file names and are stamped 0.1 s apart unless they carry a
    `stamp` [s].

    Listed images that are missing are skipped and counted.

    Args:
        depth: whether to read the depth images it names (16 bits, millimetres unless `depth_unit_scale_factor` or
            `integer_depth_scale` says otherwise), already registered to the images.

    Raises:
        DataError: no JSON, missing or wrong entries, images of another size than the intrinsics.
        GeometryError: a pose that is no rotation (scaled, singular, NaN), or numbers that are no camera.
    """
    file = path / TRANSFORMS_JSON if path.is_dir() else path
    content = read_json_object(file)
    frames = content.get("frames")
    if not isinstance(frames, list) or not all(isinstance(frame, dict) for frame in frames):
        raise DataError(f"file {file}", "must have a list of frames", type(frames).__name__, "is it a transforms.json?")
    listed = sorted(((_file_path(frame, file), frame) for frame in frames), key=lambda entry: natural_key(entry[0]))
    sizes: dict[tuple[Any, ...], tuple[int, int]] = {}
    files, skipped = [], []
    for index, (file_path, frame) in enumerate(listed):
        image_path = _existing_image(file.parent, file_path)
        if image_path is None:
            skipped.append(file_path)
            continue
        values = {**content, **frame}
        files.append(ImageFile(
            file_path, _stamp_ns(frame, index, file_path), image_path, _camera(values, image_path, sizes),
            _pose(frame, file, file_path), _depth_path(frame, file.parent) if depth else None,
            _number(values, "depth_unit_scale_factor", values.get("integer_depth_scale", DEPTH_UNIT_M))))
    files.sort(key=lambda entry: entry.stamp_ns)
    return ImageFileSequence(name or str(path), files, skipped)


def _file_path(frame: dict[str, Any], file: Path) -> str:
    file_path = frame.get("file_path")
    if not isinstance(file_path, str) or not file_path:
        raise DataError(f"frame of {file}", "must name its image in file_path", file_path)
    return file_path


def _existing_image(folder: Path, file_path: str) -> Path | None:
    given = folder / file_path.replace("\\", "/")
    candidates = [given, *(given.with_name(given.name + suffix) for suffix in IMAGE_SUFFIXES)]
    return next((path for path in candidates if is_file(path)), None)


def _depth_path(frame: dict[str, Any], folder: Path) -> Path | None:
    """Return the frame's depth image, None where it names none or one that is missing."""
    file_path = frame.get("depth_file_path", frame.get("depth_path"))
    return _existing_image(folder, file_path) if isinstance(file_path, str) else None


def _pose(frame: dict[str, Any], file: Path, file_path: str) -> np.ndarray:
    thing = f"transform_matrix of {file_path} in {file}"
    try:
        matrix = np.array(frame.get("transform_matrix"), dtype=float)
    except (TypeError, ValueError):
        raise DataError(thing, "must be a 4x4 matrix of numbers", frame.get("transform_matrix")) from None
    if matrix.shape == (3, 4):
        matrix = np.vstack([matrix, [0, 0, 0, 1]])
    return validated(matrix, thing) @ OPENGL_T_OPENCV


def _stamp_ns(frame: dict[str, Any], index: int, file_path: str) -> int:
    if "stamp" not in frame:
        return index * FRAME_PERIOD_NS
    return round(_number(frame, "stamp", 0.0, f"stamp of {file_path}") * 1e9)


def _number(values: dict[str, Any], key: str, default: Any, thing: str = "") -> float:
    value = values.get(key, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < LARGEST_NUMBER:
        raise DataError(thing or f"{key} of transforms.json", "must be a finite number", repr(value))
    return float(value)


def _camera(values: dict[str, Any], image_path: Path, sizes: dict[tuple[Any, ...], tuple[int, int]]) -> Camera:
    """Return the intrinsics for an image; the size of the images of one camera is read from the first of them."""
    keys = ("w", "h", "fl_x", "fl_y", "cx", "cy", "camera_angle_x", "camera_angle_y")
    key = tuple(str(values.get(name)) for name in keys)
    if key not in sizes:
        sizes[key] = image_size(image_path)
    width_px, height_px = sizes[key]
    stated = (_number(values, "w", width_px), _number(values, "h", height_px))
    if min(stated) < 1 or max(stated) > LARGEST_SIZE_PX:
        raise DataError(f"w and h of image {image_path}", "must be its size", f"{stated[0]:g}x{stated[1]:g}")
    fx_px, fy_px = _focal_lengths(values, stated)
    model, distortion = _distortion(values)
    with named(f"image {image_path}"):
        camera = Camera(round(stated[0]), round(stated[1]), fx_px, fy_px, _number(values, "cx", stated[0] / 2),
                        _number(values, "cy", stated[1] / 2), model, distortion).checked()
        return camera.fitted(width_px, height_px)


def _focal_lengths(values: dict[str, Any], size_px: tuple[float, float]) -> tuple[float, float]:
    focal_px = []
    for axis, side_px in zip("xy", size_px):
        if f"fl_{axis}" in values:
            focal_px.append(_number(values, f"fl_{axis}", 0.0))
        elif f"camera_angle_{axis}" in values:
            focal_px.append(0.5 * side_px / math.tan(0.5 * _number(values, f"camera_angle_{axis}", 0.0) or math.inf))
        elif not focal_px and axis == "x":
            raise DataError("transforms.json", "must give fl_x or camera_angle_x", sorted(values)[:12],
                            "add the focal length")
        else:
            focal_px.append(focal_px[0])
    return focal_px[0], focal_px[1]


def _distortion(values: dict[str, Any]) -> tuple[str, tuple[float, ...]]:
    """Return distortion model and coefficients in OpenCV's order."""
    k1, k2, k3, k4, p1, p2 = (_number(values, key, 0.0) for key in ("k1", "k2", "k3", "k4", "p1", "p2"))
    model = str(values.get("camera_model", ""))
    if model == "OPENCV_FISHEYE" or (not model and values.get("is_fisheye") is True):
        return "equidistant", (k1, k2, k3, k4)
    if model not in PERSPECTIVE_MODELS or k4:
        raise DataError("camera_model of transforms.json",
                        "must be OPENCV, PINHOLE, RADIAL or OPENCV_FISHEYE, k4 only with the last",
                        f"{model!r}, k4={k4:g}", "undistort the images")
    if model in ("PINHOLE", "SIMPLE_PINHOLE") or not any((k1, k2, k3, p1, p2)):
        return "none", ()
    return ("plumb_bob", (k1, k2, p1, p2, k3)) if k3 else ("plumb_bob", (k1, k2, p1, p2))
