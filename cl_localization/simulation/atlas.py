"""All textures of a house in one picture, at five resolutions, so that a whole image is looked up in one call."""

from __future__ import annotations

import cv2
import numpy as np

LEVELS = 5
GUTTER = 16
"""Texels of border repeated round every texture, so that coarse levels do not mix neighbours."""
ALIGN = 1 << (LEVELS - 1)


class Atlas:
    """Textures packed in shelves; level k lies at its offset in the same picture, 2^k times smaller.

    Attributes:
        picture: (H, W, 3) uint8.
        origins: (Q, 2) float32, column and row of each texture's first texel at level 0.
        sizes: (Q, 2) float32, width and height of each texture.
        offsets: (LEVELS, 2) float32, column and row where each level begins.
    """

    def __init__(self, sizes: list[tuple[int, int]]) -> None:
        """Lay out textures of sizes (height, width); `put` fills them and `finish` makes the coarser levels."""
        padded = [(aligned(height + 2 * GUTTER), aligned(width + 2 * GUTTER)) for height, width in sizes]
        area = sum(height * width for height, width in padded)
        self.width = aligned(int(max(*(width for _, width in padded), 1.05 * area ** 0.5)))
        corners, self.height = shelves(padded, self.width)
        self.origins = corners + np.float32(GUTTER)
        self.sizes = np.array([(width, height) for height, width in sizes], np.float32)
        self.padded = padded
        self.picture = np.zeros((self.height, self.width + self.width // 2, 3), np.uint8)
        rows = np.concatenate([[0, 0], np.cumsum(self.height // 2 ** np.arange(1, LEVELS - 1))])
        self.offsets = np.array([(0 if k == 0 else self.width, rows[k]) for k in range(LEVELS)], np.float32)

    def put(self, number: int, texture: np.ndarray) -> None:
        """Store one texture."""
        (tall, wide), (left, top) = self.padded[number], (self.origins[number] - GUTTER).astype(int)
        below, beside = tall - GUTTER - texture.shape[0], wide - GUTTER - texture.shape[1]
        cv2.copyMakeBorder(texture, GUTTER, below, GUTTER, beside, cv2.BORDER_REPLICATE,
                           dst=self.picture[top:top + tall, left:left + wide])

    def finish(self) -> None:
        """Make the coarser levels from the finest."""
        level: np.ndarray = self.picture[:, :self.width]
        for k in range(1, LEVELS):
            level = cv2.resize(level, (self.width >> k, self.height >> k), interpolation=cv2.INTER_AREA)
            left, top = self.offsets[k].astype(int)
            self.picture[top:top + level.shape[0], left:left + level.shape[1]] = level

    def look_up(self, columns: np.ndarray, rows: np.ndarray, level: np.ndarray) -> np.ndarray:
        """Return colours (H, W, 3) uint8, bilinear within a level.

        Args:
            columns, rows: (H, W) float32 texel coordinates at level 0, centre of the first texel at 0.5.
            level: (H, W) int, resolution of each pixel, 0..LEVELS-1.
        """
        scale = np.float32(0.5) ** np.arange(LEVELS, dtype=np.float32)
        shrink = scale[level]
        x = columns * shrink + (self.offsets[:, 0] - np.float32(0.5))[level]
        y = rows * shrink + (self.offsets[:, 1] - np.float32(0.5))[level]
        return cv2.remap(self.picture, x, y, cv2.INTER_LINEAR)


def aligned(length: int) -> int:
    """Return the next multiple of `ALIGN`."""
    return -(-length // ALIGN) * ALIGN


def shelves(padded: list[tuple[int, int]], width: int) -> tuple[np.ndarray, int]:
    """Return corners (Q, 2) float32 (column, row) of rectangles (height, width) set in rows, tallest first, and the
    total height."""
    corners = np.zeros((len(padded), 2), np.float32)
    left = top = shelf = 0
    for number in sorted(range(len(padded)), key=lambda k: -padded[k][0]):
        tall, wide = padded[number]
        if left + wide > width:
            left, top, shelf = 0, top + shelf, 0
        corners[number] = left, top
        left, shelf = left + wide, max(shelf, tall)
    return corners, top + shelf
