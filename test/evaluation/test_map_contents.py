from __future__ import annotations

import json
from dataclasses import asdict
from types import SimpleNamespace

import numpy as np
import pytest

from cl_localization.evaluation.map_contents import map_contents


class FakeMap:
    """A map with three codes in a kitchen, one in a hall, and an empty attic."""

    map_id, version, size_bytes = "abc", 3, 4000

    def __len__(self) -> int:
        return 4

    def delta_since(self, version: int) -> SimpleNamespace:
        return SimpleNamespace(
            encoder="xfeat",
            dim=64,
            frame_id="map",
            cell_size_m=0.02,
            scene_names=["kitchen", "hall", "attic"],
            scenes=np.array([0, 0, 1, 0]),
            positions_m=np.arange(12, dtype=np.float32).reshape(4, 3),
            sigmas_m=np.array([0.01, 0.01, 0.05, 0.04], np.float32),
            keyframe_ids=np.array([1, 2]),
            keyframe_scenes=np.array([0, 1]),
        )


def test_codes_keyframes_and_boxes_are_counted_by_scene() -> None:
    kitchen, hall, attic = map_contents(FakeMap()).scenes
    assert (kitchen.codes, kitchen.keyframes, kitchen.size_bytes) == (3, 1, 3000)
    assert (kitchen.low_m, kitchen.high_m) == ((0, 1, 2), (9, 10, 11))
    assert kitchen.mean_sigma_m == pytest.approx(0.02)
    assert hall.low_m == hall.high_m == (6, 7, 8)
    assert (attic.codes, attic.low_m, attic.mean_sigma_m) == (0, None, None)


def test_contents_turn_into_json() -> None:
    assert json.loads(json.dumps(asdict(map_contents(FakeMap()))))["codes"] == 4
