from __future__ import annotations

import torch

from cl_localization.research.seqmatchnet.augmentation import augmented
from cl_localization.research.seqmatchnet.options import AugmentationConfig

STILL = AugmentationConfig(shift_px=0, zoom_sigma=0, noise_sigma=0, erase_share=0)


def pixels(count: int = 4) -> torch.Tensor:
    return torch.randn(count, 32, 64, generator=torch.Generator().manual_seed(0))


def changed(config: AugmentationConfig, mirror: bool = False, seed: int = 0) -> torch.Tensor:
    return augmented(pixels(), torch.full((4,), mirror), config, torch.Generator().manual_seed(seed))


def test_without_changes_only_the_gain_differs() -> None:
    found = changed(STILL)
    gain = (found * pixels()).sum(dim=(1, 2)) / (pixels() ** 2).sum(dim=(1, 2))
    assert torch.allclose(found, gain[:, None, None] * pixels(), atol=1e-3) and gain.std() > 0.01


def test_mirrored_images_are_mirrored() -> None:
    assert torch.allclose(changed(STILL, mirror=True), changed(STILL).flip(-1), atol=1e-4)


def test_the_same_seed_changes_in_the_same_way() -> None:
    config = AugmentationConfig()
    assert torch.equal(changed(config, seed=3), changed(config, seed=3))
    assert not torch.equal(changed(config, seed=3), changed(config, seed=4))


def test_a_rectangle_is_blanked_in_the_share_of_images_asked_for() -> None:
    found = changed(AugmentationConfig(shift_px=0, zoom_sigma=0, noise_sigma=0, erase_share=1.0))
    shares = (found == 0).float().mean(dim=(1, 2))
    assert ((shares > 0.01) & (shares < 0.3)).all()
    assert not (changed(STILL) == 0).any()


def test_shifted_images_move_by_at_most_the_shift() -> None:
    image = torch.zeros(50, 32, 64)
    image[:, 16, 32] = 1
    config = AugmentationConfig(shift_px=4, zoom_sigma=0, noise_sigma=0, erase_share=0)
    found = augmented(image, torch.zeros(50, dtype=torch.bool), config, torch.Generator().manual_seed(0))
    columns = (found.sum(dim=1) * torch.arange(64)).sum(dim=1) / found.sum(dim=(1, 2))
    rows = (found.sum(dim=2) * torch.arange(32)).sum(dim=1) / found.sum(dim=(1, 2))
    assert 2 < (columns - 32).abs().max() <= 4.01 and 1 < (rows - 16).abs().max() <= 2.01
