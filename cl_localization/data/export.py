"""Sequences and maps written in the layouts of 7-Scenes, COLMAP (text), `transforms.json` and TUM RGB-D.

Images are PNG, pixel by pixel as they were. All writers but that of 7-Scenes fill an empty folder.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from cl_localization.data.atomic import written_folder
from cl_localization.data.camera_file import CAMERA_YAML, write_camera_yaml
from cl_localization.data.frame import Frame, Sequence
from cl_localization.data.seven_scenes import STAMPS_FILE
from cl_localization.data.stamps import NS_PER_S, format_stamp_s
from cl_localization.data.trajectory import write_trajectory
from cl_localization.data.tum import DEPTH_UNIT_M
from cl_localization.errors import DataError
from cl_localization.geometry.camera import Camera
from cl_localization.geometry.robot_pose import OPENGL_T_OPENCV
from cl_localization.geometry.se3 import inverse, to_quaternion

Posed = tuple[str, Camera, np.ndarray]
"""Name of an image, its camera, and world_T_cam (4, 4)."""

NO_TRACK = "128 128 128 0"
"""Colour and error of a point that comes without images."""

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
        stamps = []
        for index, frame in enumerate(_of_one_camera(sequence, place)):
            stem = f"frame-{index:06d}"
            _write_frame(frame, place, stem)
            stamps.append(f"{stem} {frame.stamp_ns}\n")
            progress(index + 1, len(sequence))
        (place / STAMPS_FILE).write_text("# frame stamp_ns\n" + "".join(stamps), encoding="utf-8")
    return len(stamps)


def _of_one_camera(frames: Iterable[Frame], place: Path) -> Iterator[Frame]:
    """Yield frames, and write `camera.yaml` of the first."""
    camera = None
    for frame in frames:
        if camera is None:
            write_camera_yaml(frame.camera, place / CAMERA_YAML)
        elif frame.camera != camera:
            raise DataError(f"frame {frame.name}", "must have the camera of the frames before",
                            remedy="export each camera alone, or as colmap")
        camera = frame.camera
        yield frame


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


def export_tum(frames: Iterable[Frame], place: Path) -> int:
    """Write `rgb/`, `depth/` (1/5000 m a step), their lists, `groundtruth.txt` and `camera.yaml`; return the frames.

    Raises:
        DataError: frames of more than one camera.
    """
    lists: dict[str, list[str]] = {"rgb": ["# stamp file"], "depth": ["# stamp file"]}
    poses, count = [], 0
    for frame in _of_one_camera(frames, place):
        stamp, count = format_stamp_s(frame.stamp_ns), count + 1
        images = {"rgb": cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR)}
        if frame.depth_m is not None:
            images["depth"] = depth_to_mm(frame.depth_m * (0.001 / DEPTH_UNIT_M))
        for kind, pixels in images.items():
            (place / kind).mkdir(exist_ok=True)
            write_png(place / kind / f"{stamp}.png", pixels)
            lists[kind].append(f"{stamp} {kind}/{stamp}.png")
        if frame.world_T_cam is not None:
            poses.append((frame.stamp_ns, frame.world_T_cam))
    for kind, lines in lists.items():
        if len(lines) > 1:
            (place / f"{kind}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    if poses:
        write_trajectory(place / "groundtruth.txt", poses, "world_T_cam")
    return count


def export_transforms(frames: Iterable[Frame], place: Path) -> int:
    """Write `images/`, `depth/` (millimetres) and `transforms.json` of the frames with a pose; return how many.

    Raises:
        DataError: a camera whose distortion the format lacks.
    """
    entries = []
    for frame, path, world_T_cam in _posed_images(frames, place):
        entry = {**_transforms_entry(path, frame.camera, world_T_cam), "stamp": frame.stamp_ns / NS_PER_S}
        if frame.depth_m is not None:
            (place / "depth").mkdir(exist_ok=True)
            entry["depth_file_path"] = path.replace("images/", "depth/", 1)
            write_png(place / entry["depth_file_path"], depth_to_mm(frame.depth_m))
        entries.append(entry)
    content = {"depth_unit_scale_factor": 0.001, "frames": entries}
    (place / "transforms.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return len(entries)


def export_colmap(frames: Iterable[Frame], place: Path) -> int:
    """Write `images/` and a text model without points in `sparse/0` of the frames with a pose; return how many.

    Raises:
        DataError: a camera whose distortion COLMAP lacks.
    """
    posed = [(path.removeprefix("images/"), frame.camera, world_T_cam)
             for frame, path, world_T_cam in _posed_images(frames, place)]
    write_colmap_model(place / "sparse" / "0", posed, np.zeros((0, 3)))
    return len(posed)


WRITERS: dict[str, Callable[[Iterable[Frame], Path], int]] = {
    "colmap": export_colmap, "transforms": export_transforms, "tum": export_tum}
"""By the name of the format."""


def write_colmap_model(folder: Path, posed: list[Posed], points_m: np.ndarray) -> None:
    """Write a text model of posed images and points (N, 3) without tracks.

    Raises:
        DataError: a camera whose distortion COLMAP lacks.
    """
    folder.mkdir(parents=True)
    numbers: dict[Camera, int] = {}
    lines = []
    for index, (name, camera, world_T_cam) in enumerate(posed, start=1):
        number = numbers.setdefault(camera, len(numbers) + 1)
        position_m, (x, y, z, w) = to_quaternion(inverse(world_T_cam))
        lines += [f"{index} {_words((w, x, y, z, *position_m))} {number} {name}", ""]
    cameras = [f"{number} {_colmap_camera(camera)}" for camera, number in numbers.items()]
    points = [f"{index} {_words(point)} {NO_TRACK}" for index, point in enumerate(points_m, start=1)]
    for name, rows in (("cameras", cameras), ("images", lines), ("points3D", points)):
        (folder / f"{name}.txt").write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")


def write_transforms(path: Path, posed: list[Posed]) -> None:
    """Write a `transforms.json` of posed images that lie elsewhere. Raises DataError as `export_transforms`."""
    entries = [_transforms_entry(*one) for one in posed]
    path.write_text(json.dumps({"frames": entries}, indent=1) + "\n", encoding="utf-8")


def _posed_images(frames: Iterable[Frame], place: Path) -> Iterator[tuple[Frame, str, np.ndarray]]:
    """Write the images of the frames with a pose to `images/`; yield these frames, the images' paths in `place`, and
    world_T_cam (4, 4)."""
    (place / "images").mkdir()
    posed = ((frame, frame.world_T_cam) for frame in frames if frame.world_T_cam is not None)
    for index, (frame, world_T_cam) in enumerate(posed):
        path = f"images/{index:06d}.png"
        write_png(place / path, cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR))
        yield frame, path, world_T_cam


def _transforms_entry(name: str, camera: Camera, world_T_cam: np.ndarray) -> dict[str, Any]:
    if camera.distortion_model == "rational_polynomial":
        raise DataError("distortion of the camera", "must be plumb_bob or equidistant for transforms.json",
                        camera.distortion_model, "undistort the images first, or export as colmap")
    fisheye = camera.distortion_model == "equidistant"
    names = ("k1", "k2", "k3", "k4") if fisheye else ("k1", "k2", "p1", "p2", "k3")
    return {"file_path": name, "camera_model": "OPENCV_FISHEYE" if fisheye else "OPENCV", "w": camera.width_px,
            "h": camera.height_px, "fl_x": camera.fx_px, "fl_y": camera.fy_px, "cx": camera.cx_px, "cy": camera.cy_px,
            **dict(zip(names, camera.distortion)), "transform_matrix": (world_T_cam @ OPENGL_T_OPENCV).tolist()}


def _colmap_camera(camera: Camera) -> str:
    distortion = list(camera.distortion)
    if len(distortion) > 8:
        raise DataError("distortion of the camera", "must have at most 8 coefficients for COLMAP", len(distortion),
                        "undistort the images first")
    model = {0: "PINHOLE", 4: "OPENCV"}.get(len(distortion), "FULL_OPENCV")
    if camera.distortion_model == "equidistant":
        model = "OPENCV_FISHEYE"
    if model == "FULL_OPENCV":
        distortion += [0.0] * (8 - len(distortion))
    numbers = (camera.fx_px, camera.fy_px, camera.cx_px, camera.cy_px, *distortion)
    return f"{model} {camera.width_px} {camera.height_px} {_words(numbers)}"


def _words(numbers: Iterable[float]) -> str:
    return " ".join(repr(float(number)) for number in numbers)
