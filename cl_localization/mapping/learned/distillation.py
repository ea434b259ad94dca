"""A map as few learned codes: distilled from the codes of a grown map."""

from __future__ import annotations

import numpy as np
import torch

from cl_localization.errors import MapError
from cl_localization.map.learned_codes import code_count, learned_map_beside, require_grown
from cl_localization.map.map_code import MapCode
from cl_localization.mapping.learned.optimizer import CodeOptimizer, Samples, learn_to_the_end
from cl_localization.mapping.learned.options import DistillationConfig
from cl_localization.mapping.learned.replay import samples_from
from cl_localization.mapping.learned.scene_codes import CodesByScene, SceneCodes, typical_error_m

FEWEST_CODES = 16


def samples_of(map_code: MapCode, rows: np.ndarray, origin_m: np.ndarray) -> Samples:
    """Return what some codes of a grown map say, around an origin."""
    positions_m = map_code.codes["positions_m"][rows].astype(np.float64)
    seen_from_m = map_code.keyframes["keyframe_poses"][map_code.codes["anchors"][rows], :3]
    return samples_from(map_code.descriptors(rows), positions_m - origin_m, positions_m - seen_from_m)


def compressed(map_code: MapCode, size_bytes: int, config: DistillationConfig = DistillationConfig()) -> MapCode:
    """Return a map of learned codes, at most `size_bytes` as a file, that says what a grown map says.

    Raises:
        MapError: the map is empty or compressed already, or the size leaves room for next to no codes.
    """
    require_grown(map_code)
    if len(map_code) == 0:
        raise MapError("map", "must hold codes to be compressed", "none", "map the place first")
    learned = learned_map_beside(map_code)
    keep_first_keyframes(map_code, learned)
    count = min(code_count(learned, size_bytes), len(map_code))
    if count < min(FEWEST_CODES, len(map_code)):
        raise MapError("map size", f"must have room for {FEWEST_CODES} codes", f"{size_bytes} bytes",
                       "allow more bytes")
    generator, codes, errors_m = torch.Generator().manual_seed(config.seed), CodesByScene(), []
    for number in np.unique(map_code.codes["scenes"][map_code.codes.rows()]).tolist():
        rows = map_code.rows_of(number)
        origin_m = map_code.codes["positions_m"][rows].mean(axis=0, dtype=np.float64)
        samples = samples_of(map_code, rows, origin_m)
        share = max(count * len(rows) // len(map_code), 1)
        first = samples.rows(torch.randperm(len(samples), generator=generator)[:share])
        codes.scenes[number] = SceneCodes(CodeOptimizer(first), origin_m)
        learn_to_the_end(codes.scenes[number].codes, samples, config.steps, generator)
        errors_m.append(typical_error_m(codes.scenes[number].codes, samples))
    codes.write(learned, float(np.mean(errors_m)))
    learned.health = map_code.health
    return learned


def keep_first_keyframes(grown: MapCode, learned: MapCode) -> None:
    """Give a map of learned codes one keyframe for every scene, to which its codes are anchored."""
    for scene in np.setdiff1d(grown.scenes_in_use, learned.scenes_in_use).tolist():
        first = grown.keyframes_of(scene)[0]
        learned.add_keyframe(grown.pose_of(first), int(grown.keyframes["keyframe_stamps_ns"][first]), scene)
