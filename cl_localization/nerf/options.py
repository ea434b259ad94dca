"""Options of radiance fields: what is rendered, the two fields, learning, and what is done against forgetting."""

from __future__ import annotations

from dataclasses import dataclass

from cl_localization.config import Config, option, section

FIELDS = ("voxel", "mlp")
FILL_MODES, SAMPLE_MODES = ("random", "uniform", "topk", "lowest"), ("random", "weighted_random", "topk")


@dataclass(frozen=True)
class RenderConfig(Config):
    """How rays are sampled; as in the original for `mlp`, while `voxel` samples by its grid and uses `chunk` alone."""

    samples: int = option(64, "Samples along a ray of the coarse network.", 2, 4096)
    importance_samples: int = option(128, "Further samples of the fine network where the coarse one found something; "
                                          "0: one network.",
                                     0, 4096)
    in_disparity: bool = option(False, "Space samples evenly in 1/depth instead of depth.")
    perturb: float = option(1.0, "Random shift of the samples in training, in sample distances; 0: none.", 0, 1)
    noise_std: float = option(1.0, "Spread of the noise on densities in training.", 0, 100)
    chunk: int = option(32768, "Rays rendered at once.", 1, 10**7)


@dataclass(frozen=True)
class VoxelConfig(Config):
    """The field of voxels: densities and spherical harmonics at the corners of cells, only where there is something."""

    voxels: int = option(262144, "Corners of the finest grid over the box.", 512, 2**27)
    upsample_at: str = option("0.05,0.12,0.25",
                              "Shares of the training after which the grid gets finer; empty: finest from the start; "
                              "0.02,0.04,0.06 for streams.")
    growth: float = option(1.3, "How many times finer along each edge a grid is than the one before.", 1.01, 4)
    step: float = option(0.5, "Distance of samples along a ray, in voxels.", 0.05, 4)
    harmonics: int = option(2, "Degree of the spherical harmonics of the colour; 0: the same from all sides.", 0, 2)
    density_rate: float = option(0.5, "Learning rate of densities.", 1e-6, 100)
    colour_rate: float = option(0.1, "Learning rate of colours.", 1e-6, 100)
    final_rate: float = option(0.1, "Learning rates fall to this part by the end; 0.3 for streams.", 1e-6, 1)
    density_variation: float = option(0.00001, "Weight of the total variation of densities.", 0, 100)
    colour_variation: float = option(0.000003, "Weight of the total variation of colours.", 0, 100)
    occupied_opacity: float = option(0.002, "Cells that are less opaque than this are skipped.", 0, 1)
    prune_every: int = option(100, "Steps between two looks at which cells are empty.", 1, 10**6)


@dataclass(frozen=True)
class MlpConfig(Config):
    """The original network."""

    position_frequencies: int = option(10, "Frequencies of the encoding of positions.", 0, 20)
    direction_frequencies: int = option(4, "Frequencies of the encoding of directions.", 0, 20)
    layers: int = option(8, "Layers before the density.", 2, 32)
    width: int = option(256, "Width of these.", 4, 4096)


@dataclass(frozen=True)
class LearningConfig(Config):
    """How a field learns. 0 or auto: what suits the field."""

    batch_size: int = option(0, "New rays in a step; 0: 1024 for mlp, 4096 for voxel.", 0, 10**6)
    num_epochs: int = option(0, "Passes over the rays, those of the checkpoint counted; 0: on top of those, 16 for mlp "
                                "and "
                             "10 for voxel.", 0, 10**6)
    max_steps: int = option(0, "Steps after which training ends even so; 0: no bound.", 0, 10**8)
    optimizer: str = option("adam", "Optimizer of mlp; voxel always uses adam.",
                            choices=("adam", "sgd", "radam", "ranger"))
    learning_rate: float = option(0.0005, "Learning rate of mlp.", 1e-9, 10)
    momentum: float = option(0.9, "Momentum of sgd.", 0, 1)
    weight_decay: float = option(0.0, "Weight decay of mlp.", 0, 1)
    schedule: str = option("steplr", "How the rate of mlp falls.", choices=("steplr", "cosine", "poly"))
    decay_step: str = option("20", "Epochs at which steplr lowers it, separated by commas.")
    decay_gamma: float = option(0.1, "By which factor.", 0, 1)
    poly_exp: float = option(0.9, "Exponent of poly.", 0, 100)
    warmup_epochs: int = option(0, "Epochs over which the rate rises to its value.", 0, 10**6)
    warmup_multiplier: float = option(1.0, "What it is then multiplied by.", 0, 100)
    depth_weight: float = option(0.1, "Weight of the error in depth [m], where depth was measured.", 0, 1000)
    seed: int = option(42, "Seed of everything that is drawn.", 0, 2**31 - 1)


