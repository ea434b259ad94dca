"""`transforms.json`: posed photos as nerfstudio, instant-ngp, NeRFCapture and the synthetic NeRF scenes describe them.

Intrinsics stand at the top or beside a frame: `fl_x fl_y cx cy w h` with `k1 k2 p1 p2 k3` (or `k1..k4` of a fisheye),
or `camera_angle_x` alone. Poses are camera to world with OpenGL's camera axes (y up, z back) and are turned to x right,
y down, z forward. Principal points count from the corner of the image, as everywhere in this package.
"""

from __future__ import annotations

import math
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from cl_localization.data.camera_file import image_size
from cl_localization.data.files import is_file, read_json_object
from cl_localization.data.images import DEPTH_SUFFIXES, IMAGE_SUFFIXES
from cl_localization.data.reading import FRAME_PERIOD_NS, Findings, ImageFile, ImageFileSequence, depth_unit
from cl_localization.data.stamps import natural_key, parse_stamp_s
from cl_localization.errors import DataError, named
from cl_localization.geometry.camera import Camera
from cl_localization.geometry.robot_pose import OPENGL_T_OPENCV

TRANSFORMS_JSON = "transforms.json"
BLENDER = "transforms_{split}.json"
DEPTH_UNIT_M = 0.001
LARGEST_SIZE_PX, LARGEST_NUMBER = 10**6, 1e300
PERSPECTIVE_MODELS = ("", "OPENCV", "PINHOLE", "SIMPLE_PINHOLE", "RADIAL", "SIMPLE_RADIAL")
INTRINSICS = ("w", "h", "fl_x", "fl_y", "cx", "cy", "camera_angle_x", "camera_angle_y", "camera_model", "is_fisheye",
              "k1", "k2", "k3", "k4", "p1", "p2")
Cameras = dict[tuple[str, ...], Camera]


def is_transforms_json(path: Path) -> bool:
    """Return whether a path is a `transforms*.json` file or a folder with `transforms.json` or Blender's splits."""
    if path.is_dir():
        return (path / TRANSFORMS_JSON).is_file() or (path / BLENDER.format(split="train")).is_file()
    return path.suffix == ".json" and path.is_file()


def open_transforms_json(path: Path, name: str = "", *, camera: str = "", depth: bool = True, depth_unit_m: float = 0.0,
                         split: str = "") -> ImageFileSequence:
    """Open a transforms file; frames come in order of their file names and are stamped 0.1 s apart unless they carry a
    `stamp` [s].

    Listed images that are missing, and frames whose pose is infinite or NaN, are skipped and counted.

    Args:
        camera: a calibration file, see `read_camera_file`, instead of the intrinsics in the file.
        depth: whether to read the depth images it names, already registered to the images; smaller ones of the same
            view are enlarged.
        depth_unit_m: metres of a step of 16-bit depth; 0 for what `depth_unit_scale_factor` or `integer_depth_scale`
            says, else millimetres.
        split: "train", "val" or "test" of a Blender folder; empty for `transforms.json`, else train.

    Raises:
        DataError: no JSON, missing or wrong entries, images of another size than the intrinsics.
        GeometryError: a pose that is no rotation (scaled, singular), or numbers that are no camera.
    """
    findings = Findings()
    file = _file(path, split, findings)
    findings.camera_source = str(file)
    content = read_json_object(file)
    frames = content.get("frames")
    if not isinstance(frames, list) or not all(isinstance(frame, dict) for frame in frames):
        raise DataError(f"file {file}", "must have a list of frames", type(frames).__name__, "is it a transforms.json?")
    listed = sorted(((_file_path(frame, file), frame) for frame in frames), key=lambda entry: natural_key(entry[0]))
    cameras: Cameras = {}
    given: Camera | None = None
    for index, (file_path, frame) in enumerate(listed):
        image_path = _image(file, file_path, findings)
        if image_path is None:
            continue
        values, (pose, thing) = {**content, **frame}, _pose(frame, file, file_path)
        given = given or findings.camera_given(camera, image_path)
        stated_m = _number(values, "depth_unit_scale_factor", values.get("integer_depth_scale", DEPTH_UNIT_M))
        findings.add(ImageFile(file_path, _stamp_ns(frame, index, file_path), image_path,
                               given or _camera(values, image_path, cameras), pose,
                               _depth_path(frame, file.parent) if depth else None,
                               depth_unit(depth_unit_m, stated_m)), thing, OPENGL_T_OPENCV)
    if not findings.files and findings.skipped:
        raise _nothing_found(file, listed, findings)
    return findings.sequence(name or str(path))


def _file(path: Path, split: str, findings: Findings) -> Path:
    """Return the transforms file that is meant."""
    if not path.is_dir():
        return path
    if not split and (path / TRANSFORMS_JSON).is_file():
        return path / TRANSFORMS_JSON
    file = path / BLENDER.format(split=split or "train")
    if not split:
        findings.assumed(f"{file.name} is read; ?split=val or ?split=test for the others")
    return file


