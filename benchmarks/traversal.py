"""Which files of the package one image goes through, and how many calls that takes in each."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import cl_localization
from cl_localization.data import open_sequence
from cl_localization.data.frame import Frame
from cl_localization.localizer import Localizer
from cl_localization.mapper import Mapper

PACKAGE = Path(cl_localization.__file__).parent
ROOM = "sim:3?rooms=1&frames=60&size=320x240"
WARM = 3


def files_traversed(work: Callable[[], Any]) -> Counter[str]:
    """Return the files of the package whose functions run while work is done, in threads begun by it too, and their
    calls."""
    calls: Counter[str] = Counter()

    def note(frame: FrameType, event: str, _argument: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(f"{PACKAGE}/"):
            calls[str(Path(frame.f_code.co_filename).relative_to(PACKAGE))] += 1

    threading.setprofile(note)
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)  # type: ignore[arg-type]
    return calls


def easy_image() -> tuple[Localizer, Frame]:
    """Return a localizer with the default options in the map of a small room, warm, and an image that looks much like
    those that were mapped."""
    sequence, mapper = open_sequence(ROOM), Mapper()
    for index in range(0, len(sequence), 2):
        mapper.add(sequence[index])
    localizer = Localizer(mapper.map_code)
    for index in range(WARM):
        localizer.localize(sequence[2 * index + 1])
    return localizer, sequence[2 * WARM + 1]


def files_of_one_localization() -> Counter[str]:
    """Return what `Localizer.localize` goes through for an easy image."""
    localizer, frame = easy_image()
    return files_traversed(lambda: localizer.localize(frame))
