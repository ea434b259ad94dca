"""Cross-attention blocks: queries look at a memory, never at each other (section 3 of the paper)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

MLP_RATIO = 4


class CrossAttention(nn.Module):
    """One block: normalised queries attend to a normalised memory, then an MLP; both add to the queries.

    Queries (B, Q, D) and memory (B, M, D) have no positions: the memory is a set, and each query is by itself.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query_norm, self.key_norm, self.value_norm = (nn.LayerNorm(width) for _ in range(3))
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))
        self.mlp = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, MLP_RATIO * width), nn.GELU(),
                                 nn.Linear(MLP_RATIO * width, width))

    def forward(self, queries: Tensor, memory: Tensor, visible: Tensor | None = None) -> Tensor:
        """Return the queries (B, Q, D) after they looked at the memory.

        Args:
            visible: (B, M) which tokens may be looked at; None for all.
        """
        query, key, value = (
            self.query(self.query_norm(queries)),
            self.key(self.key_norm(memory)),
            self.value(self.value_norm(memory)),
        )
        mask = None if visible is None else visible[:, None, None, :]
        seen = F.scaled_dot_product_attention(self._split(query), self._split(key), self._split(value), attn_mask=mask)
        queries = queries + self.out(seen.transpose(1, 2).flatten(2))
        return queries + self.mlp(queries)

    def _split(self, tokens: Tensor) -> Tensor:
        """Return tokens (B, N, D) as (B, heads, N, D / heads)."""
        return tokens.unflatten(2, (self.heads, -1)).transpose(1, 2)


def input_mlp(inputs: int, width: int) -> nn.Sequential:
    """Return the network that makes tokens of features: four times as wide inside, with a norm."""
    return nn.Sequential(nn.Linear(inputs, 4 * inputs), nn.GELU(), nn.LayerNorm(4 * inputs),
                         nn.Linear(4 * inputs, width))


def output_mlp(width: int, outputs: int) -> nn.Sequential:
    """Return the network that reads a result off a token."""
    return nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.LayerNorm(width), nn.Linear(width, outputs))
