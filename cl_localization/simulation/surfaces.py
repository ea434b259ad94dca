"""Textures of walls, floors and ceilings: each is painted once, over its whole area, so that nothing repeats in the
house."""

from __future__ import annotations

import cv2
import numpy as np

from cl_localization.simulation import paint

DARK = np.array([45.0, 40, 38])


def wall(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Return a wall: bricks, wallpaper or stained plaster, chosen by the generator, with a skirting board."""
    painter = (plaster, wallpaper, bricks, panelling)[int(rng.integers(4))]
    texture = painter(rng, height, width)
    board = max(4, height // 28)
    texture[-board:] = planks(rng, board, width)
    texture[-board - 2:-board] = (texture[-board - 2:-board] * 0.5).astype(np.uint8)
    return texture


def plaster(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Return painted plaster with stains, cracks and brush marks."""
    texture = paint.filled(height, width, paint.colour(rng, 0.13, 0.84))
    texture = paint.modulated(texture, paint.noise(rng, height, width, 512, 2), 0.09)
    tints = [texture[0, 0] * 0.8, texture[0, 0] * 0.65, texture[0, 0] * 1.12]
    paint.marks(rng, texture, height * width // 2500, 10, tints)
    for _ in range(height * width // 40000):
        cracks(rng, texture, DARK + 30)
    return texture


def cracks(rng: np.random.Generator, texture: np.ndarray, tint: np.ndarray) -> None:
    """Draw one wandering crack, in place."""
    steps = int(rng.integers(5, 25))
    heading = np.cumsum(rng.normal(0, 0.5, steps)) + rng.uniform(0, 2 * np.pi)
    walk = np.cumsum(np.stack([np.cos(heading), np.sin(heading)], 1) * rng.uniform(4, 14, (steps, 1)), 0)
    walk += rng.uniform(0, 1, 2) * texture.shape[1::-1]
    cv2.polylines(texture, [walk.astype(np.int32)], False, paint.as_tuple(tint), 1, cv2.LINE_AA)


def wallpaper(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Return wallpaper with flowers and leaves strewn at random and faint stripes of random width."""
    ground = paint.colour(rng, 0.17, 0.82)
    texture = paint.filled(height, width, ground)
    x = 0
    while x < width:
        x += int(rng.integers(20, 90))
        paint.rectangle(texture, x, 0, x + int(rng.integers(4, 24)), height, ground * rng.uniform(0.85, 1.1))
    texture = paint.modulated(texture, paint.noise(rng, height, width, 256, 2), 0.05)
    petals = [paint.colour(rng, 0.5, rng.uniform(0.35, 0.7)) for _ in range(4)]
    for _ in range(height * width // 3500):
        flower(rng, texture, rng.uniform(0, width), rng.uniform(0, height), rng.uniform(6, 20), petals)
    return texture


def flower(rng: np.random.Generator, texture: np.ndarray, x: float, y: float, radius: float,
           tints: list[np.ndarray]) -> None:
    """Draw a flower of three to eight petals, in place."""
    count, turn, tint = int(rng.integers(3, 9)), rng.uniform(0, 360), tints[int(rng.integers(len(tints)))]
    for k in range(count):
        angle_deg = turn + 360 * k / count + rng.normal(0, 8)
        reach = 0.55 * radius * np.array([np.cos(np.deg2rad(angle_deg)), np.sin(np.deg2rad(angle_deg))])
        paint.ellipse(texture, x + reach[0], y + reach[1], radius * 0.5, radius * 0.22, angle_deg,
                      tint * rng.uniform(0.8, 1.2))
    paint.ellipse(texture, x, y, radius * 0.2, radius * 0.2, 0, tints[0] * 0.5)


def bricks(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Return brickwork; every brick has its own length, tone and wear."""
    mortar, base = paint.colour(rng, 0.06, 0.75), paint.colour(rng, 0.45, 0.62, rng.uniform(0.0, 0.09))
    texture = paint.filled(height, width, mortar)
    row = int(rng.integers(17, 24))
    for top in range(0, height, row):
        x = -int(rng.integers(0, 50))
        while x < width:
            length = int(rng.integers(34, 66))
            tone = base * rng.uniform(0.65, 1.25) + rng.normal(0, 8, 3)
            paint.rectangle(texture, x + 1, top + 1, x + length - 2, top + row - 2, tone)
            x += length
    paint.marks(rng, texture, height * width // 1200, 7, [base * 0.5, base * 1.3, mortar])
    return paint.modulated(texture, paint.noise(rng, height, width, 128, 2), 0.12)


def panelling(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Return a wall that is planks below and plaster with a stencilled border above."""
    texture = plaster(rng, height, width)
    split = int(height * rng.uniform(0.5, 0.7))
    texture[split:] = np.rot90(planks(rng, width, height - split))
    tints = [paint.colour(rng, 0.6, 0.6) for _ in range(3)]
    x = 0.0
    while x < width:
        flower(rng, texture, x, split - 22, rng.uniform(8, 16), tints)
        x += rng.uniform(18, 40)
    return texture


def planks(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Return floor boards along x, every board with its own tone, grain and knots."""
    base = paint.colour(rng, 0.45, 0.6, rng.uniform(0.05, 0.1))
    grain = cv2.resize(paint.noise(rng, height, max(8, width // 8), 32, 1), (width, height))
    texture = paint.filled(height, width, base)
    board = int(rng.integers(24, 36))
    for top in range(0, height, board):
        x = -int(rng.integers(0, 200))
        while x < width:
            length = int(rng.integers(150, 420))
            paint.rectangle(texture, x, top, x + length - 2, top + board - 2, base * rng.uniform(0.72, 1.2))
            x += length
            paint.line(texture, (x, top), (x, top + board), base * 0.35, 2)
        paint.line(texture, (0, top), (width, top), base * 0.35, 1)
    for _ in range(height * width // 6000):
        across, down = rng.uniform(0, width), rng.uniform(0, height)
        for ring in (1.0, 0.5):
            paint.ellipse(texture, across, down, ring * rng.uniform(5, 14), ring * rng.uniform(2, 5), 0,
                          base * (0.4 + 0.2 * ring))
    return paint.modulated(texture, grain, 0.13)


def tiles(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Return floor tiles, every tile with its own tone; many carry an ornament of their own."""
    bases = [paint.colour(rng, 0.3, 0.7), paint.colour(rng, 0.35, 0.5), paint.colour(rng, 0.12, 0.85)]
    edge = int(rng.integers(60, 90))
    texture = paint.filled(height, width, bases[2] * 0.5)
    for top in range(0, height, edge):
        for left in range(0, width, edge):
            tone = bases[int(rng.integers(3))] * rng.uniform(0.8, 1.15)
            paint.rectangle(texture, left + 1, top + 1, left + edge - 2, top + edge - 2, tone)
            if rng.random() < 0.45:
                flower(rng, texture, left + edge / 2, top + edge / 2, edge * rng.uniform(0.2, 0.45), bases)
    paint.marks(rng, texture, height * width // 900, 5, [bases[0] * 0.6, bases[1] * 1.3])
    return paint.modulated(texture, paint.noise(rng, height, width, 256, 2), 0.08)


def floor(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Return boards or tiles."""
    return planks(rng, height, width) if rng.random() < 0.5 else tiles(rng, height, width)


def ceiling(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Return a whitewashed ceiling with stains, cracks and a stucco border."""
    texture = paint.filled(height, width, paint.colour(rng, 0.05, 0.88))
    texture = paint.modulated(texture, paint.noise(rng, height, width, 512, 4), 0.07)
    for _ in range(height * width // 30000):
        cracks(rng, texture, DARK + 70)
    paint.marks(rng, texture, height * width // 6000, 12, [texture[0, 0] * 0.85, texture[0, 0] * 0.75])
    inset = int(0.08 * min(height, width))
    paint.rectangle(texture, inset, inset, width - inset, height - inset, texture[0, 0] * 0.7, 3)
    return texture


def rug(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Return a woven rug with borders and ornaments."""
    tints = [paint.colour(rng, 0.55, value) for value in (0.45, 0.6, 0.35, 0.75)]
    texture = paint.filled(height, width, tints[0])
    for k, inset in enumerate((0.04, 0.09, 0.13)):
        margin = int(inset * min(height, width))
        paint.rectangle(texture, margin, margin, width - margin, height - margin, tints[k + 1])
    paint.marks(rng, texture, height * width // 1100, 0.06 * min(height, width), [*tints, tints[0] * 1.6])
    return paint.modulated(texture, paint.noise(rng, height, width, 8, 1), 0.12)
