"""Mapper and localizer on a real sequence, a small part of it; skipped where the development data is not there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cl_localization.config import EncoderConfig, MapperConfig
from cl_localization.data import open_sequence
from cl_localization.data.frame import Frame
from cl_localization.features.xfeat import XFeatEncoder
from cl_localization.geometry.se3 import pose_error
from cl_localization.localizer import Localizer
from cl_localization.mapper import Mapper

MAPPING, QUERIES = range(0, 60, 3), range(1, 60, 6)


@pytest.fixture(scope="module")
def encoder() -> XFeatEncoder:
    """The default encoder on the CPU."""
    return XFeatEncoder(EncoderConfig(device="cpu"))


@pytest.fixture(scope="module")
def frames(kitchen_folder: Path) -> dict[int, Frame]:
    """The frames to map and to localize, by number."""
    sequence = open_sequence(kitchen_folder)
    return {index: sequence[index] for index in sorted({*MAPPING, *QUERIES})}


def localizer_of(frames: list[Frame], encoder: XFeatEncoder) -> Localizer:
    mapper = Mapper(MapperConfig(), encoder)
    for frame in frames:
        mapper.add(frame)
    mapper.finish()
    return Localizer(mapper.map_code, encoder=encoder)


@pytest.fixture(scope="module")
def kitchen(frames: dict[int, Frame], encoder: XFeatEncoder) -> Localizer:
    """A localizer in the kitchen mapped with depth."""
    return localizer_of([frames[index] for index in MAPPING], encoder)


def errors(localizer: Localizer, frames: dict[int, Frame]) -> np.ndarray:
    """Return distance [m] and angle [deg] (Q, 2) of the queries; infinite where the pose was not accepted."""
    found = [(localizer.localize(Frame(0, frames[index].image, frames[index].camera)), frames[index].world_T_cam)
             for index in QUERIES]
    return np.array([pose_error(one.world_T_cam, truth) if one.accepted else (np.inf, np.inf) for one, truth in found])


def test_with_depth_frames_between_the_mapped_ones_are_found(kitchen, frames):
    error = errors(kitchen, frames)
    assert ((error[:, 0] < 0.05) & (error[:, 1] < 5)).mean() >= 0.9
    assert np.median(error[:, 0]) < 0.03


def test_without_depth_frames_between_the_mapped_ones_are_found(frames, encoder):
    localizer = localizer_of([replace(frames[index], depth_m=None) for index in MAPPING], encoder)
    error = errors(localizer, frames)
    assert ((error[:, 0] < 0.10) & (error[:, 1] < 5)).mean() >= 0.8


def test_images_of_another_place_are_not_accepted(kitchen, data_folder):
    house = open_sequence("sim:3?path=tracking&rooms=1&frames=60&size=640x480")
    for index in range(0, 60, 10):
        assert not kitchen.localize(house[index]).accepted
    lego = data_folder / "lego" / "transforms_test.json"
    if lego.is_file():
        bricks = open_sequence(lego)
        assert not any(kitchen.localize(bricks[index]).accepted for index in range(0, 100, 20))


def test_the_map_of_a_part_of_the_kitchen_is_small(kitchen):
    assert 2000 < len(kitchen.map_code)
    assert kitchen.map_code.size_bytes < 4e6
