"""Options of pre-training the attention network, and of how codes are learned for a new scene."""

from __future__ import annotations

from dataclasses import dataclass

from cl_localization.config import Config, EncoderConfig, option, section
from cl_localization.localization.attention.options import AttentionNetworkConfig


@dataclass(frozen=True)
class PretrainingConfig(Config):
    """How the shared network is learned over a pool of scenes."""

    steps: int = option(3000, "Iterations in all.", 1, 10**9)
    features_per_step: int = option(800, "Features of an iteration, of all scenes that are learned at a time.", 1,
                                    10**7)
    learning_rate: float = option(0.002, "Of AdamW, at the top of its one cycle.", 1e-8, 1)
    network_every: int = option(10, "Of so many mapping iterations one changes the network; all change codes (codes).",
                                1, 10**6)
    query_every: int = option(10, "After this many mapping iterations comes a query iteration (codes).", 1, 10**6)
    active_scenes: int = option(8, "Scenes that are learned at a time, all in every iteration (codes).", 1, 10**6)
    code_life: int = option(1500, "Mapping iterations after which the codes of a scene begin anew (codes).", 1, 10**9)
    code_learning_rate: float = option(0.002, "Of the codes while the network is pre-trained, at the top of the cycle "
                                              "of their life (codes).", 1e-8, 1)
    augment: bool = option(True, "Turn, zoom and brighten the images, and turn, scale and shift the scenes, at random "
                                 "(codes).")
    workers: int = option(0, "Processes that prepare scenes while the network learns from those that are ready; 0: all "
                             "are prepared first (codes).", 0, 1024)
    candidate_dropout: float = option(0.1, "Share of the proposed codes that are hidden, so that none is relied on "
                                           "(sparse).", 0, 0.95)
    precision: str = option("32-true", "Arithmetic of the network.", choices=("32-true", "bf16-mixed", "16-mixed"))
    max_seconds: float = option(0.0, "Stop after this time, with a checkpoint to resume from; 0 for no bound [s].", 0,
                                1e8)
    finish_seconds: float = option(0.0, "The training ends within this time, its learning rate with it, wherever the "
                                        "iterations are; 0: by iterations [s].", 0, 1e8)
    checkpoint_every: int = option(500, "Iterations between checkpoints.", 1, 10**9)
    seed: int = option(0, "Of everything random.", 0, 2**31 - 1)


@dataclass(frozen=True)
class CodeMappingConfig(Config):
    """How the codes of a new scene are learned while the network stays; defaults but for the sizes are the published
    ones."""

    iterations: int = option(300, "Iterations.", 1, 10**9)
    batch_size: int = option(2048, "Features of an iteration.", 1, 10**7)
    learning_rate: float = option(0.002, "Of AdamW, at the top of its one cycle.", 1e-8, 1)
    feature_dropout: float = option(0.1, "Share of the numbers of a feature that are left out.", 0, 0.95)
    target_depth_m: float = option(0.1, "Points behind the camera are drawn to this depth on their pixel's ray [m].",
                                   1e-3, 1000)
    filter_quantile: float = option(0.1, "Points are kept for the pose whose uncertainty is below a factor times this "
                                         "quantile.", 0.001, 1)
    filter_factor: float = option(2.0, "That factor.", 1, 1000)
    seed: int = option(2089, "Of everything random.", 0, 2**31 - 1)


@dataclass(frozen=True)
class AttentionConfig(Config):
    """Everything that a network is made with."""

    encoder: EncoderConfig = section(EncoderConfig)
    network: AttentionNetworkConfig = section(AttentionNetworkConfig)
    pretraining: PretrainingConfig = section(PretrainingConfig)


PRESETS: dict[str, dict[str, object]] = {
    "small": {},
    "ace_g": {"encoder.name": "dinov2", "encoder.dinov2_size": "large", "network.form": "codes", "network.width": 768,
              "network.blocks": 6, "network.heads": 8, "network.codes": 4096, "pretraining.steps": 1_000_000,
              "pretraining.features_per_step": 40960, "pretraining.learning_rate": 0.0005,
              "pretraining.active_scenes": 256,
              "pretraining.precision": "16-mixed"},
    "h100": {"rooms": 600, "room_frames": 40, "room_size": "320x240", "encoder.max_keypoints": 512,
             "network.form": "codes", "network.width": 192, "network.blocks": 4, "network.heads": 6,
             "network.codes": 1024, "pretraining.steps": 10**6, "pretraining.features_per_step": 64 * 512,
             "pretraining.learning_rate": 0.001, "pretraining.network_every": 3, "pretraining.query_every": 3,
             "pretraining.active_scenes": 64, "pretraining.code_life": 600, "pretraining.workers": 8,
             "pretraining.finish_seconds": 480.0, "pretraining.precision": "bf16-mixed"},
}
"""Options by name that differ from the defaults. Width, blocks and heads of ace_g follow from the size of its
published maps and the defaults of its code; its learning rate, pool and number of iterations are not published, and
ours are guesses."""

MAPPING_PRESETS: dict[str, dict[str, object]] = {
    "small": {}, "ace_g_5min": {"iterations": 1000, "batch_size": 40960},
    "ace_g_25min": {"iterations": 4000, "batch_size": 51200}}
"""Options of `CodeMappingConfig` by name that differ from the defaults."""
