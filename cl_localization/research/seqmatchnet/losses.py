"""Losses on sequence distances: SeqMatchNet's triplets, and all sequences of a batch against each other."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from cl_localization.places.place_index import MIN_SQUARED_DISTANCE


def aligned_distance(first: Tensor, second: Tensor, method: str) -> Tensor:
    """Return the distance (...) of sequences of unit descriptors (..., L, D), image by image.

    Args:
        method: "meanOfPairs", the mean over the L pairs; or "centerOnly", the pair at L // 2.
    """
    if method == "centerOnly":
        centre = first.shape[-2] // 2
        first, second = first[..., centre:centre + 1, :], second[..., centre:centre + 1, :]
    return (2 - 2 * (first * second).sum(dim=-1)).clamp_min(MIN_SQUARED_DISTANCE).sqrt().mean(dim=-1)


def triplet_loss(anchor: Tensor, positive: Tensor, negatives: Tensor, owners: Tensor, margin: float,
                 method: str) -> Tensor:
    """Return the mean over triplets of max(d(a, p) - d(a, n) + sqrt(margin), 0).

    Args:
        anchor, positive: (B, L, D) unit descriptors.
        negatives: (T, L, D) of all triplets.
        owners: (T,) which anchor each negative belongs to.
    """
    near = aligned_distance(anchor, positive, method)[owners]
    far = aligned_distance(anchor[owners], negatives, method)
    return F.relu(near - far + margin ** 0.5).mean()


def contrastive_loss(distances: Tensor, same: Tensor, ignored: Tensor, temperature: float) -> Tensor:
    """Return the cross-entropy of finding each query's sequence among all of the batch, and each database sequence's
    query.

    Args:
        distances: (M, N) sequence distances of database and queries.
        same: (M, N) whether they show one place; rows and columns without any are left out.
        ignored: (M, N) whether they are too near to call them different; they count neither way.
        temperature: of the softmax over negative distances.

    Returns:
        the mean of both directions; 0, without gradient, when there is no pair of one place.
    """
    logits = (-distances / temperature).masked_fill(ignored & ~same, -torch.inf)
    losses = []
    for scores, hits in ((logits, same), (logits.T, same.T)):
        usable = hits.any(dim=0)
        if usable.any():
            scores, hits = scores[:, usable], hits[:, usable]
            found = scores.masked_fill(~hits, -torch.inf).logsumexp(dim=0)
            losses.append((scores.logsumexp(dim=0) - found).mean())
    return torch.stack(losses).mean() if losses else distances.new_zeros(())
