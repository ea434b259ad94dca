"""Codes by blocks of space, so that what a camera may see is found without looking at the whole map."""

from __future__ import annotations

import numpy as np

from cl_localization.geometry import se3
from cl_localization.geometry.camera import Camera
from cl_localization.map.table import Table, union

BLOCK_CELLS = 50.0
"""Edge of a block: 1 m with cells of 2 cm."""

SLACK = 1.001
"""Blocks are taken for this much larger, for errors of rounding."""

AXIS_BITS = 16

AT_ONCE = 50_000
"""So many codes stay in the processor's cache while their blocks are found."""


class CodeBlocks:
    """The codes of a map by block and scene, updated incrementally.

    For each block it holds a box around its codes and the largest distance from which one was first seen. Both only
    grow: a block may be looked at in vain, but never be left out.
    """

    def __init__(self, codes: Table, keyframes: Table, cell_size_m: float) -> None:
        self._codes, self._keyframes, self._block_m = codes, keyframes, BLOCK_CELLS * cell_size_m
        self._version = 0
        self._block_of = np.zeros(0, np.int64)
        self._number_of: dict[int, int] = {}
        self._members: list[np.ndarray] = []
        self._low_m, self._high_m = np.zeros((0, 3)), np.zeros((0, 3))
        self._first_seen_m, self._scenes = np.zeros(0), np.zeros(0, np.int64)

    def in_view(self, version: int, camera: Camera, cam_T_world: np.ndarray, margin_px: float, scene: int | None,
                max_farther: float) -> np.ndarray:
        """Return the codes (N,), ascending, of the blocks that a pinhole camera may see.

        Args:
            version: of the map.
            scene: whose blocks; None for all.
            max_farther: blocks more times as far as any of their codes was first seen from are left out.
        """
        if version != self._version:
            self._follow(version)
        blocks = slice(len(self._members))
        low_m, high_m = self._low_m[blocks], self._high_m[blocks]
        centres_m = se3.transform(cam_T_world, (low_m + high_m) / 2)
        radii_m = SLACK * np.linalg.norm(high_m - low_m, axis=1) / 2
        visible = (centres_m @ _side_planes(camera, margin_px).T > -radii_m[:, None]).all(axis=1)
        visible &= centres_m[:, 2] > -radii_m
        visible &= np.linalg.norm(centres_m, axis=1) - radii_m < SLACK * max_farther * self._first_seen_m[blocks]
        if scene is not None:
            visible &= self._scenes[blocks] == scene
        chosen = [self._members[block] for block in np.flatnonzero(visible).tolist()]
        return np.sort(np.concatenate([np.zeros(0, np.int64), *chosen]), kind="stable")

    def _follow(self, version: int) -> None:
        """Update the blocks to the map's version."""
        changed, removed = self._codes.changed_since(self._version)
        has_changed = self._anchored_to_moved()
        has_changed[changed] = True
        changed = np.flatnonzero(has_changed)
        grown = np.full(len(self._codes.live), -1, np.int64)
        grown[:len(self._block_of)] = self._block_of
        left = np.flatnonzero(np.bincount(1 + grown[np.concatenate([changed, removed])])[1:])
        self._block_of, self._version = grown, version
        self._block_of[removed] = -1
        entered = [self._enter(changed[start:start + AT_ONCE]) for start in range(0, len(changed), AT_ONCE)]
        for block in np.setdiff1d(left, np.concatenate([np.zeros(0, np.int64), *entered])).tolist():
            self._keep(block, self._members[block])

    def _anchored_to_moved(self) -> np.ndarray:
        """Return the mask of codes whose keyframe has changed, and with it from where they were first seen."""
        frames, _ = self._keyframes.changed_since(self._version)
        has_moved = np.zeros(len(self._keyframes.live), bool)
        has_moved[frames] = True
        return self._codes.live & has_moved[self._codes["anchors"]]

    def _enter(self, rows: np.ndarray) -> np.ndarray:
        """Put codes (N,), ascending, into their blocks; return the numbers of those."""
        positions_m = self._codes["positions_m"][rows].astype(np.float64)
        first_seen_m = np.linalg.norm(self._keyframes["keyframe_poses"][self._codes["anchors"][rows], :3] - positions_m,
                                      axis=1)
        labels = self._labels(positions_m, self._codes["scenes"][rows])
        order = np.argsort(labels, kind="stable")
        rows, positions_m, labels = rows[order], positions_m[order], labels[order]
        starts = np.flatnonzero(np.append(True, labels[1:] != labels[:-1]))
        blocks = np.array([self._number(label) for label in labels[starts].tolist()])
        ends = np.append(starts[1:], len(rows))
        self._block_of[rows] = np.repeat(blocks, ends - starts)
        self._low_m[blocks] = np.minimum(self._low_m[blocks], np.minimum.reduceat(positions_m, starts))
        self._high_m[blocks] = np.maximum(self._high_m[blocks], np.maximum.reduceat(positions_m, starts))
        self._first_seen_m[blocks] = np.maximum(self._first_seen_m[blocks],
                                                np.maximum.reduceat(first_seen_m[order], starts))
        self._scenes[blocks] = self._codes["scenes"][rows[starts]]
        for block, start, end in zip(blocks.tolist(), starts.tolist(), ends.tolist()):
            self._keep(block, union(self._members[block], rows[start:end]))
        return blocks

    def _keep(self, block: int, rows: np.ndarray) -> None:
        """Have a block hold those of some codes that are in it."""
        self._members[block] = rows[self._block_of[rows] == block]

    def _labels(self, positions_m: np.ndarray, scenes: np.ndarray) -> np.ndarray:
        """Return the label (N,) int64 of the block of positions (N, 3); what is too far away shares the outermost."""
        half = 1 << (AXIS_BITS - 1)
        steps = np.clip(np.floor(positions_m / self._block_m), -half, half - 1).astype(np.int64) + half
        return ((scenes.astype(np.int64) << AXIS_BITS | steps[:, 0]) << AXIS_BITS
                | steps[:, 1]) << AXIS_BITS | steps[:, 2]

    def _number(self, label: int) -> int:
        """Return the number of a block; a new label gets a new one, twice as much room if there is none."""
        number = self._number_of.setdefault(label, len(self._number_of))
        if number == len(self._members):
            self._members.append(np.zeros(0, np.int64))
        if number >= len(self._scenes):
            extra = max(64, len(self._scenes))
            self._low_m = np.concatenate([self._low_m, np.full((extra, 3), np.inf)])
            self._high_m = np.concatenate([self._high_m, np.full((extra, 3), -np.inf)])
            self._first_seen_m = np.concatenate([self._first_seen_m, np.zeros(extra)])
            self._scenes = np.concatenate([self._scenes, np.full(extra, -1)])
        return number


def _side_planes(camera: Camera, margin_px: float) -> np.ndarray:
    """Return the unit normals (4, 3), inwards, of the sides of a pinhole camera's field of view and a margin."""
    planes = np.array([[camera.fx_px, 0, camera.cx_px + margin_px],
                       [-camera.fx_px, 0, camera.width_px + margin_px - camera.cx_px],
                       [0, camera.fy_px, camera.cy_px + margin_px],
                       [0, -camera.fy_px, camera.height_px + margin_px - camera.cy_px]])
    return planes / np.linalg.norm(planes, axis=1, keepdims=True)
