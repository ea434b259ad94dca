"""ORB-SLAM3 with depth on a sequence, for comparison; a program of its own, since it can end the process it runs in.

    python -m benchmarks.orb_slam3 SEQUENCE trajectory.txt

It needs `pip install pyorbslam3` (GPL, therefore no dependency), and makes its vocabulary and settings itself.
"""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np

from cl_localization.data import open_sequence
from cl_localization.data.frame import Frame
from cl_localization.data.trajectory import Trajectory, read_trajectory

BRANCHES, LEVELS = 10, 4
DESCRIBED_EVERY, DESCRIBED_FEATURES = 5, 500
ROUNDS = 5
"""The vocabulary: a tree of that many branches and levels, by rounds of k-means, from the features of every few
frames."""

FEATURES = 1500
"""Features of an image; the examples of ORB-SLAM3 have 1,000 to 1,500 for 640x480."""

PERIOD_S = 0.2
"""Frames come no faster, so that its other threads map and close loops in the meantime."""

SAME_FRAME_NS = 10**6
"""A pose this near in time is of the frame: trajectories are written in decimal seconds."""

IMAGE_MS = ".ms"
"""Suffix of the file beside the trajectory that says how much processor time an image took."""

SETTINGS = """%YAML:1.0
File.version: "1.0"
Camera.type: "PinHole"
Camera1.fx: {fx}
Camera1.fy: {fy}
Camera1.cx: {cx}
Camera1.cy: {cy}
Camera1.k1: 0.0
Camera1.k2: 0.0
Camera1.p1: 0.0
Camera1.p2: 0.0
Camera.width: {width}
Camera.height: {height}
Camera.fps: 30
Camera.RGB: 1
Stereo.ThDepth: 40.0
Stereo.b: 0.08
RGBD.DepthMapFactor: 1.0
ORBextractor.nFeatures: {features}
ORBextractor.scaleFactor: 1.2
ORBextractor.nLevels: 8
ORBextractor.iniThFAST: 20
ORBextractor.minThFAST: 7
Viewer.KeyFrameSize: 0.05
Viewer.KeyFrameLineWidth: 1.0
Viewer.GraphLineWidth: 0.9
Viewer.PointSize: 2.0
Viewer.CameraSize: 0.08
Viewer.CameraLineWidth: 3.0
Viewer.ViewpointX: 0.0
Viewer.ViewpointY: -0.7
Viewer.ViewpointZ: -1.8
Viewer.ViewpointF: 500.0
"""


@dataclass(frozen=True, eq=False)
class Followed:
    """The poses that ORB-SLAM3 has in the end, and its processor time for an image."""

    trajectory: Trajectory
    image_ms: float


def followed(spec: str) -> Followed | None:
    """Return what ORB-SLAM3 makes of a sequence with depth; None where it is not installed or finds nothing."""
    if find_spec("pyorbslam3") is None:
        return None
    with TemporaryDirectory() as folder:
        path = Path(folder, "trajectory.txt")
        subprocess.run([sys.executable, "-m", "benchmarks.orb_slam3", spec, str(path)], check=False,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if not path.is_file() or not path.read_text().strip():
            return None
        return Followed(read_trajectory(path), float(path.with_suffix(IMAGE_MS).read_text()))


def main(spec: str, trajectory: Path) -> None:
    """Write the poses that ORB-SLAM3 has for the frames of a sequence in the end, in TUM's format; and beside them the
    processor time of all its threads for a frame, without reading [ms]."""
    import pyorbslam3

    sequence = open_sequence(spec)
    with TemporaryDirectory() as folder:
        vocabulary, settings = Path(folder, "vocabulary.txt"), Path(folder, "settings.yaml")
        described = [_described(sequence[index]) for index in range(0, len(sequence), DESCRIBED_EVERY)]
        vocabulary.write_text(vocabulary_text(described, np.random.default_rng(0)))
        camera = sequence[0].camera
        settings.write_text(SETTINGS.format(fx=camera.fx_px, fy=camera.fy_px, cx=camera.cx_px, cy=camera.cy_px,
                                            width=camera.width_px, height=camera.height_px, features=FEATURES))
        slam = pyorbslam3.Slam(vocabulary, settings, pyorbslam3.Sensor.RGBD)
        spent_s = -time.process_time()
        for frame in sequence:
            started_s, reading_s = time.perf_counter(), time.process_time()
            image, depth_m = frame.image, _depth_m(frame)
            spent_s -= time.process_time() - reading_s
            slam.track_rgbd(image, depth_m, frame.stamp_ns * 1e-9)
            time.sleep(max(0.0, started_s + PERIOD_S - time.perf_counter()))
        slam.shutdown()
        trajectory.with_suffix(IMAGE_MS).write_text(f"{1e3 * (spent_s + time.process_time()) / len(sequence)}")
        slam.save_trajectory_tum(str(trajectory))


def _depth_m(frame: Frame) -> np.ndarray:
    if frame.depth_m is None:
        return np.zeros(frame.image.shape[:2], np.float32)
    return np.nan_to_num(frame.depth_m).astype(np.float32)


def _described(frame: Frame) -> np.ndarray:
    """Return ORB descriptors (N, 32) uint8 of an image."""
    grey = cv2.cvtColor(frame.image, cv2.COLOR_RGB2GRAY)
    descriptors = cv2.ORB_create(DESCRIBED_FEATURES).detectAndCompute(grey, None)[1]
    return np.zeros((0, 32), np.uint8) if descriptors is None else descriptors


def vocabulary_text(images: list[np.ndarray], rng: np.random.Generator) -> str:
    """Return a vocabulary of binary descriptors, (N, 32) uint8 of each image, in the text format of DBoW2: a node a
    line, with its parent's number, whether it is a word, its descriptor and the weight of the word, log(images / images
    with it)."""
    descriptors = np.concatenate(images)
    of_image = np.repeat(np.arange(len(images)), [len(image) for image in images])
    lines = [f"{BRANCHES} {LEVELS}  0 0"]
    nodes = [(0, np.arange(len(descriptors)), 0)]
    while nodes:
        parent, rows, level = nodes.pop(0)
        for centre, members in _clusters(descriptors[rows], rng):
            is_word = level + 1 == LEVELS or len(members) <= BRANCHES
            weight = np.log(len(images) / len(np.unique(of_image[rows[members]])))
            number = len(lines)
            lines.append(f"{parent} {int(is_word)} {' '.join(map(str, centre))} {weight if is_word else 0.0}")
            if not is_word:
                nodes.append((number, rows[members], level + 1))
    return "\n".join(lines)  # no line end: the reader would take what comes after it for a node


def _clusters(descriptors: np.ndarray, rng: np.random.Generator) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return centres (32,) and members of clusters of binary descriptors (N, 32), by k-means with majorities."""
    bits = np.unpackbits(descriptors, axis=1).astype(np.float32) * 2 - 1
    centres = bits[rng.choice(len(bits), min(BRANCHES, len(bits)), replace=False)]
    for _ in range(ROUNDS):
        nearest = (bits @ centres.T).argmax(axis=1)
        centres = np.array([np.sign(bits[nearest == index].sum(axis=0) + 0.5) if (nearest == index).any() else centre
                            for index, centre in enumerate(centres)])
    nearest = (bits @ centres.T).argmax(axis=1)
    return [(np.packbits(centre > 0), np.flatnonzero(nearest == index)) for index, centre in enumerate(centres)
            if (nearest == index).any()]


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
