"""The paper's form: every feature of a scene attends to all learned codes of it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cl_localization.research.ace.head import dehomogenised
from cl_localization.research.ace_g.blocks import CrossAttention, input_mlp, output_mlp
from cl_localization.research.ace_g.options import AttentionNetworkConfig

CODE_SCALE = 0.01
"""Standard deviation of the numbers of new codes."""

QUERY_GAIN = 6.0
"""Factor on the weights that make queries, at the start. Keys are normalised and cannot grow: without it nearly all
codes share the attention of every feature, and no code learns anything of its own."""


class CodeRegressor(nn.Module):
    """Features and the codes of a scene to points around the scene's mean, and how certain they are."""

    def __init__(self, dim: int, config: AttentionNetworkConfig) -> None:
        """Make a network for features of length `dim`."""
        super().__init__()
        self.dim, self.config = dim, config
        self.feature = input_mlp(dim, config.width)
        self.blocks = nn.ModuleList(CrossAttention(config.width, config.heads) for _ in range(config.blocks))
        self.result = output_mlp(config.width, 5)
        with torch.no_grad():
            for block in self.blocks:
                block.query.weight.mul_(QUERY_GAIN)

    def forward(self, features: Tensor, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Return points (N, 3), relative to the mean of the scene's cameras, and logarithms of their standard
        deviations (N,), in metres.

        Args:
            features: (N, D) with numbers of size one, as of `TokenEncoder`; each is answered by itself, so those of all
                images go together. (S, N, D) of as many scenes; then both results have that dimension, too.
            codes: (M, width) of the scene, in any order; or (S, M, width).
        """
        if features.dim() == 2:
            points_m, log_sigma = self(features[None], codes[None])
            return points_m[0], log_sigma[0]
        queries = self.feature(features).float()  # half a precision would round metres to centimetres
        for block in self.blocks:
            queries = block(queries, codes)
        with torch.autocast(queries.device.type, enabled=False):
            raw = self.result(queries)
        return dehomogenised(raw[..., :4]), raw[..., 4]


def new_codes(config: AttentionNetworkConfig, generator: torch.Generator, device: torch.device) -> nn.Parameter:
    """Return codes (M, width) that know nothing yet."""
    return nn.Parameter((CODE_SCALE * torch.randn(config.codes, config.width, generator=generator)).to(device))
