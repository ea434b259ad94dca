"""Rules of acceptance counted on made-up queries."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks.acceptance_rules import NOWHERE, Look, Rule, acceptance
from cl_localization.config import PoseConfig, RenderCheckConfig
from cl_localization.localization.result import Localization
from cl_localization.nerf.render_check import RenderEvidence

CHECK = RenderCheckConfig(reject_below=0.3, accept_above=0.4, least_support=10.0)


def look(support: float, correlation: float, error: tuple[float, float], inliers: int = 100) -> Look:
    """Return a query with its evidence."""
    found = Localization(1, False, "", np.eye(4), 1e-4 * np.eye(6), 500, 400, inliers, math.sqrt(support / 400),
                         inlier_points_m=np.full((inliers, 3), 2.0))
    return Look(found, RenderEvidence(correlation, 40), error)


LOOKS = [look(50, 0.8, (0.01, 1)), look(50, 0.1, (1.5, 40)), look(15, 0.6, (0.05, 2)), look(15, 0.35, (0.02, 1)),
         look(15, 0.1, NOWHERE),
         look(50, 0.9, (0.3, 1)), look(50, 0.9, (0.01, 1), inliers=10), Look(Localization(1))]


@pytest.mark.parametrize(("rule", "right", "wrong"), [
    (Rule("as it is", 25.0), 1, 1), (Rule("lower", 10.0), 3, 2), (Rule("checked", 25.0, CHECK), 2, 0)])
def test_right_and_wrong_poses_are_counted_as_a_rule_accepts_them(rule, right, wrong) -> None:
    counted = acceptance(LOOKS, rule, PoseConfig())
    assert (counted.queries, counted.right, counted.wrong) == (len(LOOKS), right, wrong)


def test_nothing_asked_is_nothing_found() -> None:
    counted = acceptance([], Rule("as it is", 25.0), PoseConfig())
    assert (counted.queries, counted.right, counted.wrong) == (0, 0, 0)


def test_what_is_not_known_of_a_query_is_none_in_json() -> None:
    known, nowhere = look(50, 0.8, (0.01, 1.0)).to_json(), Look(Localization(1)).to_json()
    assert known == {"inliers": 100, "patches": 40, "surface_patches": 0, "surface_correlation": None,
                     "support": pytest.approx(50), "correlation": 0.8,
                     "depth_agreement": None,
                     "error_m": 0.01, "error_deg": 1.0}
    assert [nowhere[name] for name in ("correlation", "error_m", "patches")] == [None, None, 0]
