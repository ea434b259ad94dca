"""The localizer's story, in a scene whose truth is known: poses, reasons, and a map that grows meanwhile."""

from __future__ import annotations

import re

import numpy as np
import pytest

from cl_localization.config import EncoderConfig, LocalizerConfig, MapCodeConfig, PlaceConfig, PoseConfig
from cl_localization.errors import EncoderError, MapError
from cl_localization.geometry.camera import Camera
from cl_localization.geometry.se3 import inverse, pose_error, transform
from cl_localization.localization.pose_estimation import PoseEstimator
from cl_localization.localizer import Localizer
from cl_localization.map.map_code import MapCode, NewCodes
from cl_localization.places.map_places import place_descriptor
from core_makers import PointScene, SceneEncoder, look_at, unit_vectors

ROOM = PointScene.room(400)
HERE = look_at((0.4, 0.1, 0.0), (0.0, 0.0, 3.8))


def map_of(scene: PointScene = ROOM, encoder: str = "scene", names: tuple[str, ...] = ("room",),
           sigma_m: float = 0.005) -> MapCode:
    """Return a map of all points, shared evenly among scenes."""
    map_code = MapCode(MapCodeConfig(), encoder, scene.descriptors.shape[1])
    for number, name in enumerate(names):
        frame = map_code.add_keyframe(np.eye(4), 0, map_code.scene_number(name))
        part = slice(number, None, len(names))
        positions_m = scene.points_m[part].astype(np.float32)
        map_code.insert(NewCodes(scene.descriptors[part], positions_m, np.full(len(positions_m), sigma_m, np.float32)),
                        frame)
    return map_code


@pytest.fixture
def encoder() -> SceneEncoder:
    """An encoder that sees the room."""
    return SceneEncoder(ROOM, noise_px=0.4, similarity=0.92)


def test_a_frame_of_the_map_is_localized_with_its_evidence(encoder):
    frame = encoder.frame(HERE, posed=False)
    found = Localizer(map_of(), encoder=encoder).localize(frame)
    assert (found.accepted, found.reason, found.stamp_ns, found.scene) == (True, "ok", frame.stamp_ns, "room")
    distance_m, angle_deg = pose_error(found.world_T_cam, HERE)
    assert distance_m < 0.02
    assert angle_deg < 0.3
    assert found.keypoints >= found.matches >= found.inliers > 100
    assert 0.9 < found.inlier_ratio <= 1
    assert 0 < found.reprojection_error_px < 1.5
    assert found.inlier_keypoints_px.shape == (found.inliers, 2)
    assert found.inlier_points_m.shape == (found.inliers, 3)
    assert set(found.timings_s) == {"encode", "place", "search", "solve", "refine"}


def test_the_pose_is_a_rigid_motion_and_its_covariance_positive(encoder):
    found = Localizer(map_of(), encoder=encoder).localize(encoder.frame(HERE))
    np.testing.assert_allclose(found.world_T_cam[:3, :3].T @ found.world_T_cam[:3, :3], np.eye(3), atol=1e-9)
    np.testing.assert_allclose(found.covariance, found.covariance.T, atol=1e-12)
    assert np.linalg.eigvalsh(found.covariance).min() > 0


def test_inliers_are_given_in_pixels_of_the_image_as_it_came():
    barrel = Camera(320, 240, 250.0, 252.0, 161.0, 119.0, "plumb_bob", (-0.25, 0.08, 0.0, 0.0))
    encoder = SceneEncoder(ROOM, barrel)
    found = Localizer(map_of(), encoder=encoder).localize(encoder.frame(HERE))
    assert pose_error(found.world_T_cam, HERE)[0] < 0.01
    expected_px = barrel.project(transform(inverse(HERE), found.inlier_points_m))
    np.testing.assert_allclose(found.inlier_keypoints_px, expected_px, atol=0.05)


def test_the_camera_of_the_frame_counts_and_not_that_of_the_map(encoder):
    wide = Camera(640, 480, 300.0, 300.0, 320.0, 240.0)
    other = SceneEncoder(ROOM, wide, noise_px=0.4, similarity=0.92)
    found = Localizer(map_of(), encoder=other).localize(other.frame(HERE))
    assert found.accepted
    assert pose_error(found.world_T_cam, HERE)[0] < 0.03


def test_in_an_empty_map_the_reason_is_that(encoder):
    found = Localizer(MapCode(MapCodeConfig(), "scene", 64), encoder=encoder).localize(encoder.frame(HERE))
    assert (found.accepted, found.reason, found.world_T_cam, found.covariance) == (
        False,
        "the map is empty",
        None,
        None,
    )
    assert encoder.encoded == []


