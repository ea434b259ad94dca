"""Options of learning the codes of a map by gradient."""

from __future__ import annotations

from dataclasses import dataclass

from cl_localization.config import Config, option

CODES = ("grown", "learned")
CODES_HELP = "Codes of the map: grown, as many as there is to see, or learned from these by gradient, few."


@dataclass(frozen=True)
class LearnedCodesConfig(Config):
    """Learning codes beside the grown ones, while mapping."""

    size_kb: float = option(100.0, "Size of the map of learned codes [kB].", 5, 1e6)
    replay_mb: float = option(4.0, "Memory bound of the features that are replayed [MB].", 0.05, 100000)
    replay_policy: str = option("Random", "Which keyframes are kept for replay: Random ones, Imgbal (scenes share the "
                                          "memory evenly), CoverageS (as Imgbal, and what shows new regions is always "
                                          "kept), Redundant (as CoverageS, and the most redundant go first), none "
                                          "(only those of the scene in work).",
                                choices=("Random", "Imgbal", "CoverageS", "Redundant", "none"))
    steps_per_keyframe: int = option(20, "Gradient steps after each keyframe.", 0, 100000)
    final_steps: int = option(4000, "Gradient steps at the end of a sequence, at a falling rate.", 1, 10**7)
    seed: int = option(0, "Random seed.", 0, 2**31 - 1)


@dataclass(frozen=True)
class DistillationConfig(Config):
    """How long codes are learned from a map."""

    steps: int = option(5000, "Gradient steps.", 1, 10**7)
    seed: int = option(0, "Random seed.", 0, 2**31 - 1)
