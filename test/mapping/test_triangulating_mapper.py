"""Mapping without depth, in scenes whose truth is known."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from cl_localization.config import MapCodeConfig, TriangulationConfig
from cl_localization.geometry import se3
from cl_localization.map.keyframe_views import View
from cl_localization.map.map_code import MapCode, NewCodes
from cl_localization.mapping.triangulating_mapper import PX_PER_FEATURE, TriangulatingMapper
from core_makers import CAMERA, PointScene, look_at, motion

CENTRE = (0.0, 0.0, 3.8)
POSES = [look_at((x, 0.1 * (-1) ** index, 0.05 * index), CENTRE) for index, x in enumerate(np.linspace(-0.8, 0.8, 8))]
SCENE = PointScene.room(250)


class Session:
    """A mapper and the views it was given."""

    def __init__(self, scene: PointScene = SCENE, map_code: MapCode | None = None, **options: float) -> None:
        self.scene = scene
        self.map_code = map_code or MapCode(MapCodeConfig(), "scene", 64)
        self.mapper = TriangulatingMapper(self.map_code, TriangulationConfig(**options))
        self.views: list[View] = []

    def add(self, world_T_cam: np.ndarray, given: np.ndarray | None = None, **noise: float) -> tuple[int, int]:
        given = world_T_cam if given is None else given
        frame = self.map_code.add_keyframe(given, 0, self.map_code.scene_number("room"))
        features = self.scene.features(world_T_cam, seed=len(self.views), **noise)
        self.views.append(View.of(frame, given, CAMERA, features))
        return self.mapper.add(self.views[-1])

    def add_all(self, poses: list[np.ndarray] = POSES, **noise: float) -> None:
        for pose in poses:
            self.add(pose, **noise)
        self.mapper.finish()

    def errors_m(self) -> np.ndarray:
        """Return how far each code is from the point that it looks like."""
        rows = self.map_code.codes.rows()
        truth = (self.map_code.descriptors(rows) @ self.scene.descriptors.T).argmax(axis=1)
        return np.linalg.norm(self.map_code.codes["positions_m"][rows] - self.scene.points_m[truth], axis=1)


@pytest.fixture(scope="module")
def mapped() -> Session:
    """A session over all poses with realistic noise."""
    session = Session()
    session.add_all(noise_px=0.4, similarity=0.92)
    return session


def test_one_view_gives_no_points():
    session = Session()
    assert session.add(POSES[0]) == (0, 0)
    session.mapper.finish()
    assert len(session.map_code) == 0


def test_two_views_give_the_points_that_both_show():
    session = Session()
    session.add(POSES[0])
    inserted, _ = session.add(POSES[4])
    both = len(np.intersect1d(SCENE.visible(POSES[0])[0], SCENE.visible(POSES[4])[0]))
    assert inserted <= len(session.map_code) <= both
    assert len(session.map_code) > 0.9 * both
    assert session.errors_m().max() < 0.02


def test_points_are_where_they_are(mapped):
    errors_m = mapped.errors_m()
    assert len(errors_m) > 150
    assert np.median(errors_m) < 0.015
    assert (errors_m < 0.1).mean() > 0.95


def test_no_point_is_in_the_map_twice(mapped):
    rows = mapped.map_code.codes.rows()
    truth = (mapped.map_code.descriptors(rows) @ SCENE.descriptors.T).argmax(axis=1)
    assert len(np.unique(truth)) > 0.97 * len(rows)


def test_sigmas_tell_how_wrong_positions_are(mapped):
    sigmas_m = mapped.map_code.codes["sigmas_m"][mapped.map_code.codes.rows()]
    ratio = mapped.errors_m() / sigmas_m
    assert 0.2 < np.median(ratio) < 4.0


def test_cells_span_pixels_where_depth_gave_no_scale(mapped):
    assert 0.03 < mapped.map_code.cell_size_m < 0.2


def test_codes_that_are_seen_again_are_counted():
    session = Session()
    session.add(POSES[0])
    session.add(POSES[4])
    inserted, seen_again = session.add(POSES[2])
    assert seen_again > 100
    assert inserted < 0.3 * seen_again


def test_views_too_close_together_give_no_points():
    session = Session(min_parallax_deg=1.5)
    session.add_all([look_at((0.005 * index, 0.0, 0.0), CENTRE) for index in range(5)])
    assert len(session.map_code) == 0


def test_a_small_image_is_mapped_by_its_strongest_features():
    crowded = PointScene.room(1500)
    session = Session(crowded)
    for pose in POSES[:3]:
        session.add(pose)
    most = int(CAMERA.width_px * CAMERA.height_px / PX_PER_FEATURE)
    assert all(len(view.features) > most for view in session.views)
    assert [len(view.features) for view in session.mapper._store.views] == [most] * 3
    assert session.errors_m().max() < 0.02


def test_every_code_has_enough_parallax(mapped):
    positions_m = mapped.map_code.positions_m
    centres_m = np.array([view.world_T_cam[:3, 3] for view in mapped.views])
    rays = positions_m[:, None] - centres_m
    rays /= np.linalg.norm(rays, axis=2, keepdims=True)
    widest_deg = np.rad2deg(np.arccos(np.clip(np.einsum("pvi,pwi->pvw", rays, rays), -1, 1))).max(axis=(1, 2))
    assert widest_deg.min() > TriangulationConfig().min_parallax_deg


def test_what_moves_between_views_is_not_mapped():
    class Crowd(PointScene):
        """Half of the points are elsewhere in every view."""

        def features(self, world_T_cam, camera=CAMERA, noise_px=0.0, similarity=1.0, seed=0):
            points_m = self.points_m.copy()
            points_m[::2] += np.random.default_rng(seed).uniform(-0.5, 0.5, points_m[::2].shape)
            return PointScene(points_m, self.descriptors).features(world_T_cam, camera, noise_px, similarity, seed)

    session = Session(Crowd(SCENE.points_m, SCENE.descriptors), min_views=4)
    session.add_all(noise_px=0.3, similarity=0.95)
    rows = session.map_code.codes.rows()
    truth = (session.map_code.descriptors(rows) @ SCENE.descriptors.T).argmax(axis=1)
    assert (truth % 2 == 1).mean() > 0.85


def test_more_views_asked_for_are_more_views_had():
    few, many = Session(min_views=2), Session(min_views=6)
    for session in (few, many):
        session.add_all(noise_px=0.4, similarity=0.92)
    assert 0 < len(many.map_code) < len(few.map_code)
    assert np.median(many.errors_m()) <= 1.2 * np.median(few.errors_m())


def test_poses_that_are_a_little_off_are_mended():
    random = np.random.default_rng(0)
    session, given = Session(pose_rotation_sigma_deg=0.5), []
    for pose in POSES:
        given.append(pose @ motion(np.deg2rad(random.normal(scale=0.3, size=3)), np.zeros(3)))
        session.add(pose, given[-1], noise_px=0.3, similarity=0.95)
    session.mapper.finish()

    def relative_deg(poses: list[np.ndarray]) -> float:
        steps = [[se3.inverse(one) @ other for one, other in itertools.pairwise(stream)] for stream in (poses, POSES)]
        return float(np.median([se3.pose_error(found, truth)[1] for found, truth in zip(*steps)]))

    assert relative_deg(list(session.map_code.keyframe_world_T_cam)) < 0.5 * relative_deg(given)


@pytest.fixture
def few_matches_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have as few matches as small scenes have tell whether given poses are exact."""
    monkeypatch.setattr("cl_localization.mapping.pose_adjustment.ENOUGH_MATCHES", 50)