def test_an_image_without_features_has_no_pose():
    blind = SceneEncoder(PointScene(ROOM.points_m[:0], ROOM.descriptors[:0]))
    found = Localizer(map_of(), encoder=blind).localize(blind.frame(HERE))
    assert (found.accepted, found.reason.startswith("no keypoints: ")) == (False, True)
    assert (found.world_T_cam, found.covariance, found.keypoints, found.inliers) == (None, None, 0, 0)
    assert np.isnan(found.reprojection_error_px)


@pytest.mark.parametrize("seed", range(10))
def test_an_image_of_another_place_is_not_accepted(seed):
    elsewhere = SceneEncoder(PointScene(ROOM.points_m, unit_vectors(np.random.default_rng(seed + 100), 400, 64)))
    found = Localizer(map_of(), encoder=elsewhere).localize(elsewhere.frame(HERE))
    assert not found.accepted
    assert found.reason != "ok"


@pytest.mark.parametrize(("pose", "sigma_m", "reason"), [
    (PoseConfig(min_inliers=5000), 0.005, r"\d+ inliers, 5000 needed"),
    (PoseConfig(min_support=9000.0), 0.005, r"support \d+\.\d, 9000\.0 needed"),
    (PoseConfig(max_position_sigma_m=0.0005), 0.1, r"position sigma 0\.\d+ m, at most 0\.\d+ m allowed"),
])
def test_a_pose_that_is_not_trusted_is_still_told_with_the_reason(encoder, pose, sigma_m, reason):
    found = Localizer(map_of(sigma_m=sigma_m), LocalizerConfig(pose=pose), encoder).localize(encoder.frame(HERE))
    assert not found.accepted
    assert pose_error(found.world_T_cam, HERE)[0] < 0.1
    assert found.covariance.shape == (6, 6)
    assert re.fullmatch(reason, found.reason)


def test_a_map_of_another_encoder_is_refused(encoder):
    with pytest.raises(MapError, match="map must be made by the encoder in use, scene, found xfeat; map again"):
        Localizer(map_of(encoder="xfeat"), encoder=encoder)


def test_a_map_of_other_dimensions_is_refused(encoder):
    with pytest.raises(MapError, match="map must be made by the encoder in use"):
        Localizer(map_of(PointScene.room(10, dim=32)), encoder=encoder)


def test_another_map_can_be_set_and_a_bad_one_changes_nothing(encoder):
    localizer = Localizer(MapCode(MapCodeConfig(), "scene", 64), encoder=encoder)
    assert not localizer.localize(encoder.frame(HERE)).accepted
    localizer.set_map(map_of())
    with pytest.raises(MapError, match="map must be made by"):
        localizer.set_map(map_of(encoder="xfeat"))
    assert localizer.map_code.encoder == "scene"
    assert localizer.localize(encoder.frame(HERE)).accepted


def test_the_encoder_of_the_options_is_made(monkeypatch, encoder):
    asked = []
    monkeypatch.setattr("cl_localization.localizer.make_encoder", lambda config: asked.append(config) or encoder)
    config = LocalizerConfig(encoder=EncoderConfig(max_keypoints=321))
    assert Localizer(map_of(), config).encoder is encoder
    assert asked == [config.encoder]


def test_the_scene_is_the_one_that_most_inliers_belong_to(encoder):
    map_code = map_of(names=("hall", "kitchen"))
    map_code.codes.put(map_code.codes.rows(), map_code.version,
                       scenes=np.where(map_code.positions_m[:, 0] > -0.5, 1, 0))
    assert Localizer(map_code, encoder=encoder).localize(encoder.frame(HERE)).scene == "kitchen"


def test_a_map_that_grows_through_deltas_is_followed(encoder):
    leader = MapCode(MapCodeConfig(), "scene", 64)
    follower = MapCode.from_snapshot(leader.delta_since(0), MapCodeConfig())
    localizer = Localizer(follower, LocalizerConfig(pose=PoseConfig(min_inliers=60)), encoder)
    frame, accepted = encoder.frame(HERE), []
    keyframe = leader.add_keyframe(np.eye(4), 0, leader.scene_number("room"))
    for part in np.array_split(np.arange(400), 8):
        sigmas_m = np.full(len(part), 0.005, np.float32)
        leader.insert(NewCodes(ROOM.descriptors[part], ROOM.points_m[part].astype(np.float32), sigmas_m), keyframe)
        follower.apply(leader.delta_since(follower.version))
        accepted.append(localizer.localize(frame).accepted)
    assert accepted[0] is False
    assert accepted[-1] is True
    assert accepted == sorted(accepted)
    leader.remove(leader.codes.rows()[10:])
    follower.apply(leader.delta_since(follower.version))
    assert not localizer.localize(frame).accepted
    leader.remove(leader.codes.rows())
    follower.apply(leader.delta_since(follower.version))
    assert localizer.localize(frame).reason == "the map is empty"


