"""A rendered scene written in any layout is mapped and localized as well as it is without files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest

from cl_localization.data import Frame, open_sequence
from cl_localization.geometry.se3 import pose_error
from cl_localization.localizer import Localizer
from cl_localization.mapper import Mapper
from data.layout_makers import LAYOUTS, NO_DEPTH, without_symmetry

WALK = "sim:7?rooms=1&size=336x248[80:120]"
WORSE = 1.2
ALWAYS = ("colmap_text", "record3d", "eth3d")
"""Others take a minute together."""

TRIED = [layout if layout in ALWAYS else pytest.param(layout, marks=pytest.mark.long) for layout in LAYOUTS]


def median_error_m(frames: Iterable[Frame], true_world_T_cams: list[np.ndarray]) -> float:
    """Map every second frame and return the median error of the others in that map, infinite where half are refused."""
    frames, mapper = list(frames), Mapper()
    for frame in frames[::2]:
        mapper.add(frame)
    mapper.finish()
    found = map(Localizer(mapper.map_code).localize, frames[1::2])
    return float(np.median([pose_error(one.world_T_cam, truth)[0] if one.accepted else np.inf
                            for one, truth in zip(found, true_world_T_cams[1::2])]))


@pytest.fixture(scope="module")
def frames() -> list[Frame]:
    """A stretch of a walk through a room."""
    return without_symmetry(open_sequence(WALK))


@pytest.fixture(scope="module")
def truth(frames: list[Frame]) -> list[np.ndarray]:
    return [frame.world_T_cam for frame in frames]


@pytest.fixture(scope="module")
def direct_error_m(frames: list[Frame], truth: list[np.ndarray]) -> dict[bool, float]:
    """The error without files, with and without depth."""
    return {True: median_error_m(frames, truth),
            False: median_error_m([replace(frame, depth_m=None) for frame in frames], truth)}


def test_the_scene_can_be_localized_without_files(direct_error_m: dict[bool, float]) -> None:
    assert direct_error_m[True] < 0.005 and direct_error_m[False] < 0.01


@pytest.mark.parametrize("layout", TRIED)
def test_a_layout_costs_no_accuracy(layout: str, frames: list[Frame], truth: list[np.ndarray],
                                    direct_error_m: dict[bool, float], tmp_path) -> None:
    write, _, depth = LAYOUTS[layout]
    error_m = median_error_m(open_sequence(write(tmp_path, frames)), truth)
    assert error_m <= WORSE * direct_error_m[depth != NO_DEPTH]