def test_given_poses_that_are_off_are_mended_on_the_way_already(few_matches_tell):
    session, random = Session(), np.random.default_rng(3)
    for pose in POSES:
        session.add(pose, motion(random.normal(scale=np.deg2rad(0.5), size=3), np.zeros(3)) @ pose, noise_px=0.3)
    moved_m = [np.linalg.norm((view.world_T_cam - view.given_world_T_cam)[:3, 3]) for view in session.views]
    assert min(moved_m[-3:]) > 1e-4 and session.mapper.moved().median_m > 0


def test_poses_that_turn_out_to_have_been_exact_are_put_back(few_matches_tell):
    session, off = Session(), motion(np.zeros(3), np.array([0.05, 0.0, 0.0]))
    for pose in POSES[:7]:
        session.add(pose, noise_px=0.3)
    session.mapper._poses_move = True  # as the first few matches may have it
    for view in session.views:
        view.world_T_cam = off @ view.world_T_cam
        session.map_code.move_keyframe(view.keyframe, view.world_T_cam)
    session.add(POSES[7], noise_px=0.3)
    assert np.allclose([view.world_T_cam for view in session.views], POSES, atol=1e-9)
    assert np.allclose(session.map_code.keyframe_world_T_cam, POSES, atol=1e-6)


def test_what_lies_behind_a_camera_or_beside_a_feature_is_not_what_it_shows():
    session = Session()
    session.add(POSES[0])
    seen, centre_m = SCENE.visible(POSES[0])[0], POSES[0][:3, 3]
    ahead_m = SCENE.points_m[seen]
    aside_m = ahead_m + 0.2 * POSES[0][:3, 0]
    for points_m, is_shown in ((ahead_m, True), (2 * centre_m - ahead_m, False), (aside_m, False)):
        assert (session.mapper._fits(session.views[0], np.arange(len(seen)), points_m, 1.0) == is_shown).all()


def test_views_follow_a_corrected_trajectory_and_those_whose_keyframe_is_gone_are_forgotten():
    session, shift = Session(), motion(np.zeros(3), np.array([0.5, 0.0, 0.0]))
    for pose in POSES[:3]:
        session.add(pose)
    rows = np.arange(3)
    session.map_code.move_keyframes(rows, shift @ session.map_code.pose_of(rows))
    session.map_code.keyframes.remove(np.array([0]), session.map_code.version + 1)
    session.mapper.keyframes_moved(rows[1:], shift @ np.stack(POSES[1:3]))
    assert session.mapper._store.views == session.views[1:]
    for view, pose in zip(session.views[1:], POSES[1:]):
        assert np.allclose([view.world_T_cam, view.given_world_T_cam], shift @ pose, atol=1e-6)


