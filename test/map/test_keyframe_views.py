"""Views and what they remember of the codes they show."""

from __future__ import annotations

import numpy as np
import pytest

from cl_localization.features import Features
from cl_localization.geometry import se3
from cl_localization.geometry.camera import Camera
from cl_localization.map.keyframe_views import View, ViewStore
from core_makers import CAMERA, PointScene, look_at, motion

SCENE = PointScene.room(100)
BARREL = Camera(320, 240, 250.0, 252.0, 161.0, 119.0, "plumb_bob", (-0.2, 0.05, 0.0, 0.0))


def view_at(x_m: float = 0.0, turn_deg: float = 0.0, keyframe: int = 0) -> View:
    world_T_cam = motion(np.array([0, np.deg2rad(turn_deg), 0]), np.array([x_m, 0, 0]))
    return View.of(keyframe, world_T_cam, CAMERA, SCENE.features(world_T_cam))


def test_a_view_holds_undistorted_keypoints_and_their_rays():
    world_T_cam = look_at((0.1, 0.2, 0.0), (0.0, 0.0, 3.5))
    view = View.of(7, world_T_cam, BARREL, SCENE.features(world_T_cam, BARREL))
    seen, _ = SCENE.visible(world_T_cam, BARREL)
    points_cam = se3.transform(se3.inverse(world_T_cam), SCENE.points_m[seen])
    np.testing.assert_allclose(view.rays, points_cam[:, :2] / points_cam[:, 2:], atol=1e-4)
    np.testing.assert_allclose(view.features.keypoints_px, CAMERA.project(points_cam), atol=0.02)
    assert (view.keyframe, view.camera.distortion_model, view.features.keypoints_px.dtype) == (7, "none", np.float32)


def test_a_new_view_shows_no_code_yet():
    view = view_at()
    assert view.unlinked().tolist() == list(range(len(view.features)))


def test_features_are_linked_to_codes_each_code_once():
    view = view_at()
    view.link(np.array([0, 2]), np.array([10, 11]))
    view.link(np.array([3, 4]), np.array([11, 12]))
    assert view.code[:5].tolist() == [10, -1, 11, -1, 12]
    assert 0 not in view.unlinked()


def test_the_oldest_view_is_forgotten_first():
    store, views = ViewStore(3), [view_at(0.1 * index, keyframe=index) for index in range(5)]
    for view in views:
        store.add(view)
    assert [view.keyframe for view in store.views] == [2, 3, 4]


def test_neighbours_are_near_and_turned_alike_nearest_first():
    store = ViewStore(10)
    for keyframe, (x_m, turn_deg) in enumerate([(2.0, 0), (0.2, 0), (0.1, 170), (1.0, 5), (0.2, 50)]):
        store.add(view_at(x_m, turn_deg, keyframe))
    here = view_at(0.0, 0.0, 9)
    store.add(here)
    neighbours = [view.keyframe for view in store.neighbours(here, 5)]
    assert neighbours[0] == 1
    assert 2 not in neighbours
    assert set(neighbours) == {0, 1, 3, 4}
    assert len(store.neighbours(here, 2)) == 2


def test_neighbours_do_not_depend_on_the_unit_of_length():
    def order(scale: float) -> list[int]:
        store = ViewStore(10)
        for keyframe, (x_m, turn_deg) in enumerate([(0.5, 30), (1.0, 0), (0.2, 55), (3.0, 10)]):
            store.add(view_at(scale * x_m, turn_deg, keyframe))
        return [view.keyframe for view in store.neighbours(view_at(0.0), 4)]

    assert order(1.0) == order(0.001) == order(1000.0)


def test_the_first_view_has_no_neighbours():
    assert ViewStore(5).neighbours(view_at(), 3) == []


