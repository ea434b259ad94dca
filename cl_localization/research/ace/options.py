"""Options of learning a scene with ACE."""

from __future__ import annotations

from dataclasses import dataclass

from cl_localization.config import Config, option


@dataclass(frozen=True)
class AceConfig(Config):
    """How a head is learned; defaults suit a minute on a CPU, ACE's own are named beside them."""

    head_blocks: int = option(1, "Residual blocks after the first.", 0, 16)
    width: int = option(256, "Channels of the head; ACE: 512.", 4, 4096)
    max_seconds: float = option(60.0, "Time to learn for, the features not counted [s].", 0.001, 1e6)
    max_steps: int = option(25_000, "Steps after which learning ends before its time.", 1, 10**9)
    batch_size: int = option(512, "Features a step; ACE: 5120.", 1, 10**7)
    max_learning_rate: float = option(0.002, "Of AdamW, at the top of its one cycle; ACE: 0.005.", 1e-8, 1)
    seed: int = option(2089, "Of everything random.", 0, 2**31 - 1)
