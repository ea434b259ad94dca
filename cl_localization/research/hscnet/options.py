"""Options of training dense networks."""

from __future__ import annotations

from dataclasses import dataclass

from cl_localization.config import Config, option

SAMPLINGS = ("Random", "Imgbal", "CoverageS", "Redundant")
"""Ways to fill the replay buffer by the original's names; Redundant is ours."""


@dataclass(frozen=True)
class DenseTrainingConfig(Config):
    """How a dense network is trained; defaults are those of the original."""

    model: str = option("hscnet", "Network: regions first, or coordinates at once.", choices=("hscnet", "scrnet"))
    width: float = option(1.0, "Channels as a share of the published ones; 0.125 trains on a CPU.", 0.01, 4)
    coordinate_channels: int = option(
        0, "Channels of HSCNet's branch of coordinates, its largest; 0: 4096 times width.", 0, 65536
    )
    image_width_px: int = option(640, "Width that images are shrunk to [px].", 32, 4096)
    learning_rate: float = option(0.0, "Of Adam; 0: 5e-5 and constant for one scene after the other, 1e-4 and falling "
                                       "at the end for all "
                                  "at once.", 0, 1)
    iterations: int = option(30_000, "Steps for each scene; all steps when scenes are learned at once.", 1, 10**9)
    batch_size: int = option(1, "Images of a step; as many are replayed.", 1, 4096)
    regression_weight: float = option(0.0, "Weight of the distance [1/m]; 0: 10 for one scene, 100000 for several.", 0,
                                      1e9)
    augment: bool = option(True, "Whether to change the images of the current task in brightness and by affine maps.")
    buffer_size: int = option(1024, "Frames in the replay buffer; 0 trains without replay.", 0, 10**6)
    sampling: str = option("Random", "How the replay buffer is filled.", choices=SAMPLINGS)
    dense_pred: bool = option(False, "Whether replay also distils the predictions stored with the frames.")
    memory_mb: float = option(2048.0, "Frames kept in memory instead of being read at every step [MB].", 0, 1e6)
    seed: int = option(0, "Of everything random.", 0, 2**31 - 1)

USED_WITH = {"coordinate_channels": ("model", ("hscnet",))}
REPLAY = ("buffer_size", "sampling", "dense_pred")
"""Options that have an effect where scenes are learned one after the other only."""
