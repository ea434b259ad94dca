"""What keyframe descriptors learn from revisits, for the table `scenes` of `bench`: half of a second drive teaches, the other half asks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cl_localization.cli.bench_table import BenchTable
from cl_localization.place_learning import HELD_OUT_EVERY, HELD_OUT_RUN, related
from cl_localization.place_recognition.fine_tuning import KeyframeTransform, Revisits, recall
from cl_localization.place_recognition.whole_image import DIM, unit_place_descriptors
from cl_localization.scene_coordinates.map_code import MapCode

ROUNDS, STEPS_A_ROUND = 20, 20
HEADERS = ("keyframe descriptors", "taught by", "asked", "recall@1 [%]", "right scene [%]")


@dataclass(frozen=True, eq=False)
class Drive:
    """A second drive through a room: descriptors (P, 256) int8, poses (P, 4, 4), number of the scene, stamps (P,)."""

    descriptors: np.ndarray
    poses: np.ndarray
    scene: int
    stamps_ns: np.ndarray

    def revisits(self, map_code: MapCode, rows: np.ndarray) -> Revisits:
        """Return some images of the drive as revisits of the map's keyframes."""
        keyframes = map_code.keyframes.rows()
        scenes = np.full(len(rows), self.scene)
        same, ignored = related(map_code, self.poses[rows], scenes, self.stamps_ns[rows], keyframes)
        known = map_code.keyframes["keyframe_descriptors"][keyframes]
        return Revisits(unit_place_descriptors(self.descriptors[rows]), unit_place_descriptors(known), same, ignored)


def joined(parts: list[Revisits]) -> Revisits:
    """Return the revisits of several rooms as one, those without a keyframe of their place left out."""
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in ("images", "same", "ignored")}
    both = Revisits(columns["images"], parts[0].keyframes, columns["same"], columns["ignored"])
    return both.of(both.same.any(axis=1))


def revisits_table(map_code: MapCode, drives: list[Drive]) -> BenchTable:
    """Return recall and scene before and after learning, for images that were not learned from; nothing near is left out of the search."""
    halves = [[drive.revisits(map_code, rows) for drive in drives for rows in [np.array_split(np.arange(len(drive.poses)), 2)[half]]]
              for half in (0, 1)]
    seen, asked = joined(halves[0]), joined(halves[1])
    asked = Revisits(asked.images, asked.keyframes, asked.same, np.zeros_like(asked.same))
    scenes = map_code.keyframes["keyframe_scenes"][map_code.keyframes.rows()]
    in_scene = Revisits(asked.images, asked.keyframes, scenes[asked.same.argmax(axis=1)][:, None] == scenes[None], asked.ignored)
    held_out = np.arange(len(seen.images)) // HELD_OUT_RUN % HELD_OUT_EVERY == HELD_OUT_EVERY - 1
    transform = KeyframeTransform(DIM)
    rows = [row("as they come", 0, transform, asked, in_scene)]
    for _ in range(ROUNDS):
        transform.learn(seen.of(~held_out), np.inf, STEPS_A_ROUND)
        transform.take_if_better(seen.of(held_out))
    rows.append(row("learned from revisits", len(seen.images), transform, asked, in_scene))
    return BenchTable("Keyframe descriptors, alone, before and after learning from a second drive", HEADERS, rows,
                      results={"revisits": [dict(zip(HEADERS, cells)) for cells in rows]})


def row(name: str, taught: int, transform: KeyframeTransform, asked: Revisits, in_scene: Revisits) -> tuple[str, ...]:
    """Return the cells of one row, in the order of `HEADERS`."""
    shares = (recall(transform.matrix, asked), recall(transform.matrix, in_scene))
    return name, str(taught), str(len(asked.images)), *(f"{100 * share:.1f}" for share in shares)
