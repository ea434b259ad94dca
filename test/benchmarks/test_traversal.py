"""The files that are counted are those of the package that ran, in any thread, and no others; the image is easy."""

from __future__ import annotations

import sys
import threading

import numpy as np

from benchmarks.traversal import easy_image, files_traversed
from cl_localization.geometry import se3
from cl_localization.geometry.camera import Camera


def test_files_of_the_package_that_run_are_counted_with_their_calls() -> None:
    def work() -> None:
        thread = threading.Thread(target=se3.inverse, args=(np.eye(4),))
        thread.start()
        thread.join()
        se3.inverse(np.eye(4))
        np.median([1.0, 2.0])

    assert files_traversed(work) == {"geometry/se3.py": 2}
    assert sys.getprofile() is None


def test_nothing_is_counted_that_runs_afterwards() -> None:
    calls = files_traversed(lambda: None)
    Camera(64, 48, 50.0, 50.0, 32.0, 24.0)
    assert calls == {}


def test_the_easy_image_is_localized() -> None:
    localizer, frame = easy_image()
    found = localizer.localize(frame)
    assert found.accepted and found.support > 100.0, found
