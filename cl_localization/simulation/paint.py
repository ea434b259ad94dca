"""Brushes of the simulated house: noise, tints and small marks that the textures are made of.

Every brush takes a seeded `numpy.random.Generator`; sizes are in texels. Textures are (H, W, 3) uint8 RGB.
"""

from __future__ import annotations

import string

import cv2
import numpy as np

HUES = (0.0, 0.02, 0.05, 0.08, 0.1, 0.12, 0.15, 0.22, 0.4, 0.48, 0.53, 0.57, 0.6, 0.63, 0.95)
"""Hues of paint, cloth and print, as people choose them: warm ones and blues often, violet hardly ever."""
FONTS = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_TRIPLEX, cv2.FONT_HERSHEY_COMPLEX)


def noise(rng: np.random.Generator, height: int, width: int, coarse: int = 256, fine: int = 2) -> np.ndarray:
    """Return (H, W) float32 cloud noise of unit variance, octaves from `coarse` down to `fine` texels."""
    total, octaves = np.zeros((height, width), np.float32), 0
    cell = coarse
    while cell >= fine:
        grid = rng.standard_normal((height // cell + 3, width // cell + 3), dtype=np.float32)
        big = cv2.resize(grid, None, fx=cell, fy=cell, interpolation=cv2.INTER_LINEAR)
        top, left = rng.integers(0, cell, 2)
        total += big[top:top + height, left:left + width]
        octaves += 1
        cell //= 4
    return total * np.float32(1.3 / max(octaves, 1) ** 0.5)


def colour(rng: np.random.Generator, saturation: float = 0.5, value: float = 0.7,
           hue: float | None = None) -> np.ndarray:
    """Return a random RGB colour (3,) float32 in 0..255 of about this saturation and value, both in 0..1."""
    chosen = HUES[int(rng.integers(len(HUES)))] if hue is None else hue
    hue_deg = 360.0 * (chosen + rng.normal(0, 0.015)) % 360
    green = 0.18 < hue_deg / 360 < 0.45
    saturation = np.clip(saturation * rng.uniform(0.7, 1.3) * (0.65 if green else 1.0), 0, 1)
    value = np.clip(value * rng.uniform(0.85, 1.15), 0, 1)
    hsv = np.array([[[hue_deg, saturation, value]]], np.float32)
    return 255 * cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0, 0]


def filled(height: int, width: int, tint: np.ndarray) -> np.ndarray:
    """Return an (H, W, 3) uint8 texture of one colour."""
    return np.full((height, width, 3), np.clip(tint, 0, 255), np.uint8)


def modulated(texture: np.ndarray, pattern: np.ndarray, strength: float) -> np.ndarray:
    """Return the texture with its brightness changed by `strength` times the pattern (H, W), a share of one."""
    factor = np.maximum(1 + np.float32(strength) * pattern, 0)
    return cv2.multiply(texture, cv2.merge([factor] * 3), dtype=cv2.CV_8U)


def line(texture: np.ndarray, start: tuple[float, float], end: tuple[float, float], tint: np.ndarray,
         thickness: int = 1) -> None:
    """Draw an anti-aliased line between two (x, y) in texels."""
    cv2.line(texture, (int(start[0]), int(start[1])), (int(end[0]), int(end[1])), as_tuple(tint), max(1, thickness),
             cv2.LINE_AA)


def rectangle(texture: np.ndarray, left: float, top: float, right: float, bottom: float, tint: np.ndarray,
              thickness: int = -1) -> None:
    """Draw a rectangle, filled when `thickness` is negative."""
    cv2.rectangle(texture, (int(left), int(top)), (int(right), int(bottom)), as_tuple(tint), thickness)


def ellipse(texture: np.ndarray, x: float, y: float, radius_x: float, radius_y: float, angle_deg: float,
            tint: np.ndarray,
            thickness: int = -1) -> None:
    """Draw an ellipse about (x, y)."""
    axes = (max(1, int(radius_x)), max(1, int(radius_y)))
    cv2.ellipse(texture, (int(x), int(y)), axes, angle_deg, 0, 360, as_tuple(tint), thickness, cv2.LINE_AA)


def polygon(rng: np.random.Generator, texture: np.ndarray, x: float, y: float, radius: float, tint: np.ndarray) -> None:
    """Fill a random polygon of three to seven corners about (x, y)."""
    corners = int(rng.integers(3, 8))
    angles = np.sort(rng.uniform(0, 2 * np.pi, corners))
    radii = radius * rng.uniform(0.4, 1.0, corners)
    points = np.stack([x + radii * np.cos(angles), y + radii * np.sin(angles)], axis=1)
    cv2.fillPoly(texture, [points.astype(np.int32)], as_tuple(tint), cv2.LINE_AA)


def word(rng: np.random.Generator, length: int | None = None) -> str:
    """Return random letters and digits."""
    letters = list(string.ascii_uppercase + string.digits)
    return "".join(rng.choice(letters, int(length or rng.integers(2, 9))))


def text(rng: np.random.Generator, texture: np.ndarray, content: str, x: float, y: float, height: float,
         tint: np.ndarray) -> None:
    """Write one line with its lower left corner at (x, y), letters about `height` texels high."""
    font = FONTS[int(rng.integers(len(FONTS)))]
    cv2.putText(texture, content, (int(x), int(y)), font, height / 22.0, as_tuple(tint), max(1, int(height / 9)),
                cv2.LINE_AA)


def marks(rng: np.random.Generator, texture: np.ndarray, count: int, radius: float, tints: list[np.ndarray]) -> None:
    """Scatter small shapes of random kind, place and size (up to `radius` texels) over the texture, in place."""
    height, width = texture.shape[:2]
    for _ in range(count):
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        tint, size = tints[int(rng.integers(len(tints)))], radius * rng.uniform(0.3, 1.0)
        kind = int(rng.integers(4))
        if kind == 0:
            polygon(rng, texture, x, y, size, tint)
        elif kind == 1:
            ellipse(texture, x, y, size, size * rng.uniform(0.3, 1), rng.uniform(0, 180), tint,
                    int(rng.choice([-1, 1, 2])))
        elif kind == 2:
            angle = rng.uniform(0, np.pi)
            step = size * np.array([np.cos(angle), np.sin(angle)])
            line(texture, (x - step[0], y - step[1]), (x + step[0], y + step[1]), tint, int(max(1, size / 6)))
        else:
            rectangle(texture, x - size / 2, y - size / 3, x + size / 2, y + size / 3, tint,
                      int(rng.choice([-1, 1, 2])))


def as_tuple(tint: np.ndarray) -> tuple[int, int, int]:
    """Return a colour as OpenCV wants it."""
    red, green, blue = (int(min(max(part, 0), 255)) for part in np.asarray(tint).tolist())
    return red, green, blue
