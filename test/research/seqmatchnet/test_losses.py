from __future__ import annotations

import torch

from cl_localization.research.seqmatchnet.losses import aligned_distance, contrastive_loss, triplet_loss
from cl_localization.research.seqmatchnet.sequence_distance import unit


def sequences(count: int, seed: int, length: int = 5) -> torch.Tensor:
    return unit(torch.randn(count, length, 8, generator=torch.Generator().manual_seed(seed)))


def test_the_mean_of_pairs_is_the_mean_distance_image_by_image() -> None:
    first, second = sequences(3, 0), sequences(3, 1)
    assert torch.allclose(aligned_distance(first, second, "meanOfPairs"), (first - second).norm(dim=2).mean(dim=1),
                          atol=1e-5)
    assert torch.allclose(aligned_distance(first, second, "centerOnly"), (first - second)[:, 2].norm(dim=1), atol=1e-5)


def test_the_triplet_loss_is_the_mean_violation_with_the_root_of_the_margin() -> None:
    anchor, positive, negatives = sequences(2, 0), sequences(2, 1), sequences(3, 2)
    owners = torch.tensor([0, 0, 1])
    near = (anchor - positive).norm(dim=2).mean(dim=1)[owners]
    far = (anchor[owners] - negatives).norm(dim=2).mean(dim=1)
    expected = torch.clamp(near - far + 0.1 ** 0.5, min=0).mean()
    assert torch.allclose(triplet_loss(anchor, positive, negatives, owners, 0.1, "meanOfPairs"), expected, atol=1e-5)


def test_far_negatives_cost_nothing() -> None:
    anchor = sequences(1, 0)
    assert triplet_loss(anchor, anchor, -anchor, torch.tensor([0]), 0.1, "meanOfPairs") == 0


def test_equal_sequences_have_a_finite_gradient() -> None:
    anchor = sequences(1, 0).requires_grad_()
    triplet_loss(anchor, anchor, anchor, torch.tensor([0]), 0.1, "meanOfPairs").backward()
    assert torch.isfinite(anchor.grad).all()


def test_the_contrastive_loss_is_the_cross_entropy_of_both_directions() -> None:
    distances = torch.rand(4, 4, generator=torch.Generator().manual_seed(0))
    same = torch.eye(4, dtype=torch.bool)
    logits, numbers = -distances / 0.2, torch.arange(4)
    expected = (torch.nn.functional.cross_entropy(logits, numbers)
                + torch.nn.functional.cross_entropy(logits.T, numbers)) / 2
    assert torch.allclose(contrastive_loss(distances, same, torch.zeros_like(same), 0.2), expected)


def test_neighbours_that_are_ignored_count_neither_way() -> None:
    distances = torch.rand(4, 4, generator=torch.Generator().manual_seed(0))
    same = torch.eye(4, dtype=torch.bool)
    ignored = same | torch.eye(4, dtype=torch.bool).roll(1, 0)
    changed = torch.where(ignored & ~same, 0.0, distances)
    assert torch.equal(contrastive_loss(distances, same, ignored, 0.2), contrastive_loss(changed, same, ignored, 0.2))


def test_queries_without_a_place_are_left_out() -> None:
    distances, same = torch.rand(3, 3), torch.zeros(3, 3, dtype=torch.bool)
    assert contrastive_loss(distances, same, same, 0.2) == 0
    same[1, 1] = True
    assert torch.isfinite(contrastive_loss(distances, same, same, 0.2))
