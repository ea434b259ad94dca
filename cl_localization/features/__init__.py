"""Encoders: images to local features."""

from __future__ import annotations

from cl_localization.config import EncoderConfig
from cl_localization.features.encoder import Encoder, Features

__all__ = ["Encoder", "Features", "make_encoder"]


def make_encoder(config: EncoderConfig) -> Encoder:
    """Return the configured encoder; only its own network is imported.

    Raises:
        EncoderError: its package, weights or device are missing.
    """
    if config.name == "dinov2":
        from cl_localization.features.dinov2 import DinoV2Encoder

        return DinoV2Encoder(config)
    from cl_localization.features.xfeat import XFeatEncoder

    return XFeatEncoder(config)
