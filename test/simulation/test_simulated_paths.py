"""Where the robot goes and what its odometry makes of it."""

from __future__ import annotations

import numpy as np
import pytest

from cl_localization.geometry import se3
from cl_localization.simulation import open_simulation
from cl_localization.simulation.paths import Router, resampled
from cl_localization.simulation.sensor import drifting


def test_a_path_enters_every_room_and_keeps_clear_of_everything() -> None:
    ways = ((1, "mapping"), (2, "mapping"), (6, "mapping"), (2, "tracking"), (6, "tracking"))

    def as_it_must_be(spec: str, rooms: int) -> bool:
        sequence = open_simulation(spec)
        places = sequence.world_T_base[:, :2, 3]
        return ({sequence.house.plan.room_at(*place) for place in places} == set(range(rooms))
                and Router(sequence.house.grid).clearance_at_m(places).min() > 0.2)

    specs = [(f"sim:{seed}?rooms={rooms}&path={path}", rooms) for seed in range(6) for rooms, path in ways]
    assert [spec for spec, rooms in specs if not as_it_must_be(spec, rooms)] == []


def test_a_kidnapped_robot_stands_clear_of_everything_and_moves_slowly() -> None:
    def as_it_must_be(spec: str) -> bool:
        sequence = open_simulation(spec)
        places = sequence.world_T_base[:, :2, 3]
        steps_m = np.linalg.norm(np.diff(places, axis=0), axis=1)
        return Router(sequence.house.grid).clearance_at_m(places).min() > 0.2 and 0 < steps_m.max() < 0.02

    specs = [f"sim:7?path=kidnap&place={place}&frames=75" for place in range(12)]
    assert [spec for spec in specs if not as_it_must_be(spec)] == []


def test_kidnaps_differ_and_are_off_the_mapping_path() -> None:
    known = open_simulation("sim:7").world_T_base[:, :2, 3]
    places = np.stack([open_simulation(f"sim:7?path=kidnap&place={place}").world_T_base[0, :2, 3]
                       for place in range(12)])
    assert np.linalg.norm(places[:, None] - known, axis=2).min() > 0.15
    assert len(np.unique(places.round(2), axis=0)) == 12


def test_the_mapping_path_looks_to_all_sides_of_every_room_and_moves_like_a_robot() -> None:
    sequence = open_simulation("sim:7?rooms=3")
    poses = sequence.world_T_base
    yaw_deg = np.rad2deg(np.arctan2(poses[:, 1, 0], poses[:, 0, 0]))
    rooms = np.array([sequence.house.plan.room_at(*pose[:2, 3]) for pose in poses])
    for room in range(3):
        assert len(np.unique(yaw_deg[rooms == room] // 45)) == 8
    speed_m_s = np.linalg.norm(np.diff(poses[:, :2, 3], axis=0), axis=1) * sequence.config.hz
    turns_deg = np.abs((np.diff(yaw_deg) + 180) % 360 - 180)
    assert speed_m_s.max() < 2
    assert turns_deg.max() < 13


def test_tracking_takes_another_way_than_mapping() -> None:
    mapping, tracking = (open_simulation(f"sim:7?path={path}").world_T_base[:, :2, 3]
                         for path in ("mapping", "tracking"))
    gaps_m = np.linalg.norm(tracking[:, None] - mapping, axis=2).min(axis=1)
    assert np.median(gaps_m) > 0.05
    another = open_simulation("sim:7?path=tracking&place=1").world_T_base[:, :2, 3]
    assert np.abs(another - tracking).max() > 0.3


def test_odometry_drifts_by_a_few_percent_and_stays_on_the_floor() -> None:
    shares = {}
    for seed in range(8):
        sequence = open_simulation(f"sim:{seed}")
        truth = se3.inverse(sequence.world_T_base[0]) @ sequence.world_T_base
        way_m = np.linalg.norm(np.diff(truth[:, :2, 3], axis=0), axis=1).sum()
        drift_m = np.linalg.norm(truth[:, :2, 3] - sequence.odom_T_base[:, :2, 3], axis=1)
        shares[seed] = drift_m.max() / way_m
        assert np.allclose(sequence.odom_T_base[:, 2], [0, 0, 1, 0]), seed
        assert np.allclose(sequence.odom_T_base[0], np.eye(4)), seed
    assert {seed: share for seed, share in shares.items() if not 0.001 < share < 0.05} == {}


def test_odometry_without_errors_is_the_true_motion() -> None:
    truth = open_simulation("sim:7").world_T_base
    assert np.allclose(drifting(0, truth, 0.0), se3.inverse(truth[0]) @ truth)


def test_the_camera_is_fixed_on_a_planar_base() -> None:
    sequence = open_simulation("sim:7?rooms=1&size=64x48&height=0.7&tilt=10")
    frame = sequence[5]
    odom_T_base = frame.odom_T_cam @ se3.inverse(sequence.base_T_cam)
    assert np.allclose(odom_T_base, sequence.odom_T_base[5])
    assert np.allclose(frame.world_T_cam, sequence.world_T_base[5] @ sequence.base_T_cam)
    assert frame.world_T_cam[2, 3] == pytest.approx(0.7)
    assert frame.world_T_cam[2, 2] == pytest.approx(-np.sin(np.deg2rad(10)))


def test_a_polyline_is_resampled_to_equal_steps() -> None:
    way = resampled(np.array([[0, 0], [1, 0], [1, 0.5]]))
    assert np.allclose(np.linalg.norm(np.diff(way, axis=0), axis=1), 0.02, atol=0.006)
    assert way[0].tolist() == [0, 0]
    assert way[-1].tolist() == [1, 0.5]
