"""What a check of poses against rendered views is worth: rules of acceptance compared on the same queries."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cl_localization.config import LiveNerfConfig, MapperConfig, PoseConfig, RenderCheckConfig
from cl_localization.data.frame import Frame, Sequence
from cl_localization.evaluation.records import is_wrong
from cl_localization.features.shared import shared_encoder
from cl_localization.geometry.se3 import pose_error
from cl_localization.localization.acceptance import accept_or_reject
from cl_localization.localization.result import Localization
from cl_localization.localizer import Localizer
from cl_localization.mapper import Mapper
from cl_localization.nerf.live import LiveField
from cl_localization.nerf.render_check import RenderCheck, RenderEvidence, decided

RIGHT_WITHIN = (0.20, 10.0)
"""A pose this near in metres and degrees is right."""

NOWHERE = (float("inf"), float("inf"))
"""Error of every pose of an image from another place."""



@dataclass(frozen=True, eq=False)
class Look:
    """A query: what was found, how the image agrees with a view rendered from there, and how far off it is.

    Attributes:
        evidence: None where there is no pose.
        error: [m] and [deg]; None where there is no pose.
        seconds: processor time that the evidence took.
    """

    found: Localization
    evidence: RenderEvidence | None = None
    error: tuple[float, float] | None = None
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Return what speaks for the pose, and its error, as JSON values; None for what there is not."""
        evidence = self.evidence or RenderEvidence(float("nan"), 0)
        numbers = {"support": self.found.support, "correlation": evidence.correlation,
                   "depth_agreement": evidence.depth_agreement, "surface_correlation": evidence.surface_correlation,
                   **dict(zip(("error_m", "error_deg"), self.error or NOWHERE))}
        return {"inliers": self.found.inliers, "patches": evidence.patches,
                "surface_patches": evidence.surface_patches,
                **{name: float(value) if np.isfinite(value) else None for name, value in numbers.items()}}


@dataclass(frozen=True)
class Rule:
    """When a pose is accepted.

    Attributes:
        min_support: least support; see pose.min_support.
        check: how it is compared with a rendered view besides; None: it is not.
        uses_depth: whether the depth of the query is compared, too.
    """

    name: str
    min_support: float
    check: RenderCheckConfig | None = None
    uses_depth: bool = True


@dataclass(frozen=True)
class Acceptance:
    """What became of queries: accepted poses that are right, and those that are wrong; some are neither."""

    queries: int
    right: int
    wrong: int


def with_field(frames: Iterable[Frame], config: MapperConfig, steps: int) -> tuple[Mapper, LiveField]:
    """Return a map of frames, and a field that has learned each keyframe for some steps."""
    mapper, field = Mapper(config, shared_encoder(config.encoder)), LiveField(LiveNerfConfig())
    for frame in frames:
        if mapper.add(frame).is_keyframe:
            learn(field, frame, steps)
    mapper.finish()
    return mapper, field


def learn(field: LiveField, frame: Frame, steps: int) -> None:
    """Have a field learn from a frame for some steps, however long they take: the same field on every machine."""
    field.add(frame)
    goal = field.steps + steps
    field.learn(float("inf"), lambda: field.steps >= goal)


def looks(localizer: Localizer, check: RenderCheck, queries: Sequence, is_this_place: bool) -> list[Look]:
    """Localize queries one by one, and look from every pose that is found.

    Args:
        is_this_place: whether they are of the mapped place, and their true poses in the frame of the map.
    """
    return [look_at(localizer.localize(frame), check, frame, is_this_place)
            for frame in (queries[index] for index in range(len(queries)))]


def look_at(found: Localization, check: RenderCheck, frame: Frame, is_this_place: bool) -> Look:
    """Return what is found of one frame with the evidence for it."""
    if found.world_T_cam is None:
        return Look(found)
    error = pose_error(found.world_T_cam, frame.world_T_cam) if is_this_place else NOWHERE
    start_s = time.process_time()
    return Look(found, check.evidence(frame, found.world_T_cam), error, time.process_time() - start_s)


def acceptance(tried: list[Look], rule: Rule, pose: PoseConfig) -> Acceptance:
    """Return what a rule makes of queries.

    Args:
        pose: the localizer's options; a rule has its own support.
    """
    options = replace(pose, min_support=rule.min_support)
    errors = np.array([look.error for look in tried if is_accepted(look, rule, options)], float).reshape(-1, 2)
    right = (errors <= RIGHT_WITHIN).all(axis=1)
    wrong = sum(is_wrong(*error) for error in errors.tolist())
    return Acceptance(len(tried), int(right.sum()), wrong)


def is_accepted(look: Look, rule: Rule, pose: PoseConfig) -> bool:
    """Return whether a rule accepts what was found."""
    if look.found.world_T_cam is None:
        return False
    found = accept_or_reject(look.found, pose)
    if rule.check is None or look.evidence is None:
        return found.accepted
    evidence = look.evidence if rule.uses_depth else RenderEvidence(look.evidence.correlation, look.evidence.patches)
    return decided(found, evidence, rule.check, pose).accepted
