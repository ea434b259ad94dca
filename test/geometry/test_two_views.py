"""Two views of one camera: how they lie to each other, what a plane and a turn leave open."""

from __future__ import annotations

import numpy as np
import pytest

from cl_localization.geometry import se3
from cl_localization.geometry.camera import Camera
from cl_localization.geometry.pnp import project
from cl_localization.geometry.two_views import TwoViewGeometry, two_view_geometry
from core_makers import motion

CAMERA = Camera(640, 480, 530.0, 520.0, 325.0, 237.0)
BESIDE = motion(np.array([0.02, -0.05, 0.01]), np.array([0.3, 0.05, 0.1]))


def seen(first_T_second: np.ndarray, flat: bool = False, wrong: int = 40) -> tuple[TwoViewGeometry | None, np.ndarray]:
    """Return what two views tell of 200 points, in a plane or not, of which some are matched wrongly; and the points
    (200, 3)."""
    random = np.random.default_rng(1)
    depth = np.full(200, 3.0) if flat else random.uniform(2, 5, 200)
    first_px = random.uniform([60, 60], [580, 420], (200, 2))
    points = np.column_stack([CAMERA.normalize(first_px), np.ones(200)]) * depth[:, None]
    second_px = project(CAMERA, se3.inverse(first_T_second), points)[0] + random.normal(scale=0.3, size=(200, 2))
    second_px[:wrong] = random.uniform([0, 0], [640, 480], (wrong, 2))
    return two_view_geometry(CAMERA, first_px, second_px, 1.5, 1000, 0), points


def test_the_way_is_found_up_to_its_length() -> None:
    views, points = seen(BESIDE)
    assert views is not None
    length_m = np.linalg.norm(BESIDE[:3, 3])
    np.testing.assert_allclose(views.first_T_second[:3, 3], BESIDE[:3, 3] / length_m, atol=0.05)
    assert se3.pose_error(se3.inverse(BESIDE), se3.inverse(views.first_T_second))[1] < 0.5
    right = views.matches[views.matches >= 40]
    assert len(right) > 140 and len(views.matches) - len(right) < 5
    apart = views.points[views.matches >= 40] * length_m - points[right]
    assert np.median(np.linalg.norm(apart, axis=1)) < 0.2 and np.median(views.parallax_deg) > 3


def test_a_plane_and_other_things_are_told_apart() -> None:
    flat, rough = seen(BESIDE, flat=True)[0], seen(BESIDE)[0]
    assert flat is not None and rough is not None
    assert flat.planar_share > 0.9 > rough.planar_share


def test_a_turn_on_the_spot_has_no_parallax() -> None:
    views, _ = seen(motion(np.array([0.0, 0.1, 0.0]), np.zeros(3)))
    assert views is None or np.median(views.parallax_deg) < 0.5


@pytest.mark.parametrize("count", [0, 5])
def test_too_few_matches_tell_nothing(count: int) -> None:
    pixels = np.full((count, 2), 100.0)
    assert two_view_geometry(CAMERA, pixels, pixels, 1.5, 100, 0) is None
