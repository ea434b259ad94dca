"""7-Scenes and 12-Scenes in their published layouts, with very few frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cl_localization.geometry.camera import Camera
from data.makers import make_image, write_7scenes, write_image

SMALL = Camera(64, 48, 60.0, 60.0, 32.5, 24.5)
INFO = """m_colorWidth = 64
m_colorHeight = 48
m_depthWidth = 32
m_depthHeight = 24
m_depthShift = 1000
m_calibrationColorIntrinsic = 60 0 32 0 0 60 24 0 0 0 1 0 0 0 0 1
m_calibrationDepthIntrinsic = 30 0 16 0 0 30 12 0 0 0 1 0 0 0 0 1
"""


def pose_at(number: int) -> np.ndarray:
    """Return a pose (4, 4) a little to the side for every number."""
    pose = np.eye(4)
    pose[:3, 3] = [0.2 * number, 0.1, 5.0]
    return pose


def write_seven(root: Path, scenes: tuple[str, ...], frames: int = 1) -> Path:
    """Write scenes of 7-Scenes below root/7Scenes: seq-01 to learn, seq-02 to test."""
    for scene in scenes:
        folder = root / "7Scenes" / scene
        for sequence in ("seq-01", "seq-02"):
            write_7scenes(folder / sequence, range(frames))
            for number in range(frames):
                np.savetxt(folder / sequence / f"frame-{number:06d}.pose.txt", pose_at(number))
        (folder / "TrainSplit.txt").write_text("sequence1\n")
        (folder / "TestSplit.txt").write_text("sequence2\n")
    return root


def write_twelve(root: Path, scenes: tuple[str, ...], frames: int = 2) -> Path:
    """Write scenes of 12-Scenes below root/12Scenes: the first sequence to test, the second, of which one pose is
    infinite, to learn."""
    for scene in scenes:
        folder = root / "12Scenes" / scene
        for number in range(2 * frames):
            stem = folder / "data" / f"frame-{number:06d}"
            write_image(Path(f"{stem}.color.jpg"), make_image(number, SMALL))
            write_image(Path(f"{stem}.depth.png"), np.full((24, 32), 1500 + 100 * number, np.uint16))
            last = number == 2 * frames - 1
            np.savetxt(f"{stem}.pose.txt", np.full((4, 4), -np.inf) if last else pose_at(number))
        (folder / "info.txt").write_text(INFO)
        (folder / "split.txt").write_text(f"sequence0 [frames={frames}]  [start=0 ; end={frames - 1}]\n"
                                          f"sequence1 [frames={frames}]  [start={frames} ; end={2 * frames - 1}]\n")
    return root