@dataclass(frozen=True)
class ReplayConfig(Config):
    """What is done against forgetting in tasks: distillation, replay of rays; with neither of them nothing is."""

    distillation: bool = option(False, "Also match what the field rendered before this task, seen from the cameras of "
                                       "those before it.")
    distillation_weight: float = option(0.0, "Weight of also matching it on every new ray, right or wrong; the "
                                             "original did, with 1.",
                                        0, 1000)
    use_replay: bool = option(False, "Replay rays of the tasks before.")
    replay_weight: float = option(1.0, "Weight of the replayed rays.", 0, 1000)
    buffer_size: int = option(20480, "Rays kept of the tasks before.", 1, 10**9)
    fill_mode: str = option("random", "Which rays are kept: random, every n-th, or those of largest or lowest loss.",
                            choices=FILL_MODES)
    sample_mode: str = option("random", "Which of them are replayed: evenly, by their loss, or always those of largest "
                                        "loss.",
                              choices=SAMPLE_MODES)
    soft_targets: bool = option(False, "Replay the colours that the field rendered before this task instead of those "
                                       "of the images.")
    exploration_ratio: float = option(0.0, "Share of the weighted draws that is drawn evenly from the rest.", 0, 1)
    dynamic_update: bool = option(False, "Keep the newest loss of replayed rays.")
    use_centre_weight: bool = option(False, "Prefer rays near the centre of their image.")
    centre_ratio: float = option(0.3, "Share of that preference against the loss.", 0, 1)
    generated_share: float = option(0.8, "Share of the replayed rays that are seen from the cameras of the tasks "
                                         "before, in the colours "
                                    "that the field itself rendered there before this task; 0: only rays that were "
                                    "kept.", 0, 1)
    anchor: float = option(0.5, "How firmly values are held where the tasks before left them, the more the more their "
                                "rays depend on "
                           "them; 0: not at all.", 0, 1e6)

    @property
    def keeps(self) -> bool:
        """Whether anything is done against forgetting."""
        return self.use_replay or self.distillation


@dataclass(frozen=True)
class OnlineConfig(Config):
    """Learning from a stream of frames, each seen once and then only replayed."""

    chunk_size: int = option(2, "Frames that arrive together.", 1, 10**6)
    iterations: int = option(32, "Steps for each of these chunks.", 1, 10**6)
    frames: int = option(0, "Frames taken from the stream; 0: all.", 0, 10**9)
    method: str = option("replay", "none; replay: new and old rays in one loss; agem: old rays only bend the gradient.",
                         choices=("none", "replay", "agem"))
    memory_bytes: int = option(4_000_000, "Bytes of compressed images that are kept for replay [B].", 1, 10**12)
    image_format: str = option("png", "How images are compressed: png without loss, jpeg smaller.",
                               choices=("png", "jpeg"))
    jpeg_quality: int = option(92, "Quality of jpeg.", 1, 100)
    sample_mode: str = option("random", "Which rays of the kept images are replayed: evenly, or by the loss of their "
                                        "image.",
                              choices=("random", "weighted_random"))
    exploration_ratio: float = option(0.2, "Share of the weighted draws that is drawn evenly.", 0, 1)
    newest_share: float = option(0.15, "Share of the rays of a step that are of the present chunk; at the start, when "
                                       "it has a larger "
                                 "share of all frames, that.", 0, 1)


STREAM_VALUES = {"voxel.final_rate": 0.3, "voxel.upsample_at": "0.02,0.04,0.06"}
"""What other values suit voxels that learn from a stream: late frames need rates, and early ones no coarse grid for
long."""


@dataclass(frozen=True)
class NerfConfig(Config):
    """Everything that a radiance field can be told."""

    field: str = option("voxel", "Field: voxel, quick without a GPU, or mlp, the original network.", choices=FIELDS)
    background: str = option("auto", "Colour where rays hit nothing; auto: white where images have an alpha channel, "
                                     "else black.",
                             choices=("auto", "white", "black"))
    near: float = option(2.0, "Nearest distance that is rendered, in units of the scene; with depth or a box only a "
                              "bound.", 0, 1e6)
    far: float = option(6.0, "Farthest distance.", 1e-6, 1e6)
    render: RenderConfig = section(RenderConfig)
    voxel: VoxelConfig = section(VoxelConfig)
    mlp: MlpConfig = section(MlpConfig)
    learning: LearningConfig = section(LearningConfig)
    replay: ReplayConfig = section(ReplayConfig)
    online: OnlineConfig = section(OnlineConfig)