def test_exact_poses_stay_where_they_are():
    session = Session()
    session.add_all([look_at((x, 0.1 * (-1) ** index, 0.02 * index), CENTRE)
                     for index, x in enumerate(np.linspace(-0.8, 0.8, 14))], noise_px=0.4, similarity=0.92)
    given = np.array([view.given_world_T_cam for view in session.views])
    np.testing.assert_allclose(session.map_code.keyframe_world_T_cam, given, atol=1e-6)


def test_a_scene_in_other_units_is_mapped_alike():
    scale = 100.0
    scene = PointScene(SCENE.points_m * scale, SCENE.descriptors)
    session = Session(scene)
    for pose in POSES:
        scaled = pose.copy()
        scaled[:3, 3] *= scale
        session.add(scaled, noise_px=0.4, similarity=0.92)
    session.mapper.finish()
    assert len(session.map_code) > 150
    assert np.median(session.errors_m()) < 0.015 * scale


def test_finishing_twice_or_with_nothing_is_no_problem(mapped):
    Session().mapper.finish()
    before = len(mapped.map_code)
    mapped.mapper.finish()
    assert len(mapped.map_code) > 0.95 * before


def test_only_the_newest_views_are_remembered():
    session = Session(max_views=3)
    session.add_all(noise_px=0.3, similarity=0.95)
    assert len(session.mapper._store.views) == 3
    assert np.median(session.errors_m()) < 0.06


def with_old_codes(sigma_m: float = 0.005) -> MapCode:
    """Return a map that knows all points already, from depth or from another session."""
    map_code = MapCode(MapCodeConfig(), "scene", 64)
    frame = map_code.add_keyframe(POSES[3], 0, map_code.scene_number("room"))
    map_code.insert(NewCodes(SCENE.descriptors, SCENE.points_m.astype(np.float32), np.full(250, sigma_m, np.float32)),
                    frame)
    return map_code


@pytest.mark.parametrize("views", [1, 2, 8])
def test_codes_that_were_there_before_are_neither_lost_nor_spoiled(views):
    session = Session(map_code=with_old_codes())
    session.add_all(POSES[:views], noise_px=0.4, similarity=0.92)
    similarity = SCENE.descriptors @ session.map_code.descriptors(session.map_code.codes.rows()).T
    errors_m = np.linalg.norm(session.map_code.positions_m[similarity.argmax(axis=1)] - SCENE.points_m, axis=1)
    assert (errors_m < 0.02).mean() > 0.97


def test_codes_of_views_that_are_forgotten_stay():
    session = Session(max_views=3)
    for pose in POSES[:4]:
        session.add(pose, noise_px=0.3, similarity=0.95)
    before = len(session.map_code)
    for pose in POSES[4:]:
        session.add(pose, noise_px=0.3, similarity=0.95)
    session.mapper.finish()
    assert len(session.map_code) > 0.9 * before


def test_a_keyframe_that_was_given_up_is_not_moved_nor_its_number():
    session = Session()
    session.add_all(POSES[:4], noise_px=0.3)
    unused = session.views[0].keyframe
    assert unused not in session.map_code.codes["anchors"][session.map_code.codes.rows()]
    session.map_code.keyframes.remove(np.array([unused]), session.map_code.version)
    session.mapper.forget_removed()
    elsewhere = motion(np.zeros(3), np.array([50.0, 0.0, 0.0]))
    again = session.map_code.add_keyframe(elsewhere, 0, 0)
    assert again == unused
    session.add(POSES[4], noise_px=0.3)
    session.mapper.finish()
    row = session.map_code.keyframes.rows().tolist().index(again)
    np.testing.assert_allclose(session.map_code.keyframe_world_T_cam[row], elsewhere, atol=1e-9)


def test_views_remember_no_code_that_was_evicted():
    session = Session()
    session.add_all(POSES[:5])
    rows = session.map_code.codes.rows()
    session.map_code.remove(rows[::2])
    session.add(POSES[5], noise_px=0.3)
    session.mapper.finish()
    assert len(session.map_code) > 0
    for view in session.views:
        assert session.map_code.codes.live[view.code[view.code >= 0]].all()
    assert np.median(session.errors_m()) < 0.02


def test_at_the_end_given_poses_that_the_map_contradicts_are_noted():
    exact, erring = Session(), Session()
    random = np.random.default_rng(3)
    for pose in POSES:
        given = motion(random.normal(scale=np.deg2rad(0.5), size=3), np.zeros(3)) @ pose
        given[:3, 3] = pose[:3, 3]
        exact.add(pose, noise_px=0.4)
        erring.add(pose, given, noise_px=0.4)
    factors = []
    for session in (exact, erring):
        session.mapper.finish()
        factors.append(
            np.median(session.map_code.keyframes["keyframe_variance_factors"][session.map_code.keyframes.rows()])
        )
    assert factors[0] == 0
    assert factors[1] > 1
