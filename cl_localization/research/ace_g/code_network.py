"""The paper's form: every feature of a scene attends to all learned codes of it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cl_localization.research.ace.head import dehomogenised
from cl_localization.research.ace_g.blocks import CrossAttention, input_mlp, output_mlp
from cl_localization.research.ace_g.options import AttentionNetworkConfig

CODE_SCALE = 0.01
"""Standard deviation of the numbers of new codes."""


class CodeRegressor(nn.Module):
    """Features and the codes of a scene to points around the scene's mean, and how certain they are."""

    def __init__(self, dim: int, config: AttentionNetworkConfig) -> None:
        """Make a network for features of length `dim`."""
        super().__init__()
        self.dim, self.config = dim, config
        self.feature = input_mlp(dim, config.width)
        self.blocks = nn.ModuleList(CrossAttention(config.width, config.heads) for _ in range(config.blocks))
        self.result = output_mlp(config.width, 5)

    def forward(self, features: Tensor, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Return points (N, 3), relative to the mean of the scene's cameras, and logarithms of their standard
        deviations (N,), in metres.

        Args:
            features: (N, D); each is answered by itself, so those of all images go together.
            codes: (M, width) of the scene, in any order.
        """
        queries, memory = self.feature(features)[None], codes[None]
        for block in self.blocks:
            queries = block(queries, memory)
        raw = self.result(queries[0]).float()
        return dehomogenised(raw[:, :4]), raw[:, 4]


def new_codes(config: AttentionNetworkConfig, generator: torch.Generator, device: torch.device) -> nn.Parameter:
    """Return codes (M, width) that know nothing yet."""
    return nn.Parameter((CODE_SCALE * torch.randn(config.codes, config.width, generator=generator)).to(device))
