"""The audit of a map that has lost keyframes, or whose scale has become known."""

from __future__ import annotations

import numpy as np

from cl_localization.config import TriangulationConfig
from cl_localization.map.keyframe_views import View
from cl_localization.mapping.audit.health import MapHealth, scale_warnings
from cl_localization.mapping.audit.pose_audit import PoseAudit
from cl_localization.mapping.triangulating_mapper import TriangulatingMapper
from cl_localization.places.map_places import place_descriptor
from core_makers import CAMERA, PointScene, SceneEncoder, look_at
from map_makers import empty_map

LAP, LAPS = 20, 2


def test_places_seen_again_are_judged_by_the_poses_of_their_keyframes_though_others_had_to_go() -> None:
    map_code, encoder = empty_map("scene", 64), SceneEncoder(PointScene.room(300), noise_px=0.3, similarity=0.95)
    audit = PoseAudit(map_code)
    map_code.add_keyframe(np.eye(4), 1, map_code.scene_number("kitchen"))
    for number in range(LAPS * LAP):
        angle = 2 * np.pi * number / LAP
        frame = encoder.frame(look_at((np.sin(angle), 0.2 * np.sin(2 * angle), 0.0), (np.cos(angle), 0.0, 3.5)))
        features = encoder.encode(frame.image)
        keyframe = map_code.add_keyframe(frame.world_T_cam, frame.stamp_ns, 0,
                                         descriptor=place_descriptor(features.descriptors))
        audit.add(View.of(keyframe, frame.world_T_cam, CAMERA, features), np.zeros(len(features)))
    map_code.version += 1
    map_code.keyframes.remove(np.array([0]), map_code.version)
    audit.forget_removed()
    health = audit.health(TriangulatingMapper(map_code, TriangulationConfig()))
    assert health.places_again >= 5 and health.places_again_agree_percent > 90


def test_a_scale_that_has_become_known_is_warned_of_no_more_but_what_else_was_wrong_is() -> None:
    map_code, unknown = empty_map(), ("kitchen",)
    map_code.health = MapHealth((*scale_warnings(unknown), "axes"), scenes_without_scale=unknown).to_json()
    audit = PoseAudit(map_code)
    mapper = TriangulatingMapper(map_code, TriangulationConfig())
    assert audit.health(mapper).warnings == ("axes", *scale_warnings(unknown))
    audit.without_scale.clear()
    assert audit.health(mapper).warnings == ("axes",)
