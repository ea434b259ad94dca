"""COLMAP: a folder with `images/` and a model in `sparse/0`, `sparse` or `colmap/sparse/0`, or the model's folder.

Intrinsics are the model's, scaled where the images are smaller (`images_2/`). A model without geo-registration has no
metric scale. Names of images sort them, 0.1 s apart.
"""

from __future__ import annotations

from pathlib import Path

from cl_localization.data.camera_file import image_size, named
from cl_localization.data.colmap_model import ModelImage, has_model, read_model
from cl_localization.data.files import is_file
from cl_localization.data.reading import FRAME_PERIOD_NS, Findings
from cl_localization.data.sequence import ImageFile, ImageFileSequence
from cl_localization.data.stamps import natural_key
from cl_localization.errors import DataError
from cl_localization.geometry.camera import Camera

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
    files = []
    for index, image in enumerate(sorted(registered, key=lambda image: natural_key(image.name))):
        image_path = place / image.name
        if not is_file(image_path):
            findings.skipped.append(image.name)
            continue
        world_T_cam = findings.pose(image.world_T_cam, f"pose of {image.name}", image.name)
        if world_T_cam is None:
            continue
        if image.camera_id not in views:
            views[image.camera_id] = findings.camera_of_file(Path(camera), image_path) if camera \
                else _camera(cameras, image, image_path, folder)
        files.append(ImageFile(image.name, index * FRAME_PERIOD_NS, image_path, views[image.camera_id], world_T_cam))
    if not files and registered:
        raise DataError(f"images of model {folder}", "are missing", f"no {registered[0].name} in {place.absolute()}",
                        "give their folder with ?images=FOLDER")
    return ImageFileSequence(name or str(path), files, findings.skipped, findings.notes, findings.camera_source)


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
