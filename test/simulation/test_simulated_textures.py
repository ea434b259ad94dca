"""Brushes, surfaces and prints: seeded, of the asked size, rich, and never twice the same."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from cl_localization.simulation import paint, prints, surfaces

PAINTERS = [surfaces.wall, surfaces.plaster, surfaces.wallpaper, surfaces.bricks, surfaces.panelling, surfaces.planks,
            surfaces.tiles,
            surfaces.floor, surfaces.ceiling, surfaces.rug, prints.wood, prints.fabric, prints.books, prints.cupboard,
            prints.poster,
            prints.painting, prints.carton, prints.screen, prints.window, prints.machine, prints.leaf, prints.metal,
            prints.stone]


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def painters_without(rule: Callable[[Callable], bool]) -> list[str]:
    """Return the names of the painters that a rule does not hold for."""
    return [painter.__name__ for painter in PAINTERS if not rule(painter)]


def test_a_texture_comes_from_its_seed_alone() -> None:
    def seeded(painter: Callable) -> bool:
        first, again, other = (painter(rng(seed), 130, 210) for seed in (0, 0, 1))
        return (first.shape == (130, 210, 3) and first.dtype == np.uint8 and (again == first).all()
                and (other != first).mean() > 0.3)

    assert painters_without(seeded) == []


def test_a_texture_has_detail() -> None:
    def detailed(painter: Callable) -> bool:
        grey = cv2.cvtColor(painter(rng(), 260, 420), cv2.COLOR_RGB2GRAY)
        return grey.std() > 4 and np.abs(cv2.Laplacian(grey, cv2.CV_32F)).mean() > 2

    assert painters_without(detailed) == []


def test_even_a_sliver_can_be_painted() -> None:
    sizes = ((8, 8), (8, 300), (300, 8))
    assert painters_without(lambda painter: all(painter(rng(), *size).shape == (*size, 3) for size in sizes)) == []


def test_noise_is_about_of_unit_variance() -> None:
    cloud = paint.noise(rng(), 400, 500)
    assert abs(cloud.mean()) < 0.5
    assert 0.6 < cloud.std() < 1.5


def test_a_colour_lies_in_the_range_of_bytes() -> None:
    generator = rng()
    colours = np.stack([paint.colour(generator, 0.9, 0.95) for _ in range(200)])
    assert (colours >= 0).all()
    assert (colours <= 255.01).all()


def test_a_word_has_the_asked_length() -> None:
    assert len(paint.word(rng(), 5)) == 5