def _file_path(frame: dict[str, Any], file: Path) -> str:
    file_path = frame.get("file_path")
    if not isinstance(file_path, str) or not file_path:
        raise DataError(f"frame of {file}", "must name its image in file_path", file_path)
    return file_path


def _image(file: Path, file_path: str, findings: Findings) -> Path | None:
    """Return the frame's image, also where the whole set was moved; None, counted as left out, where it is nowhere."""
    found = _existing(file.parent / file_path.replace("\\", "/"), IMAGE_SUFFIXES)
    if found is None and (found := _moved(file.parent, file_path)) is not None:
        findings.assumed(f"images are not where {file.name} says, e.g. {file_path}: those of the same name in "
                         f"{found.parent} are taken")
    if found is None:
        findings.skipped.append(file_path)
    return found


def _existing(given: Path, suffixes: tuple[str, ...]) -> Path | None:
    candidates = [given, *(given.with_name(given.name + suffix) for suffix in suffixes if given.name)]
    return next((path for path in candidates if is_file(path)), None)


def _moved(folder: Path, file_path: str, by_name: bool = True) -> Path | None:
    """Return the file under the last folders of its path, or by its name alone in the folder or its `images/`."""
    parts = PurePosixPath(file_path.replace("\\", "/")).parts
    places = [folder.joinpath(*parts[start:]) for start in range(1, len(parts) - 1)]
    if by_name and parts:
        places += [folder / parts[-1], folder / "images" / parts[-1]]
    return next((found for place in places if (found := _existing(place, IMAGE_SUFFIXES)) is not None), None)


def _nothing_found(file: Path, listed: list[tuple[str, dict[str, Any]]], findings: Findings) -> DataError:
    """Return the error for a set none of whose images is there, or none of whose poses is finite."""
    first = listed[0][0]
    looked_for = file.parent / first.replace("\\", "/")
    if _existing(looked_for, IMAGE_SUFFIXES) is not None:
        return DataError(f"poses of {file}", "must be finite in at least one frame", f"{len(listed)} frames without")
    wanted = Path(first.replace("\\", "/")).name.lower()
    near = next((entry for entry in sorted(file.parent.glob("*/*")) if entry.name.lower() == wanted), None)
    remedy = f"there is {near}: put the images where the file says" if near else "put the images there"
    return DataError(f"image {first} of {file}", "is missing, and so are all others",
                     f"nothing at {looked_for.absolute()}", remedy)


def _depth_path(frame: dict[str, Any], folder: Path) -> Path | None:
    """Return the frame's depth image, None where it names none or one that is missing."""
    file_path = frame.get("depth_file_path", frame.get("depth_path"))
    if not isinstance(file_path, str) or not file_path:
        return None
    return _existing(folder / file_path.replace("\\", "/"), DEPTH_SUFFIXES) or _moved(folder, file_path, by_name=False)


def _pose(frame: dict[str, Any], file: Path, file_path: str) -> tuple[np.ndarray, str]:
    """Return a frame's matrix, not yet checked, and what to call it in errors."""
    thing = f"transform_matrix of {file_path} in {file}"
    try:
        matrix = np.array(frame.get("transform_matrix"), dtype=float)
    except (TypeError, ValueError):
        raise DataError(thing, "must be a 4x4 matrix of numbers", frame.get("transform_matrix")) from None
    if frame.get("transform_matrix") is None:
        raise DataError(thing, "must be a 4x4 matrix of numbers", None)
    return np.vstack([matrix, [0, 0, 0, 1]]) if matrix.shape == (3, 4) else matrix, thing


def _stamp_ns(frame: dict[str, Any], index: int, file_path: str) -> int:
    if "stamp" not in frame:
        return index * FRAME_PERIOD_NS
    stamp, thing = frame["stamp"], f"stamp of {file_path}"
    return parse_stamp_s(repr(stamp), thing) if isinstance(stamp, int) and not isinstance(stamp, bool) \
        else parse_stamp_s(f"{_number(frame, 'stamp', 0.0, thing):.9f}", thing)


def _number(values: dict[str, Any], key: str, default: Any, thing: str = "") -> float:
    value = values.get(key, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < LARGEST_NUMBER:
        raise DataError(thing or f"{key} of transforms.json", "must be a finite number", repr(value))
    return float(value)


def _camera(values: dict[str, Any], image_path: Path, cameras: Cameras) -> Camera:
    """Return the intrinsics for an image; the size of the images of one camera is read from the first of them."""
    key = tuple(str(values.get(name)) for name in INTRINSICS)
    if key not in cameras:
        width_px, height_px = image_size(image_path)
        stated = (_number(values, "w", width_px), _number(values, "h", height_px))
        if min(stated) < 1 or max(stated) > LARGEST_SIZE_PX:
            raise DataError(f"w and h of image {image_path}", "must be its size", f"{stated[0]:g}x{stated[1]:g}")
        with named(f"image {image_path}"):
            camera = Camera(round(stated[0]), round(stated[1]), *_focal_lengths(values, stated),
                            _number(values, "cx", stated[0] / 2), _number(values, "cy", stated[1] / 2),
                            *_distortion(values)).checked()
            cameras[key] = camera.fitted(width_px, height_px)
    return cameras[key]


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
