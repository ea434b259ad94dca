"""COLMAP: a folder with `images/` and a model in `sparse/0`, `sparse` or `colmap/sparse/0`, or the model's folder.

Intrinsics are the model's, scaled where the images are smaller (`images_2/`). A model without geo-registration has no
metric scale. Names of images sort them, 0.1 s apart. Models are text or binary; their points are not read.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cl_localization.data.camera_file import image_size
from cl_localization.data.files import is_file, read_bytes, read_text, to_float
from cl_localization.data.reading import FRAME_PERIOD_NS, Findings, ImageFile, ImageFileSequence
from cl_localization.data.stamps import natural_key
from cl_localization.errors import DataError, named
from cl_localization.geometry.camera import Camera
from cl_localization.geometry.se3 import from_quaternion, inverse

MODELS = {0: ("SIMPLE_PINHOLE", 3), 1: ("PINHOLE", 4), 2: ("SIMPLE_RADIAL", 4), 3: ("RADIAL", 5), 4: ("OPENCV", 8),
          5: ("OPENCV_FISHEYE", 8), 6: ("FULL_OPENCV", 12), 7: ("FOV", 5), 8: ("SIMPLE_RADIAL_FISHEYE", 4),
          9: ("RADIAL_FISHEYE", 5), 10: ("THIN_PRISM_FISHEYE", 12)}
"""Names and numbers of parameters by COLMAP's number of a model."""

ONE_FOCAL_LENGTH = ("SIMPLE_PINHOLE", "SIMPLE_RADIAL", "RADIAL", "SIMPLE_RADIAL_FISHEYE", "RADIAL_FISHEYE")
MAX_MODEL_BYTES = 1_000_000_000
POINT_BYTES = 24

MODEL_FOLDERS = ("", "sparse/0", "sparse", "colmap/sparse/0", "dense/sparse", "0")
IMAGES = "images"
ABOVE = 4
"""How many folders above the model the images may lie."""


def is_colmap(path: Path) -> bool:
    """Return whether a folder is a COLMAP model or holds one."""
    return path.is_dir() and _model_folder(path) is not None


def open_colmap(path: Path, name: str = "", *, images: str = "", camera: str = "") -> ImageFileSequence:
    """Open a model; registered images that are missing are skipped and counted.

    Args:
        images: folder of the images; empty for `images/` beside the model or in a folder above it.
        camera: a calibration file, see `read_camera_file`, instead of the model's cameras.

    Raises:
        DataError: no model, a damaged one, no images.
        GeometryError: numbers that are no camera or pose, images of another size than their camera.
    """
    folder = _model_folder(path)
    if folder is None:
        raise DataError(f"folder {path}", "must hold a COLMAP model", remedy="cameras and images as .bin or .txt")
    cameras, registered = read_model(folder)
    findings = Findings(camera_source=str(folder))
    others = [place for place in folder.parent.glob("[0-9]*") if place != folder and has_model(place)]
    if others:
        findings.assumed(f"model {folder} is read; {len(others)} more lie beside it, name one to read it instead")
    findings.assumed("a COLMAP model has no metric scale unless it was geo-registered")
    place = _images_folder(path, folder, images, registered)
    views: dict[int, Camera] = {}
    for index, image in enumerate(sorted(registered, key=lambda image: natural_key(image.name))):
        image_path = place / image.name
        if not is_file(image_path):
            findings.skipped.append(image.name)
            continue
        if image.camera_id not in views:
            views[image.camera_id] = findings.camera_given(camera, image_path) \
                or _camera(cameras, image, image_path, folder)
        findings.add(ImageFile(image.name, index * FRAME_PERIOD_NS, image_path, views[image.camera_id],
                               image.world_T_cam), f"pose of {image.name}")
    if not findings.files and registered:
        raise DataError(f"images of model {folder}", "are missing", f"no {registered[0].name} in {place.absolute()}",
                        "give their folder with ?images=FOLDER")
    return findings.sequence(name or str(path))


def _model_folder(path: Path) -> Path | None:
    return next((path / place for place in MODEL_FOLDERS if has_model(path / place)), None)


def _images_folder(path: Path, folder: Path, given: str, registered: list[ModelImage]) -> Path:
    """Return the folder in which the first registered images lie; where they should be if they lie nowhere."""
    if given:
        return Path(given)
    above = [folder.absolute(), *folder.absolute().parents][:ABOVE]
    places = [place / name for place in above for name in (IMAGES, f"{IMAGES}_2", f"{IMAGES}_4", f"{IMAGES}_8", "")]
    first = registered[:20]
    return next((place for place in places if any(is_file(place / image.name) for image in first)), path / IMAGES)


def _camera(cameras: dict[int, Camera], image: ModelImage, image_path: Path, folder: Path) -> Camera:
    """Return an image's camera, scaled to it where it is smaller than the one that the model was made of."""
    if image.camera_id not in cameras:
        raise DataError(f"camera {image.camera_id} of {image.name}", "must be in the model", sorted(cameras)[:10])
    with named(f"camera {image.camera_id} of {folder}"):
        return cameras[image.camera_id].fitted(*image_size(image_path))


@dataclass(frozen=True, eq=False)
class ModelImage:
    """One registered image: its name below the folder of images, camera number, and world_T_cam (4, 4)."""

    name: str
    camera_id: int
    world_T_cam: np.ndarray


