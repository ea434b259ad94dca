"""A sequence written in the layout of 7-Scenes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from cl_localization.data.atomic import written_folder
from cl_localization.data.camera_yaml import CAMERA_YAML, write_camera_yaml
from cl_localization.data.frame import Frame, Sequence
from cl_localization.data.seven_scenes import STAMPS_FILE
from cl_localization.errors import DataError

MILLIMETRES_PER_METRE = 1000
MAX_DEPTH_MM = 65534


def not_told(done: int, total: int) -> None:
    """Tell nobody how far the work is."""


def export_7scenes(sequence: Sequence, folder: Path, force: bool = False,
                   progress: Callable[[int, int], None] = not_told) -> int:
    """Write all frames as `frame-NNNNNN.color.png`, `.depth.png` (mm) and `.pose.txt`, and return how many there were.

    Beside them lie `camera.yaml` and `stamps.txt`, which tools for 7-Scenes ignore: they tell this package's reader
    that depth and poses are already those of the colour camera, so that it gives back the same frames (depth to the
    millimetre, none beyond 65.5 m; the odometry is not kept).

    Args:
        folder: becomes the sequence's folder, whole or not at all.
        force: whether an existing folder may be replaced.
        progress: told (frames done, frames in all) after each.

    Raises:
        DataError: the folder is there without `force` or cannot be written; frames of more than one camera.
    """
    with written_folder(folder, force) as place:
        camera = None
        stamps = []
        for index, frame in enumerate(sequence):
            if camera is not None and frame.camera != camera:
                raise DataError(f"frame {frame.name}", "must have the camera of the frames before",
                                remedy="export each camera alone")
            camera = frame.camera
            stem = f"frame-{index:06d}"
            _write_frame(frame, place, stem)
            stamps.append(f"{stem} {frame.stamp_ns}\n")
            progress(index + 1, len(sequence))
        if camera is not None:
            write_camera_yaml(camera, place / CAMERA_YAML)
        (place / STAMPS_FILE).write_text("# frame stamp_ns\n" + "".join(stamps), encoding="utf-8")
    return len(stamps)


def depth_to_mm(depth_m: np.ndarray) -> np.ndarray:
    """Return depth (H, W) in metres as uint16 millimetres, 0 where it is unknown or too far to be written."""
    millimetres = np.rint(np.nan_to_num(depth_m, nan=0.0, posinf=0.0, neginf=0.0) * MILLIMETRES_PER_METRE)
    return np.where((millimetres > 0) & (millimetres <= MAX_DEPTH_MM), millimetres, 0).astype(np.uint16)


def _write_frame(frame: Frame, place: Path, stem: str) -> None:
    write_png(place / f"{stem}.color.png", cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR))
    if frame.depth_m is not None:
        write_png(place / f"{stem}.depth.png", depth_to_mm(frame.depth_m))
    if frame.world_T_cam is not None:
        np.savetxt(place / f"{stem}.pose.txt", frame.world_T_cam, fmt="%.17g", delimiter="\t")


def write_png(path: Path, pixels: np.ndarray) -> None:
    """Write pixels through Python's own files, whose errors say what is wrong with the disk."""
    path.write_bytes(cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes())
