"""The audit of keyframes: neighbours, places seen again, and what it keeps."""

from __future__ import annotations

import numpy as np

from cl_localization.features.whole_image import place_descriptor
from cl_localization.map.keyframe_views import View
from cl_localization.mapping.audit import pose_audit
from cl_localization.mapping.audit.health import MIN_RETURNS_AGREE, PairFigures
from cl_localization.mapping.audit.image_pairs import MAX_ERROR_PX
from cl_localization.mapping.audit.pose_audit import APART, ENOUGH_PAIRS, EVERY, LOOKED_FOR_EVERY, PoseAudit
from core_makers import CAMERA, PointScene, look_at, motion

SCENE = PointScene.room(300)
TURNED = motion(np.array([0.0, 0.3, 0.0]), np.zeros(3))
OFF_PX = 4.0
OFF = motion(np.array([OFF_PX / 640 * CAMERA.width_px / CAMERA.fx_px, 0.0, 0.0]), np.zeros(3))
"""So far off in an image 640 px wide."""


def pose(number: int) -> np.ndarray:
    """Poses to and fro, which repeat after 20 keyframes."""
    angle = 2 * np.pi * number / 20
    return look_at((np.sin(angle), 0.2 * np.sin(2 * angle), 0.0), (np.cos(angle), 0.0, 3.5))


def audited(count: int, given=pose, scene_of=lambda number: 0) -> PoseAudit:
    audit = PoseAudit()
    for number in range(count):
        features = SCENE.features(pose(number), noise_px=0.3, similarity=0.95, seed=number)
        audit.add(View.of(number, given(number), CAMERA, features, scene=scene_of(number)), np.zeros(len(features)),
                  place_descriptor(features.descriptors))
    return audit


def figures(audit: PoseAudit, given=pose) -> PairFigures:
    return audit.figures(lambda which: np.array([given(number) for number in which]).reshape(-1, 4, 4))


def test_without_keyframes_nothing_is_said() -> None:
    assert figures(PoseAudit()) == PairFigures()


def test_neighbours_are_pairs_and_places_are_seen_again_later() -> None:
    found = figures(audited(40))
    assert found.pairs >= ENOUGH_PAIRS and found.agree > 0.9
    assert found.best_reading == "given" and found.focal_factor == 1.0
    assert 5 <= found.returns <= (40 - APART) // LOOKED_FOR_EVERY + 1 and found.returns_agree > 0.9
    assert (found.depth_pairs, found.depth_ratio) == (0, None)


def test_once_enough_is_known_only_some_keyframes_are_compared_with_their_neighbours() -> None:
    more = 2 * EVERY
    assert figures(audited(ENOUGH_PAIRS + 1 + more)).pairs == ENOUGH_PAIRS + 2


def test_places_seen_again_are_judged_by_the_poses_as_corrected_since() -> None:
    def drifting(number: int) -> np.ndarray:
        return TURNED @ pose(number) if number >= 20 else pose(number)

    audit = audited(40, given=drifting)
    assert figures(audit, drifting).returns_agree < 0.5
    assert figures(audit).returns_agree > 0.9


def test_poses_that_are_some_pixels_off_where_a_place_is_seen_again_are_not_said_to_drift():
    def inexact(number: int) -> np.ndarray:
        return OFF @ pose(number) if number >= 20 else pose(number)

    audit = audited(40, given=inexact)
    assert OFF_PX > MAX_ERROR_PX and figures(audit, inexact).returns_agree > MIN_RETURNS_AGREE


def test_keyframes_that_the_map_gave_up_have_no_say_and_are_no_neighbours_or_places_later() -> None:
    audit, live = audited(40), np.arange(60) % 2 == 1
    audit.forget_removed(live)
    kept = [*audit._recent, *audit._waiting, *audit._older,
            *(view for pair in audit._returns for view in (pair.first, pair.second))]
    assert kept and all(live[view.keyframe] for view in kept)
    audit.forget_removed(np.zeros(60, bool))
    before = figures(audit)
    assert before.returns == 0
    features = SCENE.features(pose(40), noise_px=0.3, similarity=0.95)
    audit.add(View.of(0, pose(40), CAMERA, features), np.zeros(len(features)), place_descriptor(features.descriptors))
    assert (figures(audit).pairs, figures(audit).returns) == (before.pairs, 0)


def test_scenes_are_not_compared_with_each_other() -> None:
    assert figures(audited(30, scene_of=lambda number: number % 2)).pairs == 0
    assert figures(audited(2 * APART, scene_of=lambda number: number // APART)).returns == 0


def test_the_end_of_a_sequence_parts_neighbours() -> None:
    audit = audited(3)
    before = figures(audit).pairs
    audit.end_sequence()
    features = SCENE.features(pose(3), noise_px=0.3, similarity=0.95)
    audit.add(View.of(3, pose(3), CAMERA, features), np.zeros(len(features)), place_descriptor(features.descriptors))
    assert figures(audit).pairs == before


def test_memory_is_bounded(monkeypatch) -> None:
    monkeypatch.setattr(pose_audit, "MEMORY", 10)
    audit = audited(60)
    assert len(audit._older) <= 10 and len(audit._waiting) <= APART
