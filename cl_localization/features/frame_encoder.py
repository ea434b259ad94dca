"""From a frame to the features of the scene in it: images are turned upright before they are encoded, and what is fixed
to the camera, or masked by a person, is left out."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cl_localization.config import MaskConfig
from cl_localization.data.frame import Frame
from cl_localization.data.images import read_rgb
from cl_localization.errors import DataError
from cl_localization.features.encoder import Encoder, Features
from cl_localization.features.fixed_regions import FixedRegions

DARK = 128
MAX_STRETCH = 0.02
"""A mask and an image are of one shape when their ratios of width to height differ by at most this share."""


class FrameEncoder:
    """Encodes the frames of one camera, and learns which regions of its images are fixed to it.

    Attributes:
        regions: those regions.
    """

    def __init__(self, encoder: Encoder, config: MaskConfig) -> None:
        """Encode by `encoder`.

        Raises:
            DataError: the mask cannot be read.
        """
        self.regions = FixedRegions()
        self._encoder, self._detect = encoder, config.detect
        self._drawn = [ImageMask.from_file(config.file)] if config.file else []
        self._newest: tuple[np.ndarray, Features] | None = None

    def encode(self, frame: Frame) -> Features:
        """Return the features of the scene, their keypoints in the image as it came.

        Raises:
            EncoderError: the image cannot be encoded.
            DataError: a mask has another shape.
        """
        features = self._unmasked(frame)
        hidden = self.regions.hides(features.keypoints_px, frame.camera)
        return features.select(~hidden) if hidden.any() else features

    def observe(self, frame: Frame, frame_T_cam: np.ndarray, name: str, depths_m: np.ndarray | None = None) -> bool:
        """Learn from a frame that was encoded; return whether more of the image is known to be fixed now.

        Args:
            frame_T_cam: (4, 4) its camera in a frame in which the scene is at rest.
            name: of that frame.
            depths_m: (H, W) depth image, 0 where unknown.
        """
        if not self._detect:
            return False
        features = self._unmasked(frame)
        return self.regions.observe(features, frame.camera, frame_T_cam, name, frame.stamp_ns,
                                    None if depths_m is None else _read_at(depths_m, features.keypoints_px))

    def _unmasked(self, frame: Frame) -> Features:
        """Return the features that no mask hides, fixed ones included."""
        if self._newest is None or self._newest[0] is not frame.image:
            features = upright_features(self._encoder, frame)
            of_frame = [] if frame.mask is None else [ImageMask(frame.mask, "mask of the image")]
            for mask in (*self._drawn, *of_frame):
                hidden = mask.hides(features.keypoints_px, frame.camera.width_px, frame.camera.height_px)
                features = features.select(~hidden)
            self._newest = frame.image, features
        return self._newest[1]


def upright_features(encoder: Encoder, frame: Frame) -> Features:
    """Return the features of an image that was turned upright, their keypoints in the image as it came."""
    turns = frame.upright_turns % 4
    if turns == 0:
        return encoder.encode(frame.image)
    features = encoder.encode(np.ascontiguousarray(np.rot90(frame.image, -turns)))
    x, y = features.keypoints_px.T
    height, width = frame.image.shape[:2]
    turned_back = {1: (y, height - x), 2: (width - x, height - y), 3: (width - y, x)}[turns]
    return Features(np.column_stack(turned_back).astype(np.float32), features.descriptors, features.scores)


def _read_at(depth_m: np.ndarray, keypoints_px: np.ndarray) -> np.ndarray:
    """Return the depth (N,) at keypoints (N, 2)."""
    column, row = keypoints_px.astype(np.int64).T
    return depth_m[row.clip(0, depth_m.shape[0] - 1), column.clip(0, depth_m.shape[1] - 1)]


class ImageMask:
    """Hides what is dark in a mask, as in COLMAP."""

    def __init__(self, image: np.ndarray, name: str) -> None:
        """Take a mask (H, W) or (H, W, 3) uint8; `name` is what errors call it."""
        grey = image if image.ndim == 2 else image.max(axis=2)
        self._hidden, self._name = grey < DARK, name

    @classmethod
    def from_file(cls, path: str) -> ImageMask:
        """Read an image file.

        Raises:
            DataError: it cannot be read.
        """
        return cls(read_rgb(Path(path)), f"mask {path}")

    def hides(self, keypoints_px: np.ndarray, width_px: int, height_px: int) -> np.ndarray:
        """Return which keypoints (N, 2) of an image of a size the mask hides, bool (N,).

        Raises:
            DataError: the mask has another shape.
        """
        height, width = self._hidden.shape
        if abs(width * height_px / (height * width_px) - 1) > MAX_STRETCH:
            raise DataError(self._name, f"must have the shape of the images, {width_px}x{height_px}",
                            f"{width}x{height}", "draw it on an image of this camera")
        column, row = (keypoints_px * [width / width_px, height / height_px]).astype(np.int64).T
        return self._hidden[row.clip(0, height - 1), column.clip(0, width - 1)]
