"""The mapper's story: which frames are learned, into which map, within which bounds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cl_localization.config import EncoderConfig, KeyframeConfig, MapCodeConfig, MapperConfig, TriangulationConfig
from cl_localization.data.frame import Frame
from cl_localization.errors import DataError, EncoderError, GeometryError, MapError
from cl_localization.map.map_code import MapCode
from cl_localization.map.map_file import load_map, save_map
from cl_localization.mapper import Mapper
from cl_localization.places.map_places import place_descriptor
from core_makers import CAMERA, PointScene, SceneEncoder, look_at, wall_depth
from map_makers import assert_same_map

WALL = PointScene.wall(300)
ROOM = PointScene.room(250)
CENTRE = (0.0, 0.0, 3.8)
POSES = [look_at((x, 0.1 * (-1) ** index, 0.05 * index), CENTRE) for index, x in enumerate(np.linspace(-0.8, 0.8, 8))]
CONFIG = MapperConfig(keyframes=KeyframeConfig(min_translation_m=0.1, min_rotation_deg=8.0),
                      triangulation=TriangulationConfig(min_translation_m=0.1, min_rotation_deg=8.0))


@pytest.fixture
def wall() -> SceneEncoder:
    """An encoder that sees the wall."""
    return SceneEncoder(WALL, noise_px=0.3, similarity=0.95)


@pytest.fixture
def room() -> SceneEncoder:
    """An encoder that sees the points in the room."""
    return SceneEncoder(ROOM, noise_px=0.3, similarity=0.95)


def wall_frame(encoder: SceneEncoder, world_T_cam: np.ndarray) -> Frame:
    return encoder.frame(world_T_cam, wall_depth(world_T_cam))


def with_budget(budget_mb: float) -> MapperConfig:
    return replace(CONFIG, map_code=MapCodeConfig(budget_mb=budget_mb))


def test_the_first_frame_with_depth_makes_a_map(wall):
    mapper = Mapper(CONFIG, wall)
    result = mapper.add(wall_frame(wall, POSES[0]))
    assert (result.is_keyframe, result.reason, result.keyframe_id) == (True, "new view", 0)
    assert result.inserted == len(mapper.map_code) > 200
    assert (result.merged, result.evicted, result.version) == (0, 0, mapper.map_code.version)
    assert result.duration_s > 0
    np.testing.assert_allclose(mapper.map_code.keyframe_world_T_cam, POSES[0][None], atol=1e-9)


def test_a_frame_from_where_the_camera_was_before_is_not_even_encoded(wall):
    mapper = Mapper(CONFIG, wall)
    mapper.add(wall_frame(wall, POSES[0]))
    version = mapper.map_code.version
    result = mapper.add(wall_frame(wall, POSES[0]))
    assert (result.is_keyframe, result.reason, result.keyframe_id) == (False, "known view", None)
    assert (result.inserted, result.merged, result.evicted, result.version) == (0, 0, 0, version)
    assert wall.encoded == [0]


def test_a_new_view_of_known_codes_merges(wall):
    mapper = Mapper(CONFIG, wall)
    first, second = (mapper.add(wall_frame(wall, pose)) for pose in POSES[:2])
    assert second.merged > 0.9 * first.inserted
    assert second.version > first.version


def test_without_depth_two_views_are_needed(room):
    mapper = Mapper(CONFIG, room)
    first, second = (mapper.add(room.frame(pose)) for pose in (POSES[0], POSES[4]))
    assert (first.inserted, first.merged) == (0, 0)
    assert second.is_keyframe
    assert len(mapper.map_code) > 100


@pytest.mark.parametrize("nothing", [0.0, np.nan, -1.0])
def test_depth_that_knows_nothing_is_no_depth(room, nothing):
    mapper = Mapper(CONFIG, room)
    for pose in POSES:
        mapper.add(room.frame(pose, np.full((240, 320), nothing, np.float32)))
    mapper.finish()
    assert len(mapper.map_code) > 100


def test_frames_with_and_without_depth_make_one_map(wall):
    mapper = Mapper(CONFIG, wall)
    for index, pose in enumerate(POSES):
        mapper.add(wall_frame(wall, pose) if index % 2 else wall.frame(pose))
    mapper.finish()
    codes = mapper.map_code.codes
    similarity = WALL.descriptors @ mapper.map_code.descriptors(codes.rows()).T
    errors_m = np.linalg.norm(mapper.map_code.positions_m[similarity.argmax(axis=1)] - WALL.points_m, axis=1)
    seen = np.unique(np.concatenate([WALL.visible(pose)[0] for pose in POSES]))
    assert (errors_m[seen] < 0.05).mean() > 0.9


def test_frames_without_depth_do_not_harm_what_depth_has_mapped(wall):
    mapper = Mapper(CONFIG, wall)
    mapper.add(wall_frame(wall, POSES[3]))
    before = len(mapper.map_code)
    for pose in POSES[:3]:
        mapper.add(wall.frame(pose))
    mapper.finish()
    assert len(mapper.map_code) > 0.95 * before


def test_a_frame_without_a_pose_is_refused_by_name(wall):
    mapper = Mapper(CONFIG, wall)
    with pytest.raises(DataError, match="frame frame-0 must have a pose to be mapped; localize it instead"):
        mapper.add(wall.frame(POSES[0], posed=False))
    with pytest.raises(DataError, match="frame 17 must have a pose"):
        mapper.add(Frame(17, np.zeros((240, 320, 3), np.uint8), CAMERA))
    assert mapper.map_code.version == 0


def test_a_pose_that_is_none_is_refused_by_name(wall):
    mapper = Mapper(CONFIG, wall)
    with pytest.raises(GeometryError, match="pose of frame frame-0 must hold a rotation"):
        mapper.add(wall.frame(np.diag([2.0, 2, 2, 1])))
    with pytest.raises(GeometryError, match="pose of frame frame-1 must be finite"):
        mapper.add(wall.frame(np.full((4, 4), np.nan)))
    assert mapper.map_code.version == 0


def test_an_image_that_cannot_be_encoded_leaves_the_map_alone(wall, monkeypatch):
    mapper = Mapper(CONFIG, wall)
    frame = wall_frame(wall, POSES[0])

    def broken(image: np.ndarray) -> None:
        raise EncoderError("image", "is too small")

    with monkeypatch.context() as patched:
        patched.setattr(wall, "encode", broken)
        with pytest.raises(EncoderError, match="image is too small"):
            mapper.add(frame)
    assert (mapper.map_code.version, len(mapper.map_code.keyframes)) == (0, 0)
    assert mapper.add(frame).is_keyframe


def test_an_image_without_features_is_no_problem():
    blind = SceneEncoder(PointScene(WALL.points_m[:0], WALL.descriptors[:0]))
    mapper = Mapper(CONFIG, blind)
    for index, pose in enumerate(POSES):
        result = mapper.add(wall_frame(blind, pose) if index % 2 else blind.frame(pose))
        assert (result.inserted, result.merged) == (0, 0)
    mapper.finish()
    assert len(mapper.map_code) == 0


def test_the_encoder_of_the_options_is_made(monkeypatch, wall):
    asked = []
    monkeypatch.setattr("cl_localization.mapper.shared_encoder", lambda config: asked.append(config) or wall)
    config = replace(CONFIG, encoder=EncoderConfig(max_keypoints=123))
    assert Mapper(config).encoder is wall
    assert asked == [config.encoder]


@pytest.mark.parametrize("codes", [0, 50])
def test_the_map_that_is_given_is_the_one_that_grows(wall, codes):
    given = MapCode(MapCodeConfig(), "scene", 64)
    if codes:
        Mapper(CONFIG, wall, given).add(wall_frame(wall, POSES[0]))
    mapper = Mapper(CONFIG, wall, given)
    mapper.add(wall_frame(wall, POSES[4]))
    assert mapper.map_code is given
    assert len(given) > 100


def test_a_map_of_another_encoder_is_refused(wall):
    with pytest.raises(MapError, match="map must be made by the encoder in use, scene, found xfeat; map again"):
        Mapper(CONFIG, wall, MapCode(MapCodeConfig(), "xfeat", 64))


def test_a_map_of_other_dimensions_is_refused(wall):
    with pytest.raises(MapError, match="map must be made by the encoder in use"):
        Mapper(CONFIG, wall, MapCode(MapCodeConfig(), "scene", 32))


@pytest.mark.parametrize("depth", [True, False])
def test_a_map_from_a_file_goes_on_growing(tmp_path, depth):
    encoder = SceneEncoder(WALL if depth else ROOM, noise_px=0.3, similarity=0.95)

    def learn(mapper: Mapper, poses: list[np.ndarray]) -> None:
        for pose in poses:
            mapper.add(wall_frame(encoder, pose) if depth else encoder.frame(pose))
        mapper.finish()

    first = Mapper(CONFIG, encoder)
    learn(first, POSES[:4])
    save_map(first.map_code, tmp_path / "a.map")
    second = Mapper(CONFIG, encoder, load_map(tmp_path / "a.map"))
    before = len(second.map_code)
    learn(second, POSES[4:])
    assert second.map_code.map_id == first.map_code.map_id
    assert len(second.map_code.keyframes) == 8
    assert len(second.map_code) > 0.95 * before


def test_scenes_are_named_in_the_map(wall):
    given = MapCode(MapCodeConfig(), "scene", 64)
    for scene, pose in (("hall", POSES[0]), ("kitchen", POSES[7]), ("hall", POSES[4])):
        Mapper(replace(CONFIG, scene=scene), wall, given).add(wall_frame(wall, pose))
    assert given.scene_names == ["hall", "kitchen"]
    assert given.keyframes["keyframe_scenes"][given.keyframes.rows()].tolist() == [0, 1, 0]


@pytest.mark.parametrize("depth", [True, False])
def test_the_budget_holds_while_the_map_stays_sound(depth):
    encoder = SceneEncoder(WALL if depth else ROOM, noise_px=0.3, similarity=0.95)
    mapper = Mapper(with_budget(0.012), encoder)
    evicted = 0
    for pose in [*POSES, *(look_at((x, 0.6, 0.2), CENTRE) for x in np.linspace(-0.7, 0.7, 6))]:
        result = mapper.add(wall_frame(encoder, pose) if depth else encoder.frame(pose))
        evicted += result.evicted
        assert mapper.map_code.size_bytes <= 12_000
        MapCode.from_snapshot(mapper.map_code.delta_since(0), MapCodeConfig())
        for view in mapper._without_depth._store.views:
            assert mapper.map_code.codes.live[view.code[view.code >= 0]].all()
        audit = mapper._audit
        audited = [*audit._recent, *audit._waiting, *audit._older]
        assert all(mapper.map_code.keyframes.live[view.keyframe] for view in audited)
        assert len({view.keyframe for view in audit._waiting}) == len(audit._waiting)
    mapper.finish()
    assert evicted > 50
    assert len(mapper.map_code) > 80
    rows = mapper.map_code.codes.rows()
    scene = WALL if depth else ROOM
    truth = (mapper.map_code.descriptors(rows) @ scene.descriptors.T).argmax(axis=1)
    assert np.median(np.linalg.norm(mapper.map_code.positions_m - scene.points_m[truth], axis=1)) < 0.03
    given = np.array(encoder.poses)
    for kept in mapper.map_code.keyframe_world_T_cam:
        assert np.linalg.norm(given[:, :3, 3] - kept[:3, 3], axis=1).min() < 0.05


@pytest.mark.parametrize("depth", [True, False])
def test_a_pose_is_judged_by_codes_seen_from_elsewhere_where_keyframes_follow_closely_and_by_all_without_depth(depth):
    encoder = SceneEncoder(WALL if depth else ROOM, noise_px=0.3, similarity=0.95)
    mapper = Mapper(CONFIG, encoder)
    for pose in (POSES[0], POSES[1], POSES[2], POSES[7]):  # 3, 7 and 24 degrees from the first
        mapper.add(wall_frame(encoder, pose) if depth else encoder.frame(pose))
    first, next_to_it, near, far = mapper.map_code.keyframes["keyframe_variance_factors"][:4]
    assert first == 0 and far > 0
    assert (next_to_it == 0) if depth else (near > 0)


def test_a_follower_that_hears_every_delta_has_the_same_map(room):
    mapper = Mapper(CONFIG, room)
    follower = MapCode.from_snapshot(mapper.map_code.delta_since(0), MapCodeConfig())
    for pose in POSES:
        mapper.add(room.frame(pose))
        follower.apply(mapper.map_code.delta_since(follower.version))
        assert_same_map(follower, mapper.map_code)
    mapper.finish()
    follower.apply(mapper.map_code.delta_since(follower.version))
    assert_same_map(follower, mapper.map_code)


def test_the_same_frames_make_the_same_map():
    maps = []
    for _ in range(2):
        encoder = SceneEncoder(ROOM, noise_px=0.3, similarity=0.95)
        mapper = Mapper(CONFIG, encoder)
        for pose in POSES:
            mapper.add(encoder.frame(pose))
        mapper.finish()
        maps.append(mapper.map_code.delta_since(0).arrays())
    for name, values in maps[0].items():
        np.testing.assert_array_equal(values, maps[1][name], err_msg=name)


def test_a_view_that_anchors_no_code_is_not_new_again_after_codes_had_to_go(room):
    mapper = Mapper(with_budget(0.012), room)
    for pose in POSES:
        mapper.add(room.frame(pose))
    assert len(mapper.map_code) * mapper.map_code.codes.row_bytes > 8000
    assert not mapper.add(room.frame(POSES[0])).is_keyframe


@pytest.mark.parametrize("depth", [True, False])
def test_a_place_is_new_again_in_another_scene_and_its_codes_are_others(depth):
    encoder = SceneEncoder(WALL if depth else ROOM, noise_px=0.3, similarity=0.95)
    mapper = Mapper(CONFIG, encoder)
    counts = []
    for scene in ("ground floor", "first floor"):
        mapper.use_scene(scene)
        for pose in POSES:
            assert mapper.add(wall_frame(encoder, pose) if depth else encoder.frame(pose)).is_keyframe
        counts.append(len(mapper.map_code.rows_of(mapper.map_code.scene_number(scene))))
    # without depth, the first scene is begun before it is known how exact the given poses are
    assert counts[1] == pytest.approx(counts[0], rel=0.15 if depth else 0.25)
    mapper.use_scene("ground floor")
    assert not mapper.add(encoder.frame(POSES[0])).is_keyframe
    anchors, of = mapper.map_code.codes["anchors"], mapper.map_code.codes["scenes"]
    rows = mapper.map_code.codes.rows()
    np.testing.assert_array_equal(mapper.map_code.keyframes["keyframe_scenes"][anchors[rows]], of[rows])


SHIFT = look_at((0.4, 0.1, -0.2), (0.6, 0.1, 2.0))


@pytest.mark.parametrize("depth", [True, False])
def test_poses_that_a_slam_corrects_move_the_map_and_a_follower_with_it(depth):
    encoder = SceneEncoder(WALL if depth else ROOM, noise_px=0.3, similarity=0.95)
    mapper = Mapper(CONFIG, encoder)
    frames = [wall_frame(encoder, pose) if depth else encoder.frame(pose) for pose in POSES]
    for frame in frames:
        mapper.add(frame)
    follower = MapCode.from_snapshot(mapper.map_code.delta_since(0), MapCodeConfig())
    keyframes, positions_m = mapper.map_code.keyframe_world_T_cam.copy(), mapper.map_code.positions_m
    path = np.array([frame.stamp_ns for frame in frames]), np.array([SHIFT @ frame.world_T_cam for frame in frames])
    assert mapper.correct(*path) == len(keyframes)
    np.testing.assert_allclose(mapper.map_code.keyframe_world_T_cam, SHIFT @ keyframes, atol=1e-9)
    np.testing.assert_allclose(mapper.map_code.positions_m, positions_m @ SHIFT[:3, :3].T + SHIFT[:3, 3], atol=1e-5)
    follower.apply(mapper.map_code.delta_since(follower.version))
    assert_same_map(follower, mapper.map_code)
    version = mapper.map_code.version
    assert mapper.correct(*path) == 0 and mapper.map_code.version == version


def test_learning_without_depth_goes_on_in_the_corrected_map(room):
    mapper = Mapper(CONFIG, room)
    frames = [room.frame(pose) for pose in POSES]
    for frame in frames[:5]:
        mapper.add(frame)
    mapper.correct(np.array([frame.stamp_ns for frame in frames[:5]]),
                   np.array([SHIFT @ frame.world_T_cam for frame in frames[:5]]))
    for frame in frames[5:]:
        mapper.add(replace(frame, world_T_cam=SHIFT @ frame.world_T_cam))
    mapper.finish()
    rows = mapper.map_code.codes.rows()
    truth = (mapper.map_code.descriptors(rows) @ ROOM.descriptors.T).argmax(axis=1)
    expected_m = ROOM.points_m[truth] @ SHIFT[:3, :3].T + SHIFT[:3, 3]
    assert np.median(np.linalg.norm(mapper.map_code.positions_m - expected_m, axis=1)) < 0.03


def test_a_pose_beyond_what_a_map_can_say_is_refused(wall):
    far = POSES[0].copy()
    far[0, 3] = 1e30
    with pytest.raises(DataError, match="must lie within 100000 m of the origin.*move the map frame near the robot"):
        Mapper(CONFIG, wall).add(wall.frame(far))


def test_keyframes_carry_what_their_image_looks_like_also_through_a_file(wall, tmp_path):
    mapper = Mapper(CONFIG, wall)
    frame = wall_frame(wall, POSES[0])
    mapper.add(frame)
    looks = place_descriptor(wall.encode(frame.image).descriptors)
    save_map(mapper.map_code, tmp_path / "wall.map")
    for map_code in (mapper.map_code, load_map(tmp_path / "wall.map")):
        np.testing.assert_array_equal(map_code.keyframes["keyframe_descriptors"][0], looks)
    assert looks.any()
