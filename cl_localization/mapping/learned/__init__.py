"""Learning the codes of a map by gradient: online from a replay buffer of features, or from a grown map."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cl_localization.mapping.learned.options import LearnedCodesConfig

if TYPE_CHECKING:
    from cl_localization.map.map_code import MapCode
    from cl_localization.mapping.learned.learner import CodeLearner


def make_learner(grown: MapCode, config: LearnedCodesConfig | None) -> CodeLearner | None:
    """Return what learns codes while a map grows, with options for it; only then PyTorch is imported."""
    if config is None:
        return None
    from cl_localization.mapping.learned.learner import CodeLearner

    return CodeLearner(grown, config)
