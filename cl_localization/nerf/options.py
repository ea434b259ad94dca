"""Options of the voxel field, and of the frames that are replayed to it."""

from __future__ import annotations

from dataclasses import dataclass

from cl_localization.config import Config, option


@dataclass(frozen=True)
class VoxelConfig(Config):
    """The voxel field: densities and spherical harmonics at the corners of occupied cells."""

    voxels: int = option(262144, "Corners of the finest grid over the box.", 512, 2**27)
    upsample_at: str = option("0.05,0.12,0.25", "Shares of the training after which the grid is refined; empty: finest "
                                                "from the start; 0.02,0.04,0.06 for streams.")
    growth: float = option(1.3, "Refinement factor along each edge.", 1.01, 4)
    step: float = option(0.5, "Distance of samples along a ray, in voxels.", 0.05, 4)
    harmonics: int = option(2, "Degree of the spherical harmonics of the colour; 0: not view-dependent.", 0, 2)
    density_rate: float = option(0.5, "Learning rate of densities.", 1e-6, 100)
    colour_rate: float = option(0.1, "Learning rate of colours.", 1e-6, 100)
    final_rate: float = option(0.1, "Factor on the learning rates at the end; 0.3 for streams.", 1e-6, 1)
    density_variation: float = option(0.00001, "Weight of the total variation of densities.", 0, 100)
    colour_variation: float = option(0.000003, "Weight of the total variation of colours.", 0, 100)
    occupied_opacity: float = option(0.002, "Cells with less opacity are pruned.", 0, 1)
    prune_every: int = option(100, "Steps between two prunings of empty cells.", 1, 10**6)


@dataclass(frozen=True)
class MemoryConfig(Config):
    """What is kept of frames that were seen, and which of it is replayed."""

    memory_bytes: int = option(4_000_000, "Size of the compressed images kept for replay [B].", 1, 10**12)
    image_format: str = option("png", "Compression of the images: png (lossless) or jpeg (smaller).",
                               choices=("png", "jpeg"))
    jpeg_quality: int = option(92, "Quality of jpeg.", 1, 100)
    sample_mode: str = option("random", "Which rays of the kept images are replayed: random, or weighted by the loss "
                                        "of their image.", choices=("random", "weighted_random"))
    exploration_ratio: float = option(0.2, "Share of weighted samples drawn uniformly.", 0, 1)
