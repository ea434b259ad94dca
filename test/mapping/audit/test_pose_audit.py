"""The audit of keyframes: neighbours, places seen again, and what it keeps."""

from __future__ import annotations

import numpy as np

from cl_localization.config import MapCodeConfig
from cl_localization.map.keyframe_views import View
from cl_localization.map.map_code import MapCode
from cl_localization.mapping.audit import pose_audit
from cl_localization.mapping.audit.health import MIN_RETURNS_AGREE, PairFigures
from cl_localization.mapping.audit.image_pairs import MAX_ERROR_PX
from cl_localization.mapping.audit.pose_audit import APART, ENOUGH_PAIRS, EVERY, LOOKED_FOR_EVERY, PoseAudit
from cl_localization.places.map_places import place_descriptor
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


def empty_map() -> MapCode:
    return MapCode(MapCodeConfig(), "test", SCENE.descriptors.shape[1])


def audited(count: int, given=pose, scene_of=lambda number: 0, map_code: MapCode | None = None) -> PoseAudit:
    map_code = empty_map() if map_code is None else map_code
    audit = PoseAudit(map_code)
    for number in range(count):
        add(audit, map_code, number, given(number), scene_of(number))
    return audit


def add(audit: PoseAudit, map_code: MapCode, number: int, given: np.ndarray, scene: int = 0) -> None:
    """Have a keyframe at a pose of `pose` audited, given another pose."""
    features = SCENE.features(pose(number), noise_px=0.3, similarity=0.95, seed=number)
    keyframe = map_code.add_keyframe(given, number, scene, descriptor=place_descriptor(features.descriptors))
    audit.add(View.of(keyframe, given, CAMERA, features, scene=scene), np.zeros(len(features)))


def figures(audit: PoseAudit, given=pose) -> PairFigures:
    return audit.figures(lambda which: np.array([given(number) for number in which]).reshape(-1, 4, 4))


def test_without_keyframes_nothing_is_said() -> None:
    assert figures(PoseAudit(empty_map())) == PairFigures()


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
    map_code = empty_map()
    audit, live = audited(40, map_code=map_code), np.arange(40) % 2 == 1
    map_code.keyframes.remove(np.flatnonzero(~live), map_code.version)
    audit.forget_removed()
    kept = [*audit._recent, *audit._waiting, *audit._older,
            *(view for pair in audit._returns for view in (pair.first, pair.second))]
    assert kept and all(live[view.keyframe] for view in kept)
    map_code.keyframes.remove(map_code.keyframes.rows(), map_code.version)
    audit.forget_removed()
    before = figures(audit)
    assert before.returns == 0
    add(audit, map_code, 40, pose(40))
    assert (figures(audit).pairs, figures(audit).returns) == (before.pairs, 0)


def test_scenes_are_not_compared_with_each_other() -> None:
    assert figures(audited(30, scene_of=lambda number: number % 2)).pairs == 0
    assert figures(audited(2 * APART, scene_of=lambda number: number // APART)).returns == 0


def test_the_end_of_a_sequence_parts_neighbours() -> None:
    map_code = empty_map()
    audit = audited(3, map_code=map_code)
    before = figures(audit).pairs
    audit.end_sequence()
    add(audit, map_code, 3, pose(3))
    assert figures(audit).pairs == before


def test_memory_is_bounded(monkeypatch) -> None:
    monkeypatch.setattr(pose_audit, "MEMORY", 10)
    audit = audited(60)
    assert len(audit._older) <= 10 and len(audit._waiting) <= APART