def test_the_same_frame_gives_the_same_answer(encoder):
    localizer, frame = Localizer(map_of(), encoder=encoder), encoder.frame(HERE)
    first, second = localizer.localize(frame), localizer.localize(frame)
    np.testing.assert_array_equal(first.world_T_cam, second.world_T_cam)
    assert first.inliers == second.inliers


def test_localizing_changes_no_map(encoder):
    map_code = map_of()
    version = map_code.version
    Localizer(map_code, encoder=encoder).localize(encoder.frame(HERE))
    assert map_code.version == version


def test_an_image_that_cannot_be_encoded_is_an_encoder_error(encoder, monkeypatch):
    def broken(image: np.ndarray) -> None:
        raise EncoderError("image", "is too small")

    monkeypatch.setattr(encoder, "encode", broken)
    with pytest.raises(EncoderError, match="image is too small"):
        Localizer(map_of(), encoder=encoder).localize(encoder.frame(HERE))


def houses(swapped: bool = False) -> tuple[MapCode, list[PointScene]]:
    """A map of two scenes in the same coordinates, each with a keyframe; `swapped` gives each the look of the other."""
    scenes = [PointScene.room(300, seed=seed) for seed in (1, 2)]
    map_code = MapCode(MapCodeConfig(), "scene", 64)
    looks = [place_descriptor(scene.descriptors[scene.visible(HERE)[0]]) for scene in scenes]
    for number, scene in enumerate(scenes):
        frame = map_code.add_keyframe(HERE, 10**9 * number, map_code.scene_number(f"house {number}"), 0.0,
                                      looks[number ^ swapped])
        map_code.insert(NewCodes(scene.descriptors, scene.points_m.astype(np.float32), np.full(300, 0.005, np.float32)),
                        frame)
    return map_code, scenes


@pytest.mark.parametrize("swapped, enough, searched", [(False, 50.0, 1), (False, 1e5, 2), (True, 50.0, 2)])
def test_the_neighbourhood_of_the_best_place_is_searched_first_and_everything_when_that_is_not_enough(
    monkeypatch, swapped, enough, searched
):
    map_code, scenes = houses(swapped)
    encoder = SceneEncoder(scenes[1], noise_px=0.4, similarity=0.95)
    localizer = Localizer(map_code, LocalizerConfig(place=PlaceConfig(search_first=1, sequence_length=1, places=1,
                                                                        enough_support=enough)), encoder)
    sizes = []
    estimate = PoseEstimator.estimate
    monkeypatch.setattr(PoseEstimator, "estimate", lambda self, *given: sizes.append(1) or estimate(self, *given))
    found = localizer.localize(encoder.frame(HERE))
    assert found.accepted and found.scene == found.place.scene == "house 1" and found.place.keyframe_id == 1
    assert len(sizes) == searched
    assert ("look like scene house 0, the pose lies in house 1" in found.place_check) == swapped


def test_an_image_of_no_known_place_still_looks_like_one():
    map_code, _ = houses()
    encoder = SceneEncoder(PointScene.room(300, seed=9))
    found = Localizer(map_code, encoder=encoder).localize(encoder.frame(HERE))
    assert not found.accepted and found.place.scene in map_code.scene_names and found.place_check == ""


def test_new_values_of_live_options_rebuild_neither_index_nor_sequence_of_places(encoder):
    localizer = Localizer(map_of(), encoder=encoder)
    assert localizer.localize(encoder.frame(HERE)).accepted
    index, places = localizer._search._whole_map._regressor._index, localizer._places
    localizer.use(LocalizerConfig(pose=PoseConfig(min_inliers=10_000)))
    assert "10000 needed" in localizer.localize(encoder.frame(HERE)).reason
    assert localizer._search._whole_map._regressor._index is index and localizer._places is places


def test_a_reset_forgets_the_images_before(encoder):
    localizer = Localizer(map_of(), encoder=encoder)
    places = localizer._places
    localizer.reset()
    assert localizer._places is not places and localizer.localize(encoder.frame(HERE)).accepted
