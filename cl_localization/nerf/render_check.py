"""Pose check by rendering: compares the image with the view that a radiance field renders from its pose.

Matches on moved furniture can support a wrong pose; a rendered view compares the whole image. Patches are compared by
zero-mean normalised cross-correlation, which does not depend on light, exposure and shadows over a whole patch.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from cl_localization.config import PoseConfig, RenderCheckConfig
from cl_localization.data.frame import Frame
from cl_localization.localization.acceptance import reason_to_reject
from cl_localization.localization.result import Localization
from cl_localization.nerf.live import MIN_OPACITY, LiveField, LiveRender
from cl_localization.nerf.live_views import reduced

SMOOTHING_PX = 0.7
"""Standard deviation of the blur of both images, since a field is less sharp than an image."""

LEAST_KNOWN_SHARE = 0.7
"""Least opaque share of a compared patch."""

LEAST_CONTRAST = 2.5
"""Least standard deviation in grey levels of a compared patch, in one of the images."""


@dataclass(frozen=True)
class RenderEvidence:
    """The agreement of an image with the view rendered from a pose.

    Attributes:
        correlation: mean over the patches, -1 to 1; NaN for none.
        patches: number of compared patches.
        depth_agreement: share of pixels whose measured and rendered depths agree; NaN for none.
    """

    correlation: float
    patches: int
    depth_agreement: float = float("nan")


class RenderCheck:
    """Checks poses by rendering."""

    def __init__(self, field: LiveField, config: RenderCheckConfig = RenderCheckConfig()) -> None:
        """Check with a field, which may continue training."""
        self.field, self.config = field, config

    def evidence(self, frame: Frame, world_T_cam: np.ndarray) -> RenderEvidence:
        """Return the agreement of a frame with the view rendered from a pose (4, 4); takes tens of milliseconds.

        Raises:
            DataError, GeometryError: the pose is invalid.
        """
        view = reduced(replace(frame, world_T_cam=world_T_cam), self.config.width_px, self.field.config.max_depth_m)
        seen = self.field.render(world_T_cam, view.camera)
        correlations = patch_correlations(view.image, seen, self.config.patch_px)
        return RenderEvidence(float(correlations.mean()) if len(correlations) else float("nan"), len(correlations),
                              depth_agreement(view.depth_m, seen.depth_m))

    def judge(self, frame: Frame, found: Localization, pose: PoseConfig) -> Localization:
        """Return a localization with `accepted` and `reason` after the check; other than nearly accepted poses are not
        checked. `pose` are the options by which it was accepted or rejected."""
        if found.world_T_cam is None or not (found.accepted or is_nearly_accepted(found, self.config, pose)):
            return found
        return decided(found, self.evidence(frame, found.world_T_cam), self.config, pose)


def is_nearly_accepted(found: Localization, config: RenderCheckConfig, pose: PoseConfig) -> bool:
    """Return whether a rejected pose would be accepted with `least_support` instead of `pose.min_support`."""
    if found.accepted or found.world_T_cam is None or found.covariance is None:
        return False
    return reason_to_reject(found, replace(pose, min_support=min(config.least_support, pose.min_support))) is None


def decided(found: Localization, evidence: RenderEvidence, config: RenderCheckConfig, pose: PoseConfig) -> Localization:
    """Return a localization, accepted or rejected by the evidence of a rendered view."""
    if evidence.patches < config.min_patches:
        return found
    if found.accepted and evidence.correlation < config.reject_below:
        return replace(found, accepted=False, reason=f"correlation with the rendered view {evidence.correlation:.2f}, "
                                                     f"{config.reject_below:.2f} needed")
    looks_right = evidence.correlation > config.accept_above or (
        evidence.correlation >= config.reject_below and evidence.depth_agreement > config.accept_depth_above)
    if looks_right and is_nearly_accepted(found, config, pose):
        return replace(found, accepted=True, reason="ok")
    return found


def patch_correlations(image: np.ndarray, seen: LiveRender, patch_px: int) -> np.ndarray:
    """Return the zero-mean normalised cross-correlations (P,) of patches of an image (H, W, 3) uint8 and a render."""
    grey, rendered = (patches_of(smoothed_grey(picture), patch_px) for picture in (image, seen.image))
    known = patches_of((seen.opacity >= MIN_OPACITY).astype(np.float32), patch_px)
    counts = known.sum(axis=1, keepdims=True)
    enough = counts[:, 0] >= LEAST_KNOWN_SHARE * known.shape[1]
    grey, rendered, known, counts = grey[enough], rendered[enough], known[enough], counts[enough]
    one, other = (known * (values - (known * values).sum(axis=1, keepdims=True) / counts)
                  for values in (grey, rendered))
    spreads = [np.sqrt((values**2).sum(axis=1) / counts[:, 0]) for values in (one, other)]
    contrast = np.maximum(*spreads) >= LEAST_CONTRAST
    return ((one * other).sum(axis=1) / (counts[:, 0] * spreads[0] * spreads[1] + 1e-6))[contrast]


def smoothed_grey(image: np.ndarray) -> np.ndarray:
    """Return an image (H, W, 3) uint8 as blurred grey values (H, W) float32."""
    return cv2.GaussianBlur(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32), (0, 0), SMOOTHING_PX)


def patches_of(values: np.ndarray, patch_px: int) -> np.ndarray:
    """Return values (H, W) as patches (P, patch_px ** 2); incomplete patches at the right and bottom are omitted."""
    rows, columns = (size // patch_px for size in values.shape)
    whole = values[:rows * patch_px, :columns * patch_px].reshape(rows, patch_px, columns, patch_px)
    return whole.swapaxes(1, 2).reshape(rows * columns, patch_px**2)


def depth_agreement(measured_m: np.ndarray | None, rendered_m: np.ndarray) -> float:
    """Return the share of pixels whose measured and rendered depths (H, W) differ by less than 10 % or 5 cm."""
    if measured_m is None or not (known := (measured_m > 0) & (rendered_m > 0)).any():
        return float("nan")
    return float((np.abs(measured_m - rendered_m)[known] < np.maximum(0.1 * measured_m[known], 0.05)).mean())
