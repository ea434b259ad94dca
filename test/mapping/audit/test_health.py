"""The health of a map: what is warned of at which figures, and what is known of maps from files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cl_localization.map.map_file import load_map, read_map_info, save_map
from cl_localization.mapping.audit.health import (
    MapHealth,
    Moved,
    PairFigures,
    map_health,
    map_warnings,
    noted_health,
    pair_warnings,
)
from map_makers import empty_map, grow

RIGHT = PairFigures(pairs=50, agree=0.9, best_agree=0.9, focal_factor=1.0, focal_agree=0.9, error_px=1.0,
                    depth_pairs=40, depth_ratio=1.01, returns=20, returns_agree=0.97)
"""What pairs of a right map say."""


def test_right_figures_are_no_reason_to_warn() -> None:
    assert pair_warnings(RIGHT) == [] and map_warnings(30.0, 190.0, Moved(0.02, 0.008), 50) == []


@pytest.mark.parametrize("change, told", [
    ({"agree": 0.1, "best_agree": 0.9, "best_reading": "inverse"}, "world-to-camera"),
    ({"agree": 0.7, "best_agree": 0.7, "focal_factor": 0.87, "focal_agree": 0.9}, "0.87 times the focal length"),
    ({"agree": 0.5, "best_agree": 0.5, "focal_agree": 0.52}, "check the calibration"),
    ({"depth_ratio": 0.2}, "depth is 0.2 times"),
    ({"depth_ratio": 1.2}, "depth is 1.2 times"),
    ({"returns_agree": 0.7}, "the poses drift"),
])
def test_a_warning_names_the_likely_cause(change: dict[str, object], told: str) -> None:
    found = pair_warnings(replace(RIGHT, **change))
    assert len(found) == 1 and told in found[0]
    assert pair_warnings(replace(RIGHT, **change, pairs=7, depth_pairs=7, returns=7)) == []


def test_a_warning_of_drift_says_what_to_do_about_poses_from_elsewhere_and_own_ones() -> None:
    told, = pair_warnings(replace(RIGHT, returns_agree=0.4))
    assert "poses from elsewhere are corrected by a SLAM" in told and "own ones" in told


def test_the_map_itself_warns_where_pairs_cannot() -> None:
    assert "one keyframe only" in map_warnings(97.0, None, None, 3)[0]
    assert map_warnings(97.0, None, None, 50) == []
    assert "variance" in map_warnings(None, 2000.0, None, 50)[0]
    assert "bundle adjustment moved keyframes by 0.2 m, 10 %" in map_warnings(None, None, Moved(0.2, 0.1), 50)[0]


def test_what_is_known_of_codes_and_keyframes_is_told() -> None:
    map_code = empty_map()
    for _ in range(10):
        grow(map_code, 10)
    rows = map_code.codes.rows()
    map_code.codes.put(rows[:75], map_code.version, seen=2)
    map_code.set_variance_factors(map_code.keyframes.rows(), np.full(10, 2.0))
    health = map_health(map_code, several=rows[-5:])
    assert health.codes_seen_once_percent == pytest.approx(20.0)
    assert health.pose_innovation_factor == pytest.approx(6 * 2.0 / 10.645, abs=1e-3)
    assert health.keyframes_moved_m is None and health.warnings == ()


def test_a_map_of_triangulated_codes_alone_says_nothing_of_codes_seen_once() -> None:
    map_code = empty_map()
    for _ in range(12):
        grow(map_code)
    assert map_health(map_code).codes_seen_once_percent is None


def test_health_goes_with_the_map_into_its_file_and_on(tmp_path: Path) -> None:
    map_code = empty_map()
    grow(map_code)
    noted = MapHealth(("axes",), codes_seen_once_percent=40.0, keyframe_pairs=9)
    map_code.health = noted.to_json()
    save_map(map_code, tmp_path / "a.map")
    assert noted_health(load_map(tmp_path / "a.map")) == noted
    assert read_map_info(tmp_path / "a.map")["health"]["warnings"] == ["axes"]
    assert map_health(map_code, RIGHT, earlier_warnings=("axes",)).warnings == ("axes",)


def test_what_a_mapper_before_own_poses_noted_still_holds() -> None:
    map_code, noted = empty_map(), MapHealth(("axes",), matches_agree_percent=40.0)
    map_code.health = {name: figure for name, figure in noted.to_json().items() if name != "scenes_without_scale"}
    assert noted_health(map_code) == noted


@pytest.mark.parametrize("health", [{}, {"warnings": None}, {"warnings": [], "unheard_of": 3},
                                    {"warnings": [], "unjoined_parts": 3}, {"warnings": [], "unjoined_parts": "ab"}])
def test_an_older_or_newer_map_is_judged_by_its_codes(health: dict[str, object]) -> None:
    map_code = empty_map()
    grow(map_code)
    map_code.health = health
    assert noted_health(map_code) == map_health(map_code)
