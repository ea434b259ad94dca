"""Options of training radiance fields: rendering, the two fields, learning, tasks, and streams."""

from __future__ import annotations

from dataclasses import dataclass

from cl_localization.config import Config, option, section
from cl_localization.nerf.options import MemoryConfig, VoxelConfig

FIELDS = ("voxel", "mlp")
FILL_MODES, SAMPLE_MODES = ("random", "uniform", "topk", "lowest"), ("random", "weighted_random", "topk")


@dataclass(frozen=True)
class RenderConfig(Config):
    """Ray sampling of `mlp`, as in the original; `voxel` samples by its grid and only uses `chunk`."""

    samples: int = option(64, "Samples along a ray of the coarse network.", 2, 4096)
    importance_samples: int = option(128, "Importance samples of the fine network; 0: no fine network.", 0, 4096)
    in_disparity: bool = option(False, "Space samples evenly in 1/depth instead of depth.")
    perturb: float = option(1.0, "Random shift of the samples in training, in sample distances; 0: none.", 0, 1)
    noise_std: float = option(1.0, "Standard deviation of the noise on densities in training.", 0, 100)
    chunk: int = option(32768, "Rays rendered at once.", 1, 10**7)


@dataclass(frozen=True)
class MlpConfig(Config):
    """The original network."""

    position_frequencies: int = option(10, "Frequencies of the encoding of positions.", 0, 20)
    direction_frequencies: int = option(4, "Frequencies of the encoding of directions.", 0, 20)
    layers: int = option(8, "Layers before the density.", 2, 32)
    width: int = option(256, "Width of these layers.", 4, 4096)


@dataclass(frozen=True)
class LearningConfig(Config):
    """Training of a field. 0: the default of the field."""

    batch_size: int = option(0, "New rays in a step; 0: 1024 for mlp, 4096 for voxel.", 0, 10**6)
    num_epochs: int = option(0, "Epochs in total, including those of the checkpoint; 0: 16 (mlp) or 10 (voxel) after "
                                "those.", 0, 10**6)
    max_steps: int = option(0, "Largest number of steps; 0: no bound.", 0, 10**8)
    optimizer: str = option("adam", "Optimizer of mlp; voxel always uses adam.",
                            choices=("adam", "sgd", "radam", "ranger"))
    learning_rate: float = option(0.0005, "Learning rate of mlp.", 1e-9, 10)
    momentum: float = option(0.9, "Momentum of sgd.", 0, 1)
    weight_decay: float = option(0.0, "Weight decay of mlp.", 0, 1)
    schedule: str = option("steplr", "Learning rate schedule of mlp.", choices=("steplr", "cosine", "poly"))
    decay_step: str = option("20", "Epochs at which steplr lowers the rate, separated by commas.")
    decay_gamma: float = option(0.1, "Factor by which steplr lowers the rate.", 0, 1)
    poly_exp: float = option(0.9, "Exponent of poly.", 0, 100)
    warmup_epochs: int = option(0, "Epochs of linear warm-up.", 0, 10**6)
    warmup_multiplier: float = option(1.0, "Factor on the rate after the warm-up.", 0, 100)
    depth_weight: float = option(0.1, "Weight of the depth error [m] of rays with measured depth.", 0, 1000)
    seed: int = option(42, "Random seed.", 0, 2**31 - 1)


