"""A video file: frames read when they are asked for, stamped by the rate of the file, from 0 s on.

A rotation noted in the file is applied, as players do; the calibration must be of the images that one sees.
"""

from __future__ import annotations

import threading
from pathlib import Path

import cv2
import numpy as np

from cl_localization.data.camera_file import CAMERA_YAML, GIVE_CAMERA, read_camera_file
from cl_localization.data.files import MAX_FRAMES, MAX_IMAGE_PIXELS, require_file
from cl_localization.data.frame import Frame
from cl_localization.data.images import to_rgb
from cl_localization.data.sequence import IndexedSequence
from cl_localization.data.stamps import NS_PER_S
from cl_localization.data.trajectory import Trajectory, pose_at, read_trajectory, stamps_apart
from cl_localization.errors import DataError, named
from cl_localization.geometry.camera import Camera

SUFFIXES = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg")
RATES_HZ = (0.1, 1000.0)
NEAR_FRAMES = 60
"""Frames that are rather passed over than jumped, which starts at the last key frame."""


def is_video(path: Path) -> bool:
    """Return whether a path is a video file."""
    return path.suffix.lower() in SUFFIXES and path.is_file()


def open_video(path: Path, name: str = "", *, camera: str = "", poses: str = "", rate_hz: float = 0.0,
               max_gap_s: float = 0.1) -> VideoSequence:
    """Open a video.

    Args:
        camera: its calibration, see `read_camera_file`; empty for `NAME.yaml` or `camera.yaml` beside the video.
        poses: a TUM trajectory of the camera, stamped from 0 s on as the video.
        rate_hz: frames a second; 0 for what the file says.
        max_gap_s: poses are interpolated between neighbours up to this far apart.

    Raises:
        DataError: no video, no calibration, a rate that is none.
        GeometryError: a calibration of images of another ratio.
    """
    film = Film(path)
    rate_hz = rate_hz or film.rate_hz
    if not RATES_HZ[0] <= rate_hz <= RATES_HZ[1]:
        raise DataError(f"rate of {path}", f"must lie in {RATES_HZ[0]:g} to {RATES_HZ[1]:g} frames a second", rate_hz,
                        "give it with ?rate_hz=30")
    file = Path(camera) if camera else next(
        (file for file in (path.with_suffix(".yaml"), path.with_name(CAMERA_YAML)) if file.is_file()), None)
    if file is None:
        raise DataError(f"video {path}", "needs the calibration of its camera",
                        remedy=f"{GIVE_CAMERA}, or put {CAMERA_YAML} beside")
    with named(f"calibration {file}"):
        view = read_camera_file(file, film.size_px)
    trajectory = read_trajectory(Path(poses)) if poses else None
    return VideoSequence(name or str(path), film, view, str(file), rate_hz, trajectory, max_gap_s)


class Film:
    """A video file decoded by OpenCV, frame by frame, from one thread at a time.

    Attributes:
        frames, rate_hz, size_px: what the file says.

    Raises:
        DataError: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path, self._lock, self._next = path, threading.Lock(), 0
        require_file(path)
        self._capture = cv2.VideoCapture(str(path))
        if not self._capture.isOpened():
            raise DataError(f"video {path}", "cannot be opened", remedy="is it complete, and a video?")
        self.frames = int(max(min(self._capture.get(cv2.CAP_PROP_FRAME_COUNT), MAX_FRAMES + 1), 0))
        self.rate_hz = float(self._capture.get(cv2.CAP_PROP_FPS))
        self.size_px = (int(self._capture.get(cv2.CAP_PROP_FRAME_WIDTH)),
                        int(self._capture.get(cv2.CAP_PROP_FRAME_HEIGHT)))
        if not 0 < self.size_px[0] * self.size_px[1] <= MAX_IMAGE_PIXELS:
            raise DataError(f"video {path}", "must have a size", f"{self.size_px[0]}x{self.size_px[1]}")

    def image(self, index: int) -> np.ndarray:
        """Return frame `index` as (H, W, 3) uint8 RGB. Raises DataError when it cannot be decoded."""
        with self._lock:
            if not self._next <= index <= self._next + NEAR_FRAMES:
                self._capture.set(cv2.CAP_PROP_POS_FRAMES, index)
                self._next = index
            good = all(self._capture.grab() for _ in range(index - self._next))
            good, pixels = self._capture.read() if good else (False, None)
            self._next = index + 1
        if pixels is None:
            raise DataError(f"frame {index} of {self.path}", "cannot be decoded", remedy="the file may be cut")
        return to_rgb(pixels, f"frame {index} of {self.path}")


class VideoSequence(IndexedSequence):
    """The frames of a video; poses, if there are any, are looked up by time."""

    def __init__(self, name: str, film: Film, camera: Camera, camera_source: str, rate_hz: float,
                 trajectory: Trajectory | None, max_gap_s: float) -> None:
        stamps_ns = [round(index * NS_PER_S / rate_hz) for index in range(film.frames)]
        super().__init__(name, [f"{index:06d}" for index in range(film.frames)], (),
                         [f"frames are stamped by a rate of {rate_hz:g} Hz, from 0 s on",
                          *stamps_apart(stamps_ns, trajectory, "the trajectory")], camera_source)
        self._film, self._camera, self._trajectory, self._max_gap_s = film, camera, trajectory, max_gap_s
        self._stamps_ns = stamps_ns

    def camera_at(self, index: int) -> Camera:
        """Return the camera, the same of all frames."""
        return self._camera

    def _frame(self, index: int) -> Frame:
        return Frame(self._stamps_ns[index], self._film.image(index), self._camera, None, self._pose(index),
                     name=self.names[index])

    def _pose(self, index: int) -> np.ndarray | None:
        return pose_at(self._trajectory, self._stamps_ns[index], self._max_gap_s, self._max_gap_s)
