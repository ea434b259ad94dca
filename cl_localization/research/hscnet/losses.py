"""What the dense networks are trained for (HSCNet section 3; CL_HSCNet's distillation of stored predictions)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from cl_localization.research.hscnet.network import SUB_REGIONS, Prediction
from cl_localization.research.hscnet.samples import Sample

TINY = 1e-6


@dataclass(frozen=True)
class LossWeights:
    """Weights of the two classifications and of the regression: (1, 1, 10) for one scene, (1, 1, 100000) for several as
    published."""

    region: float = 1.0
    sub_region: float = 1.0
    regression: float = 10.0

    @classmethod
    def published(cls, scenes: int) -> LossWeights:
        """Return the original's weights for a number of scenes."""
        return cls(regression=10.0 if scenes == 1 else 100_000.0)


@dataclass(frozen=True, eq=False)
class Target:
    """The cells of B samples as a network answers them.

    Attributes:
        values_m: (B, 3, h, w) scene coordinates, or offsets from the leaf's centre.
        valid: (B, h, w).
        labels: region (over all scenes) and sub-region (B, h, w) each; empty for SCRNet.
    """

    values_m: Tensor
    valid: Tensor
    labels: tuple[Tensor, ...] = ()

    @classmethod
    def of(cls, sample: Sample, leaf_centres_m: Tensor | None = None, scene: int = 0) -> Target:
        """Return the target of SCRNet, or with the scene's leaf centres (625, 3) that of HSCNet."""
        if leaf_centres_m is None:
            return cls(sample.coordinates_m, sample.valid)
        offsets_m = sample.coordinates_m - leaf_centres_m[sample.leaves].permute(0, 3, 1, 2)
        return cls(offsets_m, sample.valid, (sample.leaves // SUB_REGIONS + scene * SUB_REGIONS,
                                             sample.leaves % SUB_REGIONS))

    @classmethod
    def joined(cls, targets: Sequence[Target]) -> Target:
        """Return targets as one of all their images."""
        return cls(torch.cat([each.values_m for each in targets]), torch.cat([each.valid for each in targets]),
                   tuple(torch.cat(labels) for labels in zip(*(each.labels for each in targets))))

    def to(self, device: str) -> Target:
        """Return the target on a device."""
        return Target(self.values_m.to(device), self.valid.to(device),
                      tuple(labels.to(device) for labels in self.labels))


def regression_error_m(values_m: Tensor, target: Target) -> Tensor:
    """Return the mean distance over valid cells."""
    distances_m = (values_m - target.values_m).square().sum(1).add(TINY**2).sqrt()
    return (distances_m * target.valid).sum() / target.valid.sum()


def supervised_loss(prediction: Prediction, target: Target, weights: LossWeights) -> Tensor:
    """Return weighted distance plus cross-entropies, over the valid cells, of which there is at least one."""
    loss = weights.regression * regression_error_m(prediction.coordinates_m, target)
    for weight, logits, labels in zip((weights.region, weights.sub_region), prediction.logits, target.labels):
        entropies = F.cross_entropy(logits, labels, reduction="none")
        loss = loss + weight * (entropies * target.valid).sum() / target.valid.sum()
    return loss


def replay_loss(prediction: Prediction, target: Target, stored: Prediction, weights: LossWeights) -> Tensor:
    """Return half the supervised loss plus half the distance to the predictions stored with the item (CL_HSCNet,
    dense_pred).

    Logits are always distilled; coordinates only where the stored ones are better than the network's, as a whole.
    """
    distilled = sum((weight * F.mse_loss(logits, kept) for weight, logits, kept in
                     zip((weights.region, weights.sub_region), prediction.logits, stored.logits)),
                    prediction.coordinates_m.new_zeros(()))
    with torch.no_grad():
        is_worse = regression_error_m(prediction.coordinates_m, target) > regression_error_m(
            stored.coordinates_m, target
        )
    if is_worse:
        distilled = distilled + weights.regression * F.mse_loss(prediction.coordinates_m, stored.coordinates_m)
    return 0.5 * supervised_loss(prediction, target, weights) + 0.5 * distilled
