"""Learned codes by scene: each scene's are learned for themselves.

One attention over the codes of all scenes forgets: every step moves the keys of all of them, and the little attention
that goes to a scene metres away pulls answers there. So what is learned of one scene changes none of another; only
where the map is full does a scene with more than its share give up codes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from cl_localization.map.learned_codes import LearnedArrays, put_learned
from cl_localization.map.map_code import MapCode
from cl_localization.mapping.learned.optimizer import CodeOptimizer, Samples

MEASURED = 512
"""About so many samples tell how far off answers are."""


@dataclass(eq=False)
class SceneCodes:
    """Codes of one scene.

    Attributes:
        origin_m: (3,) around which their positions are.
        changed: whether it was learned from since it was last learned to the end.
    """

    codes: CodeOptimizer
    origin_m: np.ndarray
    changed: bool = True


@dataclass(eq=False)
class CodesByScene:
    """Codes of all scenes, by the scenes' numbers."""

    scenes: dict[int, SceneCodes] = field(default_factory=dict)

    def __len__(self) -> int:
        return sum(len(scene.codes) for scene in self.scenes.values())

    def make_room(self, number: int, wanted: int, most: int) -> int:
        """Return how many of `wanted` codes a scene may have besides its own, of `most` in all.

        A scene with less than an even share takes from those that have more: their least used codes go.
        """
        even = most // len(self.scenes)
        lacking = min(wanted - (most - len(self)), even - len(self.scenes[number].codes))
        for scene in sorted(self.scenes.values(), key=lambda one: -len(one.codes)):
            given = min(lacking, len(scene.codes) - even)
            if given > 0:
                scene.codes.drop_least_used(given)
                lacking -= given
        return max(min(wanted, most - len(self)), 0)

    def write(self, learned: MapCode, sigma_m: float) -> None:
        """Write all codes into a map of learned codes, with the typical standard deviation of an answer."""
        parts = self.scenes.items()
        put_learned(learned, LearnedArrays(
            np.concatenate([one.codes.keys.numpy() for _, one in parts]),
            np.concatenate([(one.codes.positions.numpy() + one.origin_m).astype(np.float32) for _, one in parts]),
            np.concatenate([np.full(len(one.codes), number) for number, one in parts]),
            np.concatenate([one.codes.usage.numpy() for _, one in parts])), sigma_m)


def typical_error_m(codes: CodeOptimizer, samples: Samples) -> float:
    """Return how far off answers are at the median sample, at least a micrometre."""
    some = samples.rows(slice(None, None, len(samples) // MEASURED + 1))
    return max(float((codes.errors(some) * some.distances).median()), 1e-6)