@dataclass(frozen=True)
class ReplayConfig(Config):
    """Continual learning in tasks: distillation and replay of rays."""

    distillation: bool = option(False, "Also match the renders of the field before this task, from the cameras of "
                                       "earlier tasks.")
    distillation_weight: float = option(0.0, "Weight of matching renders along the new rays instead; 1 in the "
                                             "original.", 0, 1000)
    use_replay: bool = option(False, "Replay images or rays of earlier tasks.")
    replay_weight: float = option(1.0, "Weight of the replayed rays.", 0, 1000)
    keep: str = option("images", "What is kept of earlier tasks: whole images as PNG, as many as fit in the bytes of "
                                 "buffer_size rays; or rays, as in the original.", choices=("images", "rays"))
    buffer_size: int = option(20480, "Rays of earlier tasks kept, or their bytes in images (44 B a ray).", 1, 10**9)
    fill_mode: str = option("random", "Which rays are kept: random, every n-th, or those of largest or lowest loss.",
                            choices=FILL_MODES)
    sample_mode: str = option("random", "Which of these rays are replayed: random, weighted by loss, or those of "
                                        "largest loss.", choices=SAMPLE_MODES)
    soft_targets: bool = option(False, "Replay the colours rendered before this task instead of those of the images.")
    exploration_ratio: float = option(0.0, "Share of weighted samples drawn uniformly from the rest.", 0, 1)
    dynamic_update: bool = option(False, "Update the losses of replayed rays.")
    use_centre_weight: bool = option(False, "Prefer rays near the centre of their image.")
    centre_ratio: float = option(0.3, "Share of that preference against the loss.", 0, 1)
    generated_share: float = option(0.0, "Share of the replayed rays that the field before this task renders from the "
                                         "cameras of earlier tasks; 0: only stored rays.", 0, 1)
    anchor: float = option(0.0, "Weight of elastic weight consolidation: values important for earlier rays change "
                                "less; 0: off.", 0, 1e6)

    @property
    def keeps(self) -> bool:
        """Whether replay or distillation is used."""
        return self.use_replay or self.distillation

    @property
    def generates(self) -> bool:
        """Whether the field before a task renders from the cameras of earlier ones."""
        from_cameras = self.distillation and not self.distillation_weight
        return from_cameras or (self.use_replay and self.generated_share > 0)

    @property
    def keeps_rays(self) -> bool:
        """Whether single rays are kept."""
        return self.use_replay and self.keep == "rays"


@dataclass(frozen=True)
class OnlineConfig(MemoryConfig):
    """Training on a stream of frames, each seen once and then only replayed."""

    chunk_size: int = option(2, "Frames in a chunk.", 1, 10**6)
    iterations: int = option(32, "Training steps per chunk.", 1, 10**6)
    frames: int = option(0, "Frames taken from the stream; 0: all.", 0, 10**9)
    method: str = option("none", "none; replay: new and old rays in one loss; agem: the gradient is projected so "
                                   "that the loss of old rays does not increase.", choices=("none", "replay", "agem"))
    newest_share: float = option(0.15, "Share of a step's rays from the newest chunk, at least the chunk's share of "
                                       "all frames.", 0, 1)
    settle_steps: int = option(60, "Steps of replay alone after the stream, at falling rates: a robot that stands has "
                                   "time for them.", 0, 10**6)


STREAM_VALUES = {"voxel.final_rate": 0.3, "voxel.upsample_at": "0.02,0.04,0.06"}
"""Values for voxels trained on a stream, whose late frames need higher rates and early frames a finer grid."""


@dataclass(frozen=True)
class NerfConfig(Config):
    """All options of a radiance field."""

    field: str = option("voxel", "Field: voxel, fast without a GPU, or mlp, the original network.", choices=FIELDS)
    background: str = option("auto", "Background colour; auto: white for images with an alpha channel, else black.",
                             choices=("auto", "white", "black"))
    near: float = option(2.0, "Nearest rendered distance, in units of the scene.", 0, 1e6)
    far: float = option(6.0, "Farthest rendered distance, in units of the scene.", 1e-6, 1e6)
    render: RenderConfig = section(RenderConfig)
    voxel: VoxelConfig = section(VoxelConfig)
    mlp: MlpConfig = section(MlpConfig)
    learning: LearningConfig = section(LearningConfig)
    replay: ReplayConfig = section(ReplayConfig)
    online: OnlineConfig = section(OnlineConfig)
