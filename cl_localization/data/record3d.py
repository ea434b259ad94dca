"""Record3D's "EXR + RGB" export with `rgb/` and `depth/`, or an unpacked `.r3d` with both in `rgbd/`, and `metadata`.

The matrix K of `metadata` is written column by column. Poses are x y z w quaternion and position, camera to world, with
ARKit's camera axes (y up, z back), and are turned. Depth is metres, smaller than the images, of the same view.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from cl_localization.data.apple_depth import SUFFIX as COMPRESSED
from cl_localization.data.apple_depth import import_lzfse
from cl_localization.data.camera_file import image_size
from cl_localization.data.files import is_file, read_json_object
from cl_localization.data.images import image_files
from cl_localization.data.reading import Findings, ImageFile, ImageFileSequence, depth_beside, depth_unit
from cl_localization.data.stamps import NS_PER_S
from cl_localization.data.trajectory import poses_of
from cl_localization.errors import DataError, named
from cl_localization.geometry.camera import Camera, is_by_columns
from cl_localization.geometry.robot_pose import OPENGL_T_OPENCV

METADATA = ("metadata.json", "metadata")
DEFAULT_RATE_HZ = 30.0


def is_record3d(path: Path) -> bool:
    """Return whether a folder is an export of Record3D."""
    return path.is_dir() and _metadata(path) is not None and any((path / place).is_dir() for place in ("rgb", "rgbd"))


def open_record3d(path: Path, name: str = "", *, camera: str = "", depth: bool = True,
                  depth_unit_m: float = 0.0) -> ImageFileSequence:
    """Open an export; frames whose pose holds infinity or NaN are skipped and counted.

    Args:
        camera: a calibration file, see `read_camera_file`, instead of the metadata's K.
        depth, depth_unit_m: whether to read depth, and metres of a step of it where it is 16 bits; 0 for millimetres.

    Raises:
        DataError: malformed metadata, no images, another number of poses than images.
        GeometryError: numbers that are no camera or pose.
    """
    file, findings = _metadata(path), Findings()
    if file is None:
        raise DataError(f"folder {path}", f"must hold {METADATA[0]}", "none")
    content = read_json_object(file)
    folder = path / "rgb" if (path / "rgb").is_dir() else path / "rgbd"
    images = image_files(folder, (".jpg", ".jpeg", ".png"))
    if not images:
        raise DataError(f"folder {folder}", "must hold images", "none")
    findings.camera_source = str(file)
    view = findings.camera_given(camera, images[0]) or _camera(content, file, images[0], findings)
    poses = poses_of(_table(content, "poses", 7, file)[:, [4, 5, 6, 0, 1, 2, 3]], f"poses of {file}")
    if len(poses) != len(images):
        raise DataError(f"poses of {file}", f"must be one for each of {len(images)} images", len(poses))
    stamps_ns = _stamps(content, len(images), file, findings)
    depths = [_depth(path, folder, image.stem) if depth else None for image in images]
    if any(file.suffix == COMPRESSED for file in depths if file):
        import_lzfse(f"depth of {path}")
    unit_m = depth_unit(depth_unit_m)
    for image, stamp_ns, pose, depth_path in zip(images, stamps_ns, poses, depths):
        findings.add(ImageFile(image.stem, stamp_ns, image, view, pose, depth_path, unit_m),
                     f"pose of {image.name} in {file}", OPENGL_T_OPENCV)
    return findings.sequence(name or str(path))


def _metadata(path: Path) -> Path | None:
    return next((path / name for name in METADATA if (path / name).is_file()), None)


def _depth(path: Path, images: Path, stem: str) -> Path | None:
    """Return the depth of a frame: in `depth/`, or compressed there or beside its image; None if there is none."""
    compressed = (folder / f"{stem}{COMPRESSED}" for folder in (path / "depth", images))
    return depth_beside(path / "depth", stem) or next(filter(is_file, compressed), None)


def _table(content: dict[str, Any], key: str, columns: int, file: Path) -> np.ndarray:
    """Return a list of lists of numbers as (N, columns) float64."""
    try:
        table = np.array(content.get(key), dtype=float)
    except (TypeError, ValueError):
        table = np.zeros(0)
    if table.ndim != 2 or table.shape[1] != columns:
        raise DataError(f"{key} of {file}", f"must be a list of {columns} numbers a frame", str(content.get(key))[:80])
    return table


def _camera(content: dict[str, Any], file: Path, image_path: Path, findings: Findings) -> Camera:
    matrix = np.reshape(_table({"K": [content.get("K")]}, "K", 9, file), (3, 3))
    if is_by_columns(matrix):
        matrix = matrix.T
    else:
        findings.assumed(f"K of {file} is written row by row, unlike Record3D's own")
    width_px, height_px = image_size(image_path)
    stated = content.get("w", width_px), content.get("h", height_px)
    if not all(isinstance(side, int) and 0 < side < 10**6 for side in stated):
        raise DataError(f"w and h of {file}", "must be the size of the images", stated)
    with named(f"K of {file}"):
        # ARKit, like COLMAP, counts from the image's corner
        corner = matrix - np.array([[0, 0, 0.5], [0, 0, 0.5], [0, 0, 0]])
        return Camera.from_opencv(*stated, corner).checked().fitted(width_px, height_px)


def _stamps(content: dict[str, Any], count: int, file: Path, findings: Findings) -> list[int]:
    given = content.get("frameTimestamps")
    if isinstance(given, list) and len(given) == count and all(isinstance(stamp, (int, float)) for stamp in given) \
            and np.isfinite(given).all() and (np.diff(given) > 0).all() and np.abs(given).max() < 9e9:
        return [round(stamp * NS_PER_S) for stamp in given]
    rate_hz = content.get("fps", DEFAULT_RATE_HZ)
    if not isinstance(rate_hz, (int, float)) or not 0.01 < rate_hz < 1e4:
        raise DataError(f"fps of {file}", "must be a rate", rate_hz)
    findings.assumed(f"frames are stamped by a rate of {rate_hz:g} Hz")
    return [round(index * NS_PER_S / rate_hz) for index in range(count)]
