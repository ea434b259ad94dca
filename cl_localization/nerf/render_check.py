"""Pose check by rendering: compares the image with the view of the map from its pose.

Matches on moved furniture can support a wrong pose; a rendered view compares the whole image. Patches are compared by
zero-mean normalised cross-correlation, which does not depend on light, exposure and shadows over a whole patch. With
depth, only what is as far away as the map has it is compared: furniture that was moved says nothing then, but the same
surface must look the same.
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
from cl_localization.nerf.views import reduced

SMOOTHING_PX = 1.0
"""Standard deviation of the blur of both images, since a field is less sharp than an image."""

LEAST_KNOWN_SHARE = 0.7
"""Least opaque share of a compared patch."""

MIN_SURFACE_PATCHES = 6
"""With fewer patches whose depth agrees, the whole image decides."""

LEAST_SPREAD = 0.1
"""Least standard deviation in grey levels that is divided by: the rounding of a plain patch correlates with nothing."""

LEAST_CONTRAST = 2.5
"""Least standard deviation in grey levels of a compared patch, in one of the images."""


@dataclass(frozen=True)
class RenderEvidence:
    """The agreement of an image with the view rendered from a pose.

    Attributes:
        correlation: mean over the patches, -1 to 1; NaN for none.
        patches: number of compared patches.
        depth_agreement: share of pixels whose measured and rendered depths agree; NaN for none.
        surface_correlation, surface_patches: the same of the pixels whose depths agree; NaN and 0 without depth.
    """

    correlation: float
    patches: int
    depth_agreement: float = float("nan")
    surface_correlation: float = float("nan")
    surface_patches: int = 0


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
        of_image = mean_and_count(patch_correlations(view.image, seen, self.config.patch_px))
        if view.depth_m is None:
            return RenderEvidence(*of_image)
        surface = replace(seen, opacity=np.where(depths_agree(view.depth_m, seen.depth_m), seen.opacity, 0))
        of_surface = mean_and_count(patch_correlations(view.image, surface, self.config.patch_px))
        return RenderEvidence(*of_image, depth_agreement(view.depth_m, seen.depth_m), *of_surface)

    def judge(self, frame: Frame, found: Localization, pose: PoseConfig) -> Localization:
        """Return a localization with `accepted` and `reason` after the check; other than nearly accepted poses are not
        checked. `pose` are the options by which it was accepted or rejected."""
        if found.world_T_cam is None or not (found.accepted or is_nearly_accepted(found, self.config, pose)):
            return found
        return decided(found, self.evidence(frame, found.world_T_cam), self.config, pose)


def is_nearly_accepted(found: Localization, config: RenderCheckConfig, pose: PoseConfig) -> bool:
    """Return whether a pose that lacks support would be accepted with `least_support` instead of `pose.min_support`."""
    if found.accepted or found.world_T_cam is None or found.covariance is None:
        return False
    if reason_to_reject(found, pose) is None:  # refused for something else, such as another pose as likely
        return False
    return reason_to_reject(found, replace(pose, min_support=min(config.least_support, pose.min_support))) is None


def decided(found: Localization, evidence: RenderEvidence, config: RenderCheckConfig, pose: PoseConfig) -> Localization:
    """Return a localization, accepted or rejected by the evidence of a rendered view."""
    by_surface = evidence.surface_patches >= MIN_SURFACE_PATCHES
    if not by_surface and evidence.patches < config.min_patches:
        return found
    correlation = evidence.surface_correlation if by_surface else evidence.correlation
    needed = config.reject_surface_below if by_surface else config.reject_below
    if found.accepted and correlation < needed:
        return replace(found, accepted=False,
                       reason=f"correlation with the rendered view {correlation:.2f}, {needed:.2f} needed")
    looks_right = correlation > config.accept_surface_above and evidence.depth_agreement > config.accept_depth_above \
        if by_surface else correlation > config.accept_above
    if looks_right and is_nearly_accepted(found, config, pose):
        return replace(found, accepted=True, reason="ok")
    return found


def mean_and_count(correlations: np.ndarray) -> tuple[float, int]:
    """Return the mean of correlations (P,), NaN for none, and their number."""
    return float(correlations.mean()) if len(correlations) else float("nan"), len(correlations)


def patch_correlations(image: np.ndarray, seen: LiveRender, patch_px: int) -> np.ndarray:
    """Return the zero-mean normalised cross-correlations (P,) of patches of an image (H, W, 3) uint8 and a render."""
    grey, rendered = (patches_of(smoothed_grey(picture), patch_px) for picture in (image, seen.image))
    known = patches_of((seen.opacity >= MIN_OPACITY).astype(np.float32), patch_px)
    counts = known.sum(axis=1, keepdims=True)
    enough = counts[:, 0] >= LEAST_KNOWN_SHARE * known.shape[1]
    grey, rendered, known, counts = grey[enough], rendered[enough], known[enough], counts[enough]
    one, other = (known * (values - (known * values).sum(axis=1, keepdims=True) / counts)
                  for values in (grey, rendered))
    spreads = [np.maximum(np.sqrt((values**2).sum(axis=1) / counts[:, 0]), LEAST_SPREAD) for values in (one, other)]
    contrast = np.maximum(*spreads) >= LEAST_CONTRAST
    return ((one * other).sum(axis=1) / (counts[:, 0] * spreads[0] * spreads[1]))[contrast]


def smoothed_grey(image: np.ndarray) -> np.ndarray:
    """Return an image (H, W, 3) uint8 as blurred grey values (H, W) float32."""
    return cv2.GaussianBlur(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32), (0, 0), SMOOTHING_PX)


def patches_of(values: np.ndarray, patch_px: int) -> np.ndarray:
    """Return values (H, W) as patches (P, patch_px ** 2); incomplete patches at the right and bottom are omitted."""
    rows, columns = (size // patch_px for size in values.shape)
    whole = values[:rows * patch_px, :columns * patch_px].reshape(rows, patch_px, columns, patch_px)
    return whole.swapaxes(1, 2).reshape(rows * columns, patch_px**2)


def depth_agreement(measured_m: np.ndarray, rendered_m: np.ndarray) -> float:
    """Return the share of the pixels with both depths (H, W) that agree; NaN for none."""
    known = (measured_m > 0) & (rendered_m > 0)
    return float(depths_agree(measured_m, rendered_m)[known].mean()) if known.any() else float("nan")


def depths_agree(measured_m: np.ndarray, rendered_m: np.ndarray) -> np.ndarray:
    """Return the mask (H, W) of pixels whose measured and rendered depths differ by less than 10 % or 5 cm."""
    known = (measured_m > 0) & (rendered_m > 0)
    return known & (np.abs(measured_m - rendered_m) < np.maximum(0.1 * measured_m, 0.05))
