"""Files of every layout, cut, zeroed, mixed up, with NaN and huge numbers: frames or an error of this package, soon and
in little memory."""

from __future__ import annotations

import contextlib
import random
import re
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from cl_localization.data import Frame, open_sequence
from cl_localization.data.bag_writer import write_bag
from cl_localization.data.camera_file import write_camera_yaml
from cl_localization.errors import LocalizationError
from data.layout_makers import LAYOUTS, eth3d, r3d, rendered_frames

VARIANTS = 25
LONGEST_S, MOST_MB = 2.0, 200.0
NUMBER = re.compile(rb"-?\d+(?:\.\d+)?")
KINDS = ("cut", "zeroed", "swapped", "nan", "huge")


class Hangs(BaseException):
    """Reading takes longer than `LONGEST_S` of the processor."""


def rosbag2(place: Path, frames: list[Frame]) -> Path:
    """Write a bag."""
    write_bag(open_sequence(eth3d(place / "made", frames)), place / "bag")
    shutil.rmtree(place / "made")
    return place / "bag"


def video(place: Path, frames: list[Frame]) -> Path:
    """Write a video and its calibration."""
    writer = cv2.VideoWriter(str(place / "walk.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 10, frames[0].image.shape[1::-1])
    for frame in frames:
        writer.write(frame.image)
    writer.release()
    write_camera_yaml(frames[0].camera, place / "camera.yaml")
    return place / "walk.avi"


WRITERS = {name: write for name, (write, _, _) in LAYOUTS.items()} | {"bag": rosbag2, "video": video, "r3d": r3d}


@contextlib.contextmanager
def bounded() -> Iterator[None]:
    """End what takes too much of the processor's time with `Hangs`, and fail when memory grew too much meanwhile."""
    def interrupt(*_: object) -> None:
        raise Hangs

    earlier = signal.signal(signal.SIGPROF, interrupt)
    before_mb = peak_memory_mb(anew=True)
    signal.setitimer(signal.ITIMER_PROF, LONGEST_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, earlier)
    assert peak_memory_mb() - before_mb < MOST_MB


def peak_memory_mb(anew: bool = False) -> float:
    """Return the largest resident memory of this process; `anew` counts from now on."""
    if anew:
        Path("/proc/self/clear_refs").write_text("5")
    return int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1024


@pytest.fixture(scope="module")
def frames():
    """Two frames."""
    return rendered_frames(2)


def replaced_number(data, text, binary, draw):
    """Return data with one of its numbers replaced: as text, or as eight bytes where there are no digits."""
    numbers = list(NUMBER.finditer(data))
    if numbers:
        chosen = draw.choice(numbers)
        return data[:chosen.start()] + text + data[chosen.end():]
    start = draw.randrange(max(1, len(data) - 8))
    return data[:start] + binary + data[start + 8:]


def broken(data, kind, draw):
    """Return data that is broken in one way."""
    start, other = draw.randrange(len(data)), draw.randrange(len(data))
    if kind == "cut":
        return data[:start]
    if kind == "zeroed":
        return data[:start] + bytes(len(data[start:start + 40])) + data[start + 40:]
    if kind == "swapped":
        return data[:start] + data[other:other + 16] + data[start + 16:]
    if kind == "nan":
        return replaced_number(data, b"nan", np.float64(np.nan).tobytes(), draw)
    return replaced_number(data, b"9" * draw.choice((5, 12, 30)), b"\xff" * 8, draw)


@pytest.mark.parametrize("layout", WRITERS)
def test_a_broken_file_is_an_error_or_frames(frames, layout, tmp_path):
    place, draw = WRITERS[layout](tmp_path, frames), random.Random(layout)
    texts = sorted(file for file in tmp_path.rglob("*") if file.is_file() and file.suffix != ".png")
    everything = sorted(file for file in tmp_path.rglob("*") if file.is_file())
    refused = 0
    for number in range(VARIANTS):
        file = draw.choice(everything if number % 5 == 0 else texts)
        whole = file.read_bytes()
        file.write_bytes(broken(whole, KINDS[number % len(KINDS)], draw))
        refused += 1
        with bounded(), contextlib.suppress(LocalizationError):
            for frame in open_sequence(place):
                assert frame.world_T_cam is None or np.isfinite(frame.world_T_cam).all()
                assert frame.depth_m is None or np.isfinite(frame.depth_m).all()
            refused -= 1
        file.write_bytes(whole)
    assert refused > 0
    assert len(list(open_sequence(place))) == len(frames)
