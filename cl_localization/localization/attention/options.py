"""Options of the attention network."""

from __future__ import annotations

from dataclasses import dataclass

from cl_localization.config import Config, option


@dataclass(frozen=True)
class AttentionNetworkConfig(Config):
    """The network that all scenes share."""

    form: str = option("sparse", "Memory of a scene: sparse, the codes of the grown map that the search proposes; "
                                 "codes, a fixed number of "
                       "learned vectors as in the paper.", choices=("sparse", "codes"))
    width: int = option(32, "Length of a token inside the network.", 8, 4096)
    blocks: int = option(1, "Cross-attention blocks.", 1, 48)
    heads: int = option(4, "Attention heads; they divide the width.", 1, 64)
    candidates: int = option(8, "Codes that the search proposes for a feature (sparse).", 2, 64)
    neighbours: int = option(8, "Features near by in the image whose proposals support each other (sparse).", 1, 64)
    codes: int = option(256, "Learned vectors of a scene (codes).", 1, 65536)