def has_model(folder: Path) -> bool:
    """Return whether a folder holds a model."""
    return any((folder / f"cameras{suffix}").is_file() and (folder / f"images{suffix}").is_file()
               for suffix in (".bin", ".txt"))


def read_model(folder: Path) -> tuple[dict[int, Camera], list[ModelImage]]:
    """Return the cameras by number, and the images of the model in a folder; binary files win.

    Raises:
        DataError: missing, cut or malformed files, a camera model that is not understood.
        GeometryError: numbers that are no camera or pose.
    """
    readers: tuple[tuple[Any, str], ...] = ((_text_cameras, "cameras.txt"), (_text_images, "images.txt"))
    if (folder / "cameras.bin").is_file() and (folder / "images.bin").is_file():
        readers = ((_binary_cameras, "cameras.bin"), (_binary_images, "images.bin"))
    contents: list[list[Any]] = []
    for reader, name in readers:
        try:
            contents.append(list(reader(folder / name)))
        except (struct.error, IndexError, ValueError, OverflowError) as error:
            raise DataError(f"file {folder / name}", "must be a file of a COLMAP model", error,
                            "it may be cut: copy it again") from None
    return dict(contents[0]), contents[1]


def _text_cameras(path: Path) -> Iterator[tuple[int, Camera]]:
    for line in read_text(path).splitlines():
        words = line.split()
        if words and not words[0].startswith("#"):
            parameters = [to_float(word, f"camera {words[0]} of {path}") for word in words[4:]]
            yield int(words[0]), _model_camera(words[1], int(words[2]), int(words[3]), parameters, f"{path}")


def _text_images(path: Path) -> Iterator[ModelImage]:
    """Each image has two lines; the second one, with its points, may be empty."""
    lines = [line for line in read_text(path).splitlines() if not line.startswith("#")]
    for line in lines[::2]:
        words = line.split(maxsplit=9)
        if words:
            values = [to_float(word, f"image {words[-1]} of {path}") for word in words[1:8]]
            yield _image(words[9], int(words[8]), values)


def _binary_cameras(path: Path) -> Iterator[tuple[int, Camera]]:
    data, position = read_bytes(path, MAX_MODEL_BYTES), 8
    for _ in range(struct.unpack_from("<Q", data)[0]):
        number, kind, width_px, height_px = struct.unpack_from("<iiQQ", data, position)
        model, count = MODELS.get(kind, (f"number {kind}", 0))
        parameters = struct.unpack_from(f"<{count}d", data, position + 24)
        position += 24 + 8 * count
        yield number, _model_camera(model, width_px, height_px, list(parameters), f"{path}")


def _binary_images(path: Path) -> Iterator[ModelImage]:
    data, position = read_bytes(path, MAX_MODEL_BYTES), 8
    for _ in range(struct.unpack_from("<Q", data)[0]):
        *values, camera_id = struct.unpack_from("<7di", data, position + 4)
        end = data.index(b"\0", position + 64)
        name = data[position + 64:end].decode("utf-8")
        position = end + 9 + POINT_BYTES * struct.unpack_from("<Q", data, end + 1)[0]
        if position > len(data):
            raise ValueError(f"ends in the points of {name}")
        yield _image(name, camera_id, values)


def _image(name: str, camera_id: int, values: list[float]) -> ModelImage:
    """Return the image of qw qx qy qz tx ty tz, which take the world to the camera; NaN where they are not finite."""
    if not np.isfinite(values).all():
        return ModelImage(name, camera_id, np.full((4, 4), np.nan))
    quat_wxyz, position = np.array(values[:4]), np.array(values[4:])
    return ModelImage(name, camera_id, inverse(from_quaternion(position, np.roll(quat_wxyz, -1))))


def _model_camera(model: str, width_px: int, height_px: int, parameters: list[float], thing: str) -> Camera:
    """Return the camera of a model; COLMAP too puts the centre of the first pixel at (0.5, 0.5)."""
    count = dict(MODELS.values()).get(model)
    if count is None or model in ("FOV", "THIN_PRISM_FISHEYE"):
        raise DataError(f"camera model of {thing}", "must be one of a pinhole, OPENCV, FULL_OPENCV or *_FISHEYE", model,
                        "undistort the images: colmap image_undistorter")
    if len(parameters) != count:
        raise DataError(f"camera of {thing}", f"must have {count} parameters for {model}", len(parameters))
    focal_px = parameters[:1] * 2 if model in ONE_FOCAL_LENGTH else parameters[:2]
    centre = parameters[1:3] if model in ONE_FOCAL_LENGTH else parameters[2:4]
    rest = parameters[3:] if model in ONE_FOCAL_LENGTH else parameters[4:]
    with named(thing):
        return Camera(width_px, height_px, focal_px[0], focal_px[1], centre[0], centre[1],
                      *_distortion(model, rest)).checked()


def _distortion(model: str, rest: list[float]) -> tuple[str, tuple[float, ...]]:
    if model.endswith("FISHEYE"):
        return "equidistant", tuple([*rest, 0.0, 0.0, 0.0][:4])
    if not any(rest):
        return "none", ()
    if model == "FULL_OPENCV":
        return "rational_polynomial", tuple(rest)
    return "plumb_bob", tuple([*rest, 0.0, 0.0, 0.0][:4])
