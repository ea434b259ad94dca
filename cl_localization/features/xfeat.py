"""XFeat (Potje et al., CVPR 2024): 64-D features at 30 images per second on two CPU cores.

The network is run by one of several engines; detection is our own, since that of the package rounds keypoints to whole
pixels (0.5 cm at 3 m), and the same for all engines.
"""

from __future__ import annotations

import cv2
import numpy as np

from cl_localization.config import EncoderConfig
from cl_localization.features.encoder import Features, checked_image
from cl_localization.features.engines import make_engine
from cl_localization.features.exported import weights_name
from cl_localization.features.peaks import refined_peaks, strongest_peaks
from cl_localization.features.sampling import sample_descriptors

SIZE_MULTIPLE_PX = 32


class XFeatEncoder:
    """Sparse keypoints with sub-pixel positions and 64-D descriptors."""

    dim = 64

    def __init__(self, config: EncoderConfig) -> None:
        self.name = weights_name("xfeat", config.weights)
        self.max_keypoints = config.max_keypoints
        self.max_side_px = config.max_image_side_px
        self.engine = make_engine(config)

    def encode(self, image: np.ndarray) -> Features:
        """Return up to `max_keypoints` features of an (H, W, 3) uint8 RGB image; see `Encoder`."""
        image = checked_image(image, SIZE_MULTIPLE_PX)
        grey = self._resized(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))
        dense = self.engine.run(grey)
        rows, columns, scores = strongest_peaks(dense.heatmap, dense.reliability, self.max_keypoints)
        positions_px = refined_peaks(dense.heatmap, rows, columns)
        scale = np.array([image.shape[1] / grey.shape[1], image.shape[0] / grey.shape[0]], np.float32)
        return Features(positions_px * scale, sample_descriptors(dense.maps, positions_px, grey.shape), scores)

    def _resized(self, grey: np.ndarray) -> np.ndarray:
        height, width = grey.shape
        shrink = min(1.0, self.max_side_px / max(height, width))
        size = [max(1, int(side * shrink) // SIZE_MULTIPLE_PX) * SIZE_MULTIPLE_PX for side in (width, height)]
        if size == [width, height]:
            return grey
        return cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
