"""Textures of what stands and hangs in the rooms: wood, fabric, books, labels, screens, pictures."""

from __future__ import annotations

import cv2
import numpy as np

from cl_localization.simulation import paint, surfaces

INK = np.array([35.0, 32, 40])
PAPER = np.array([236.0, 232, 220])


def wood(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Return veneer: streaks along the longer side, knots and scratches."""
    base = paint.colour(rng, 0.5, 0.55, rng.uniform(0.03, 0.11))
    tall, wide = (height, width) if width >= height else (width, height)
    streaks = cv2.resize(paint.noise(rng, tall, max(4, wide // 10), 32, 1), (wide, tall))
    texture = paint.modulated(paint.filled(tall, wide, base), streaks, 0.17)
    for _ in range(max(1, tall * wide // 3000)):
        x, y, size = rng.uniform(0, wide), rng.uniform(0, tall), rng.uniform(2, 7)
        paint.ellipse(texture, x, y, size * 2, size, 0, base * 0.5, int(rng.choice([-1, 1])))
    paint.marks(rng, texture, max(2, tall * wide // 5000), 8, [base * 0.6, base * 1.35])
    return texture if width >= height else np.ascontiguousarray(np.rot90(texture))


def fabric(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Return cloth: checks of random width, or strewn shapes, over a weave."""
    tints = [paint.colour(rng, 0.55, 0.55) for _ in range(4)]
    texture = paint.filled(height, width, tints[0])
    if rng.random() < 0.5:
        for axis, length in ((0, width), (1, height)):
            at = 0
            while at < length:
                at += int(rng.integers(8, 40))
                overlay = texture[:, at:at + 12] if axis == 0 else texture[at:at + 12]
                overlay[:] = (0.5 * overlay + 0.5 * tints[int(rng.integers(1, 4))]).astype(np.uint8)
    paint.marks(rng, texture, max(6, height * width // 700), 11, [*tints[1:], PAPER, INK])
    return paint.modulated(texture, paint.noise(rng, height, width, 8, 1), 0.1)


def books(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Return a book case: shelves full of spines with titles, ornaments, and gaps."""
    texture = paint.modulated(wood(rng, height, width), np.full((height, width), -0.55, np.float32), 1.0)
    frame, shelves = max(4, width // 40), max(1, round(height / 105))
    pitch = (height - frame) / shelves
    for shelf in range(shelves):
        bottom, x = int((shelf + 1) * pitch), frame
        while x < width - frame:
            thick = int(rng.integers(6, 20))
            if rng.random() < 0.93 and x + thick < width - frame:
                spine(rng, texture, x, bottom - int(pitch * rng.uniform(0.62, 0.9)), thick, bottom)
            x += thick + 1
        paint.rectangle(texture, 0, bottom, width, bottom + frame, paint.colour(rng, 0.4, 0.6, 0.08))
    paint.rectangle(texture, 0, 0, width - 1, height - 1, paint.colour(rng, 0.4, 0.6, 0.08), 2 * frame)
    return texture


def spine(rng: np.random.Generator, texture: np.ndarray, left: int, top: int, thick: int, bottom: int) -> None:
    """Draw one book's back between `top` and `bottom`, in place."""
    tint = paint.colour(rng, 0.55, 0.6)
    ink = PAPER if tint.sum() < 380 else INK
    paint.rectangle(texture, left, top, left + thick - 1, bottom, tint)
    paint.line(texture, (left, top), (left, bottom), tint * 0.5)
    for _ in range(int(rng.integers(1, 4))):
        y = rng.uniform(top, bottom)
        paint.line(texture, (left, y), (left + thick - 1, y), ink, int(rng.integers(1, 4)))
    for y in np.arange(top + 8, bottom - 8, rng.uniform(4, 8)):
        if rng.random() < 0.7:
            half = thick * rng.uniform(0.1, 0.4)
            paint.line(texture, (left + thick / 2 - half, y), (left + thick / 2 + half, y), ink, 2)


def cupboard(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Return the front of a cupboard: doors or drawers with panels, handles, and a note or two."""
    texture = wood(rng, height, width)
    columns, rows = max(1, round(width / 150)), int(rng.integers(1, 5))
    for column in range(columns):
        for row in range(rows):
            left, right = column * width // columns, (column + 1) * width // columns
            top, bottom = row * height // rows, (row + 1) * height // rows
            paint.rectangle(texture, left + 2, top + 2, right - 2, bottom - 2, INK, 2)
            paint.rectangle(texture, left + 14, top + 14, right - 14, bottom - 14, texture[top, left] * 0.55, 2)
            knob = (left + (0.12 if column % 2 else 0.88) * (right - left), 0.5 * (top + bottom))
            paint.ellipse(texture, *knob, 5, 5, 0, PAPER * 0.8)
            paint.ellipse(texture, *knob, 5, 5, 0, INK, 1)
    for _ in range(int(rng.integers(1, 5))):
        note(rng, texture)
    return texture


def note(rng: np.random.Generator, texture: np.ndarray) -> None:
    """Stick a written note or a label somewhere on the texture, in place."""
    height, width = texture.shape[:2]
    tall, wide = min(height - 1, int(rng.integers(24, 60))), min(width - 1, int(rng.integers(24, 70)))
    top, left = int(rng.integers(0, height - tall)), int(rng.integers(0, width - wide))
    texture[top:top + tall, left:left + wide] = page(rng, tall, wide, paint.colour(rng, 0.35, 0.95))


def page(rng: np.random.Generator, height: int, width: int, ground: np.ndarray) -> np.ndarray:
    """Return a written sheet: a heading, lines of words of random length, a sketch."""
    texture = paint.filled(height, width, ground)
    paint.text(rng, texture, paint.word(rng, 5), 3, 0.24 * height, 0.15 * height, INK)
    y = 0.34 * height
    while y < 0.92 * height:
        x = 4.0
        while x < 0.9 * width:
            length = rng.uniform(4, 18)
            if rng.random() < 0.8:
                paint.line(texture, (x, y), (min(x + length, width - 4), y), INK * rng.uniform(1, 2.5),
                           max(1, height // 60))
            x += length + rng.uniform(3, 8)
        y += max(4, 0.06 * height)
    if height > 90:
        paint.marks(rng, texture[height // 2:, width // 2:], 12, width / 10, [INK, paint.colour(rng, 0.7, 0.6)])
    return texture


def poster(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Return a poster: bold shapes and words on a ground of two colours."""
    tints = [paint.colour(rng, 0.7, 0.75) for _ in range(4)] + [INK, PAPER]
    top, bottom = tints[0], tints[1]
    ramp = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    texture = np.broadcast_to(top * (1 - ramp) + bottom * ramp, (height, width, 3)).astype(np.uint8, order="C")
    paint.marks(rng, texture, int(rng.integers(8, 20)), 0.28 * min(height, width), tints)
    paint.marks(rng, texture, int(rng.integers(25, 60)), 0.07 * min(height, width), tints)
    for y in rng.uniform(0.15, 0.98, int(rng.integers(2, 5))):
        paint.text(rng, texture, paint.word(rng), 0.05 * width, y * height, rng.uniform(0.07, 0.2) * height,
                   tints[int(rng.integers(4, 6))])
    return framed(rng, texture)


def painting(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Return a painted landscape: sky, ridges one behind another, trees and houses."""
    sky, ground = paint.colour(rng, 0.45, 0.85), paint.colour(rng, 0.55, 0.6)
    texture = paint.modulated(paint.filled(height, width, sky), paint.noise(rng, height, width, 128, 2), 0.12)
    paint.ellipse(texture, rng.uniform(0, width), 0.2 * height, 0.06 * height, 0.06 * height, 0, PAPER)
    for depth in np.linspace(0.3, 0.9, 5):
        heights = np.cumsum(rng.normal(0, height / 60, width)) - rng.uniform(0, 0.05) * height
        ridge = np.stack([np.arange(width), depth * height + cv2.GaussianBlur(heights[None], (1, 1), 0)[0]], 1)
        outline = np.concatenate([ridge, [[width, height], [0, height]]]).astype(np.int32)
        tint = (sky * (1 - depth) + ground * depth) * rng.uniform(0.6, 1.1)
        cv2.fillPoly(texture, [outline], paint.as_tuple(tint), cv2.LINE_AA)
        paint.marks(rng, texture[int(depth * height):], 25, 0.05 * height,
                    [tint * 0.6, tint * 1.4, paint.colour(rng, 0.7, 0.6)])
    return framed(rng, texture)


def framed(rng: np.random.Generator, texture: np.ndarray) -> np.ndarray:
    """Put a frame round a picture, in place, and return it."""
    height, width = texture.shape[:2]
    paint.rectangle(texture, 0, 0, width - 1, height - 1, paint.colour(rng, 0.5, 0.35),
                    max(6, min(height, width) // 14))
    return texture


def carton(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Return one side of a box with tape, a printed label, a bar code and scuffs."""
    base = paint.colour(rng, 0.42, 0.68, 0.09) if rng.random() < 0.5 else paint.colour(rng, 0.6, 0.65)
    texture = paint.modulated(paint.filled(height, width, base), paint.noise(rng, height, width, 64, 2), 0.08)
    paint.rectangle(texture, 0, 0.45 * height, width, 0.53 * height, base * 1.25)
    note(rng, texture)
    x, top = 0.06 * width, 0.66 * height
    while x < 0.45 * width:
        bar = rng.uniform(1, 4)
        paint.rectangle(texture, x, top, x + bar, 0.9 * height, INK)
        x += bar + rng.uniform(2, 5)
    paint.text(rng, texture, paint.word(rng), 0.08 * width, 0.3 * height, 0.16 * height, INK)
    paint.marks(rng, texture, max(5, height * width // 700), 6, [base * 0.6, base * 1.3, PAPER])
    return texture


def screen(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Return a monitor that shows windows full of text and figures."""
    texture = paint.filled(height, width, paint.colour(rng, 0.5, 0.4))
    for _ in range(5):
        tall, wide = int(height * rng.uniform(0.3, 0.6)), int(width * rng.uniform(0.25, 0.6))
        top, left = int(rng.integers(0, height - tall)), int(rng.integers(0, width - wide))
        texture[top:top + tall, left:left + wide] = page(rng, tall, wide,
                                                         PAPER if rng.random() < 0.6 else paint.colour(rng, 0.3, 0.9))
        paint.rectangle(texture, left, top, left + wide, top + max(4, tall // 12), paint.colour(rng, 0.6, 0.5))
    paint.rectangle(texture, 0, 0, width - 1, height - 1, INK, 5)
    return texture


def window(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Return a window with a bright view, glazing bars and a curtain at either side."""
    texture = painting(rng, height, width)
    texture = cv2.convertScaleAbs(texture, alpha=0.8, beta=60)
    for x in np.linspace(0, width, int(rng.integers(3, 5))):
        paint.line(texture, (x, 0), (x, height), PAPER, 8)
    paint.line(texture, (0, 0.45 * height), (width, 0.45 * height), PAPER, 8)
    for side in (slice(0, width // 6), slice(width - width // 6, width)):
        texture[:, side] = fabric(rng, height, width)[:, side]
    return texture


def machine(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Return the front of an appliance: enamel, doors, displays, stickers and magnets."""
    base = paint.colour(rng, 0.12, 0.8)
    texture = paint.modulated(paint.filled(height, width, base), paint.noise(rng, height, width, 256, 2), 0.05)
    split = rng.uniform(0.25, 0.5) * height
    paint.line(texture, (0, split), (width, split), INK, 3)
    paint.rectangle(texture, 0.85 * width, split + 10, 0.9 * width, split + 70, INK)
    for _ in range(int(rng.integers(6, 12))):
        note(rng, texture)
    paint.marks(rng, texture, 40, 12, [paint.colour(rng, 0.8, 0.7) for _ in range(5)] + [INK])
    return texture


def leaf(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Return a leaf's surface with veins and spots."""
    base = paint.colour(rng, 0.65, 0.45, rng.uniform(0.22, 0.36))
    texture = paint.modulated(paint.filled(height, width, base), paint.noise(rng, height, width, 32, 1), 0.15)
    paint.line(texture, (0, height / 2), (width, height / 2), base * 1.6, 2)
    for x in np.linspace(0.1, 0.9, 6) * width:
        paint.line(texture, (x, height / 2), (x + 0.1 * width, 0), base * 1.4)
        paint.line(texture, (x, height / 2), (x + 0.1 * width, height), base * 1.4)
    paint.marks(rng, texture, 8, 4, [base * 0.5, base * 1.7])
    return texture


def metal(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Return painted metal with scratches and stickers."""
    base = paint.colour(rng, 0.3, 0.5)
    texture = paint.modulated(paint.filled(height, width, base), paint.noise(rng, height, width, 64, 2), 0.1)
    paint.marks(rng, texture, max(4, height * width // 500), 7,
                [base * 0.5, base * 1.5, PAPER, paint.colour(rng, 0.7, 0.7)])
    return texture


def stone(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Return speckled terrazzo for table tops and pots."""
    base = paint.colour(rng, 0.15, 0.7)
    texture = paint.modulated(paint.filled(height, width, base), paint.noise(rng, height, width, 64, 2), 0.12)
    tints = [paint.colour(rng, 0.3, value) for value in (0.2, 0.4, 0.9)]
    paint.marks(rng, texture, max(6, height * width // 250), 5, tints)
    return texture


PICTURES = (poster, painting, poster, painting, surfaces.rug)
"""What may hang on a wall."""
