"""Mapper and localizer together with the real encoder, in simulated houses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cl_localization.config import EncoderConfig, LocalizerConfig, MapCodeConfig, MapperConfig
from cl_localization.data import open_sequence
from cl_localization.data.frame import Frame
from cl_localization.data.perturb import perturbed
from cl_localization.errors import DataError, EncoderError, MapError
from cl_localization.features.xfeat import XFeatEncoder
from cl_localization.geometry.camera import Camera
from cl_localization.geometry.se3 import pose_error
from cl_localization.localization.result import Localization
from cl_localization.localizer import Localizer
from cl_localization.map.map_code import MapCode
from cl_localization.map.map_file import load_map, save_map
from cl_localization.mapper import Mapper

MAPPING, HELD_OUT = "sim:7?path=mapping&rooms=1&frames=120", "sim:7?path=tracking&rooms=1&frames=60"
OTHER_HOUSES = ["sim:8?path=tracking&rooms=1&frames=60", "sim:21?path=tracking&rooms=1&frames=60"]


def frames_of(spec: str, step: int) -> list[Frame]:
    sequence = open_sequence(spec)
    return [sequence[index] for index in range(0, len(sequence), step)]


@pytest.fixture(scope="module")
def encoder() -> XFeatEncoder:
    """The default encoder on the CPU."""
    return XFeatEncoder(EncoderConfig(device="cpu"))


@pytest.fixture(scope="module")
def mapping_frames() -> list[Frame]:
    """A round through one room."""
    return frames_of(MAPPING, 4)


@pytest.fixture(scope="module")
def held_out() -> list[Frame]:
    """Another way through the same room."""
    return frames_of(HELD_OUT, 4)


@pytest.fixture(scope="module")
def map_code(encoder: XFeatEncoder, mapping_frames: list[Frame]) -> MapCode:
    """The room, mapped with depth."""
    mapper = Mapper(MapperConfig(scene="home"), encoder)
    for frame in mapping_frames:
        mapper.add(frame)
    mapper.finish()
    return mapper.map_code


@pytest.fixture(scope="module")
def found(encoder: XFeatEncoder, map_code: MapCode, held_out: list[Frame]) -> list[Localization]:
    """The held-out frames, localized."""
    localizer = Localizer(map_code, encoder=encoder)
    return [localizer.localize(without_truth(frame)) for frame in held_out]


def without_truth(frame: Frame) -> Frame:
    """Return what a camera alone gives: image, calibration and stamp."""
    return Frame(frame.stamp_ns, frame.image, frame.camera)


def share_within(found: list[Localization], frames: list[Frame], distance_m: float, angle_deg: float) -> float:
    """Return the share of frames that were accepted with a pose this near the truth."""
    errors = [pose_error(one.world_T_cam, frame.world_T_cam) if one.accepted else (np.inf, np.inf)
              for one, frame in zip(found, frames, strict=True)]
    return float(np.mean([error[0] <= distance_m and error[1] <= angle_deg for error in errors]))


def test_held_out_frames_are_localized(found, held_out):
    assert share_within(found, held_out, 0.10, 5.0) >= 0.9
    assert share_within(found, held_out, 0.05, 5.0) >= 0.8


def test_every_accepted_pose_says_of_which_scene_it_is(found):
    accepted = [one for one in found if one.accepted]
    assert {one.scene for one in accepted} == {"home"}
    assert all(one.reason == "ok" and one.inliers == len(one.inlier_points_m) for one in accepted)


def test_stated_position_sigmas_are_of_the_size_of_the_errors(found, held_out):
    ratios = [pose_error(one.world_T_cam, frame.world_T_cam)[0] / np.sqrt(np.trace(one.covariance[:3, :3]))
              for one, frame in zip(found, held_out, strict=True) if one.accepted]
    assert 0.1 < np.median(ratios) < 4.0


@pytest.mark.parametrize("spec", OTHER_HOUSES)
def test_images_of_another_house_are_never_accepted(encoder, map_code, spec):
    localizer = Localizer(map_code, encoder=encoder)
    reasons = [localizer.localize(without_truth(frame)).reason for frame in frames_of(spec, 4)]
    assert "ok" not in reasons
    assert all(reasons)


@pytest.mark.parametrize("kind", ["black", "white", "noise", "stripes"])
def test_images_of_nothing_are_never_accepted(encoder, map_code, held_out, kind):
    images = {"black": np.zeros((240, 320, 3), np.uint8), "white": np.full((240, 320, 3), 255, np.uint8),
              "noise": np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8),
              "stripes": np.tile(np.uint8([0, 0, 0, 0, 255, 255, 255, 255])[None, :, None], (240, 40, 3))}
    found = Localizer(map_code, encoder=encoder).localize(Frame(0, images[kind], held_out[0].camera))
    assert not found.accepted


def test_darker_and_noisier_images_are_localized_too(encoder, map_code, held_out):
    frames = frames_of(HELD_OUT + "&gamma=1.5&noise=6", 8)
    localizer = Localizer(map_code, encoder=encoder)
    assert share_within([localizer.localize(frame) for frame in frames], frames, 0.10, 5.0) >= 0.8


def test_a_second_look_finds_more_blurred_and_half_hidden_images_and_none_wrong(encoder, map_code):
    hidden = perturbed(open_sequence(HELD_OUT), ["blur=9", "occlude=0.3"])
    frames = [hidden[index] for index in range(0, len(hidden), 4)]
    localizers = [Localizer(map_code, LocalizerConfig(regressor=name), encoder)
                  for name in ("nearest", "nearest_then_attention")]
    one, both = ([localizer.localize(without_truth(frame)) for frame in frames] for localizer in localizers)
    assert share_within(both, frames, 0.10, 5.0) > share_within(one, frames, 0.10, 5.0)
    assert share_within(both, frames, 0.30, 10.0) == np.mean([found.accepted for found in both])


def test_another_camera_finds_itself_in_the_same_map(encoder, map_code):
    frames = frames_of(HELD_OUT + "&size=400x304&fov=80", 10)
    localizer = Localizer(map_code, encoder=encoder)
    assert share_within([localizer.localize(frame) for frame in frames], frames, 0.10, 5.0) >= 0.8


def test_without_depth_held_out_frames_are_found_more_coarsely(encoder, mapping_frames, held_out):
    mapper = Mapper(MapperConfig(), encoder)
    for frame in mapping_frames[::2]:
        mapper.add(replace(frame, depth_m=None))
    mapper.finish()
    localizer = Localizer(mapper.map_code, encoder=encoder)
    frames = held_out[::2]
    assert share_within([localizer.localize(frame) for frame in frames], frames, 0.30, 5.0) >= 0.7


def test_a_map_from_a_file_localizes_exactly_as_before(tmp_path, encoder, map_code, held_out, found):
    save_map(map_code, tmp_path / "room.map")
    again = Localizer(load_map(tmp_path / "room.map", "xfeat"), encoder=encoder).localize(held_out[0])
    np.testing.assert_allclose(again.world_T_cam, found[0].world_T_cam, atol=0.01)
    assert again.accepted


def test_a_localizer_follows_a_mapper_through_deltas(encoder, mapping_frames, held_out):
    mapper = Mapper(MapperConfig(), encoder)
    follower = MapCode.from_snapshot(mapper.map_code.delta_since(0), MapCodeConfig())
    localizer = Localizer(follower, encoder=encoder)
    assert localizer.localize(held_out[0]).reason == "the map is empty"
    for frame in mapping_frames[:5]:
        mapper.add(frame)
        follower.apply(mapper.map_code.delta_since(follower.version))
        learned = localizer.localize(without_truth(frame))
        assert learned.accepted
        assert pose_error(learned.world_T_cam, frame.world_T_cam)[0] < 0.05


def test_a_small_budget_still_localizes(encoder, mapping_frames, held_out):
    mapper = Mapper(MapperConfig(map_code=MapCodeConfig(budget_mb=0.5)), encoder)
    evicted = sum(mapper.add(frame).evicted for frame in mapping_frames)
    assert evicted > 1000
    assert mapper.map_code.size_bytes <= 500_000
    localizer = Localizer(mapper.map_code, encoder=encoder)
    frames = held_out[::2]
    assert share_within([localizer.localize(frame) for frame in frames], frames, 0.20, 5.0) >= 0.7


def test_a_frame_without_a_pose_is_not_mapped(encoder, held_out):
    with pytest.raises(DataError, match="must have a pose to be mapped"):
        Mapper(MapperConfig(), encoder).add(without_truth(held_out[0]))


def test_an_image_too_small_for_the_encoder_is_refused_by_both(encoder, map_code):
    tiny = Frame(0, np.zeros((24, 24, 3), np.uint8), Camera(24, 24, 20, 20, 12, 12), world_T_cam=np.eye(4))
    with pytest.raises(EncoderError, match="image must be at least 32 px"):
        Localizer(map_code, encoder=encoder).localize(tiny)
    with pytest.raises(EncoderError, match="image must be at least 32 px"):
        Mapper(MapperConfig(), encoder).add(tiny)


def test_a_map_of_another_encoder_is_refused(encoder):
    foreign = MapCode(MapCodeConfig(), "dinov2_small", 384)
    with pytest.raises(MapError, match="encoder in use, xfeat, found dinov2_small"):
        Localizer(foreign, LocalizerConfig(), encoder)


@pytest.mark.parametrize("roll", [90, 180, 270])
def test_a_camera_that_is_rolled_against_the_map_is_turned_upright_by_its_mounting(map_code, encoder, roll):
    queries = frames_of(f"{HELD_OUT}&roll={roll}", 12)
    found = [Localizer(map_code, encoder=encoder).localize(frame) for frame in queries]
    assert sum(one.accepted for one in found) >= len(found) - 1
    errors = [pose_error(one.world_T_cam, frame.world_T_cam) for one, frame in zip(found, queries) if one.accepted]
    assert np.max(errors, axis=0)[0] < 0.1


def test_a_rolled_camera_whose_mounting_nobody_tells_is_refused_and_never_wrong(map_code, encoder):
    queries = frames_of(f"{HELD_OUT}&roll=90&turn=0", 12)
    found = [Localizer(map_code, encoder=encoder).localize(frame) for frame in queries]
    assert not any(one.accepted for one in found)
