"""12-Scenes: Structure sensor and iPad. A scene is a folder with `info.txt`, `data/` and `split.txt`; BundleFusion has
the same `info.txt` beside its frames.

`data/` holds `frame-NNNNNN.color.jpg`, `.depth.png` (16 bits, mm) and `.pose.txt` (camera to world). Depth has another
size than colour; it is registered with the intrinsics that `info.txt` gives for both.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from cl_localization.data.files import read_text, to_float
from cl_localization.data.reading import (
    Findings,
    ImageFile,
    ImageFileSequence,
    checked_split,
    depth_beside,
    depth_unit,
    pose_file,
)
from cl_localization.data.registration import DepthRegistration
from cl_localization.data.seven_scenes import FRAME_PERIOD_NS, colour_files
from cl_localization.errors import DataError, named
from cl_localization.geometry.camera import Camera

INFO, SPLIT = "info.txt", "split.txt"
SPLIT_LINE = re.compile(r"(\w+)\s*\[frames=(\d+)\]\s*\[start=(\d+)\s*;\s*end=(\d+)\]")
EXTRINSIC_TOLERANCE = 1e-6


def is_12scenes(path: Path) -> bool:
    """Return whether a folder looks like a scene of 12-Scenes or BundleFusion."""
    return path.is_dir() and (path / INFO).is_file() and bool((path / "data").is_dir() or colour_files(path))


def open_12scenes(path: Path, name: str = "", *, split: str = "all", camera: str = "", depth: bool = True,
                  depth_unit_m: float = 0.0) -> ImageFileSequence:
    """Open a scene; frames are named `sequence0/frame-000000` where `split.txt` tells sequences apart.

    Frames whose pose holds infinity or NaN are skipped and counted; missing depth or pose files leave the frame without
    them.

    Args:
        split: "test" is the first sequence of `split.txt`, "train" all others, as the benchmark has it.
        camera: a calibration file of the colour camera, see `read_camera_file`, instead of that in `info.txt`.
        depth, depth_unit_m: whether to read and register depth, and metres of a step of it; 0 for `m_depthShift`.

    Raises:
        DataError: missing or malformed info.txt or split.txt, no frames, extrinsics other than the identity.
        GeometryError: numbers that are no camera or pose.
    """
    info, findings = _info(path / INFO), Findings(camera_source=str(path / INFO))
    folder = path / "data" if (path / "data").is_dir() else path
    colour, depth_camera = colour_files(folder), _camera(info, "Depth", path)
    colour_camera = findings.camera_given(camera, colour[0][1]) if colour else None
    colour_camera = colour_camera or _camera(info, "Color", path)
    unit_m = depth_unit(depth_unit_m, 1.0 / _numbers(info, "m_depthShift", 1, path)[0])
    registration = DepthRegistration(depth_camera, colour_camera, np.eye(4)) \
        if depth and depth_camera != colour_camera else None
    split_ranges = _ranges(path / SPLIT, split)
    for number, image_path in colour:
        group = next((label for label, start, end in split_ranges if start <= number <= end), None)
        if group is None:
            continue
        stem = image_path.name.split(".")[0]
        pose_path = folder / f"{stem}.pose.txt"
        findings.add(ImageFile(group + stem, number * FRAME_PERIOD_NS, image_path, colour_camera, pose_file(pose_path),
                               depth_beside(folder, f"{stem}.depth") if depth else None, unit_m, registration),
                     f"pose {pose_path}")
    return findings.sequence(name or str(path))


def _info(path: Path) -> dict[str, str]:
    pairs = (line.partition("=") for line in read_text(path).splitlines())
    return {key.strip(): value.strip() for key, equals, value in pairs if equals}


def _numbers(info: dict[str, str], key: str, count: int, path: Path) -> list[float]:
    words = info.get(key, "").split()
    if len(words) != count:
        raise DataError(f"{key} of {path / INFO}", f"must be {count} numbers", len(words), "copy the scene again")
    values = [to_float(word, f"{key} of {path / INFO}") for word in words]
    if not np.isfinite(values).all() or (count == 1 and values[0] <= 0):
        raise DataError(f"{key} of {path / INFO}", "must be finite, a size or scale positive", values)
    return values


def _camera(info: dict[str, str], which: str, path: Path) -> Camera:
    """Return the colour or depth camera; its matrix counts pixels from the centre of the first one, as OpenCV does."""
    extrinsic = np.reshape(_numbers(info, f"m_calibration{which}Extrinsic", 16, path), (4, 4)) \
        if f"m_calibration{which}Extrinsic" in info else np.eye(4)
    if not np.allclose(extrinsic, np.eye(4), atol=EXTRINSIC_TOLERANCE):
        raise DataError(f"m_calibration{which}Extrinsic of {path / INFO}", "must be the identity", extrinsic[:3, 3],
                        "register the depth first, or open with ?depth=false and an identity")
    width_px, height_px = (int(_numbers(info, f"m_{which.lower()}{side}", 1, path)[0]) for side in ("Width", "Height"))
    matrix = np.reshape(_numbers(info, f"m_calibration{which}Intrinsic", 16, path), (4, 4))[:3, :3]
    with named(f"m_calibration{which}Intrinsic of {path / INFO}"):
        return Camera.from_opencv(width_px, height_px, matrix).checked()


def _ranges(path: Path, split: str) -> list[tuple[str, int, int]]:
    """Return (name prefix, first, last frame number) of the wanted sequences."""
    if checked_split(split) == "all" and not path.is_file():
        return [("", 0, 10**12)]
    ranges = [(f"{match[1]}/", int(match[3]), int(match[4])) for match in SPLIT_LINE.finditer(read_text(path))]
    if not ranges:
        raise DataError(f"split {path}", "must have lines like: sequence0 [frames=10] [start=0 ; end=9]", "none")
    return {"all": ranges, "test": ranges[:1], "train": ranges[1:]}[split]