def test_observations_of_feature_tracks_are_sorted_by_code():
    store = ViewStore(5)
    first, second = view_at(0.0), view_at(0.5)
    for view in (first, second):
        store.add(view)
    first.link(np.array([4, 1, 2]), np.array([30, 10, 20]))
    second.link(np.array([5, 6, 7]), np.array([10, 99, 30]))
    seen, view_index = store.observations(store.feature_tracks(np.array([10, 20, 30, 40])))
    assert seen.point.tolist() == [0, 0, 1, 2, 2]
    assert view_index.tolist() == [0, 1, 0, 0, 1]
    np.testing.assert_array_equal(seen.rays_cam, np.array([first.rays[1], second.rays[5], first.rays[2], first.rays[4],
                                                           second.rays[7]]))
    np.testing.assert_allclose(seen.centres_m[1], [0.5, 0, 0], atol=1e-12)
    assert seen.focal_px.tolist() == [CAMERA.focal_px] * 5


def test_codes_without_observations_have_none():
    store = ViewStore(5)
    store.add(view_at())
    seen, view_index = store.observations(store.feature_tracks(np.array([1, 2])))
    assert (len(seen.point), len(view_index), seen.cam_T_world.shape) == (0, 0, (0, 4, 4))


def test_a_code_is_described_by_the_mean_of_its_observations():
    store = ViewStore(5)
    first, second = view_at(0.0), view_at(0.5)
    for view in (first, second):
        store.add(view)
    first.link(np.array([4, 1]), np.array([30, 10]))
    second.link(np.array([5]), np.array([10]))
    seen = store.feature_tracks(np.array([10, 20, 30]))
    descriptors = store.mean_descriptors(seen)
    both = first.features.descriptors[1] + second.features.descriptors[5]
    np.testing.assert_allclose(descriptors, [both / np.linalg.norm(both), np.zeros(64), first.features.descriptors[4]],
                               atol=1e-6)
    assert seen.counts.tolist() == [2, 0, 1]


def test_observations_of_some_codes_are_those_that_they_alone_would_have():
    store = ViewStore(5)
    for view in (view_at(0.0), view_at(0.5)):
        view.link(np.array([4, 1, 6]), np.array([30, 10, 20]))
        store.add(view)
    chosen = np.array([True, False, True])
    some = store.feature_tracks(np.array([10, 20, 30])).of_codes(chosen)
    alone = store.feature_tracks(np.array([10, 30]))
    for one, other in ((some.point, alone.point), (some.view, alone.view), (some.feature, alone.feature)):
        np.testing.assert_array_equal(one, other)
    assert some.codes == alone.codes == 2


def test_the_strongest_features_of_a_view_are_a_view_that_shares_its_links():
    view = view_at()
    few = view.strongest(7)
    assert (len(few.features), few.rays.shape, few.code.shape) == (7, (7, 2), (7,))
    few.link(np.array([0]), np.array([3]))
    assert view.code[:2].tolist() == [3, -1] and view.strongest(1000) is view


def test_codes_that_are_no_more_are_forgotten_in_every_view():
    store = ViewStore(5)
    for view in (view_at(0.0), view_at(0.1)):
        view.link(np.array([0, 1, 2]), np.array([5, 6, 7]))
        store.add(view)
    store.unlink_removed(np.isin(np.arange(9), [5, 8]))
    assert [view.code[:3].tolist() for view in store.views] == [[5, -1, -1]] * 2


@pytest.mark.parametrize("count", [0, 1])
def test_a_view_may_have_few_features(count):
    features = Features(np.full((count, 2), 9.0, np.float32), np.eye(4, dtype=np.float32)[:count], np.ones(count))
    view = View.of(0, np.eye(4), CAMERA, features)
    assert (len(view.unlinked()), view.rays.shape) == (count, (count, 2))


def test_codes_are_due_when_a_quarter_as_many_views_more_show_them_and_anew_when_their_row_is_taken_again():
    store = ViewStore(20)
    codes = np.array([3, 5])

    def due_after(views: int) -> list[int]:
        for _ in range(views):
            view = view_at()
            view.link(np.array([0, 1]), codes)
            store.add(view)
        return codes[store.due(codes, store.feature_tracks(codes), 1.25)].tolist()

    assert due_after(8) == [3, 5] and due_after(1) == [] and due_after(1) == [3, 5] and due_after(1) == []
    store.unlink_removed(np.array([True] * 5 + [False]))
    assert due_after(1) == [5] and due_after(1) == [3, 5]
