"""Options of making a map of learned codes from a grown one."""

from __future__ import annotations

from dataclasses import dataclass

from cl_localization.config import Config, option


@dataclass(frozen=True)
class DistillationConfig(Config):
    """How long codes are learned from a map."""

    steps: int = option(5000, "Gradient steps.", 1, 10**7)
    seed: int = option(0, "Random seed.", 0, 2**31 - 1)
