"""Selection of keyframes: new views, and known views of places that have changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cl_localization.config import MapperConfig
from cl_localization.data.frame import Frame
from cl_localization.features import Features
from cl_localization.map.keyframe_views import View
from cl_localization.map.map_code import MapCode
from cl_localization.mapping.change_detection import ChangeDetector
from cl_localization.mapping.keyframe_policy import KeyframePolicy
from cl_localization.mapping.triangulating_mapper import TriangulatingMapper


@dataclass(frozen=True, eq=False)
class KeyframeDecision:
    """Whether a frame is a keyframe, and why.

    Attributes:
        is_keyframe: whether to map it.
        changed: whether it shows a known place that has changed.
        view, features: of the image; None if the frame is no keyframe.
    """

    reason: str
    is_keyframe: bool = False
    changed: bool = False
    view: View | None = None
    features: Features | None = None


class KeyframeSelector:
    """Decides frame by frame, and encodes an image only if the decision needs it."""

    def __init__(self, map_code: MapCode, config: MapperConfig, encode: Callable[[Frame], Features],
                 without_depth: Callable[[], TriangulatingMapper]) -> None:
        """Make a selector; without depth, what learns says which views are new."""
        self._map, self._encode = map_code, encode
        self._with_depth = KeyframePolicy(config.keyframes.min_translation_m, config.keyframes.min_rotation_deg)
        self._without_depth = without_depth
        self._changes = ChangeDetector(map_code, config.change_detection, config.depth.max_depth_m)

    def decide(self, frame: Frame, world_T_cam: np.ndarray, scene: int, has_depth: bool) -> KeyframeDecision:
        """Return whether a frame is a keyframe.

        Args:
            world_T_cam: (4, 4) pose of the frame.
            scene: number of the scene in the map.
            has_depth: whether the frame has measured depth, which change detection needs.

        Raises:
            EncoderError: the image cannot be encoded.
        """
        if has_depth:
            policy, known = self._with_depth, self._map.pose_of(self._map.keyframes_of(scene))
        else:
            policy, known = self._without_depth().keyframe_policy(), self._without_depth().known_poses(scene)
        same_views = policy.same_views(world_T_cam, known)
        if same_views and not (has_depth and self._changes.is_due(frame.stamp_ns, world_T_cam, same_views)):
            return KeyframeDecision("known view")
        features = self._encode(frame)
        view = View.of(-1, world_T_cam, frame.camera, features, scene)
        self._changes.note_check(frame.stamp_ns)
        if same_views == 0:
            return KeyframeDecision("new view", True, False, view, features)
        if frame.depth_m is not None and self._changes.has_changed(view, features.keypoints_px, frame.depth_m):
            return KeyframeDecision("place has changed", True, True, view, features)
        return KeyframeDecision("no change")

    def note_keyframe(self, keyframe: int) -> None:
        """Note the number that a keyframe got in the map."""
        self._changes.note_keyframe(keyframe)
