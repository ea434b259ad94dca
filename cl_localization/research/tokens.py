"""Features as networks of scene coordinates take them: numbers of size one, not vectors of length one."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from cl_localization.config import EncoderConfig
from cl_localization.features import Encoder, Features, make_encoder


class TokenEncoder:
    """An encoder whose descriptors are times the root of their length; they are for networks, not for maps.

    The numbers of a unit vector of length 64 are about 0.125: a network that begins with weights for numbers of size
    one hardly tells two features apart.
    """

    def __init__(self, encoder: Encoder) -> None:
        """Stand in for an encoder of unit descriptors."""
        self.name, self.dim, self._encoder = encoder.name, encoder.dim, encoder

    def encode(self, image: np.ndarray) -> Features:
        """See `Encoder`; descriptors have the length sqrt(dim)."""
        found = self._encoder.encode(image)
        return replace(found, descriptors=found.descriptors * np.float32(math.sqrt(self.dim)))


def token_encoder(config: EncoderConfig) -> Encoder:
    """Return the configured encoder with descriptors of size one: DINOv2's tokens as they are, others scaled.

    Raises:
        EncoderError: its package, weights or device are missing.
    """
    if config.name == "dinov2":
        from cl_localization.features.dinov2 import DinoV2Encoder

        return DinoV2Encoder(config, unit_length=False)
    return TokenEncoder(make_encoder(config))
