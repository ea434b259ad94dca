"""Perturbed images: each does what its name says, the same way every time, and leaves the rest of a frame alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cl_localization.data.frame import Frame
from cl_localization.data.perturb import (
    KINDS,
    changed_gain,
    changed_gamma,
    motion_blurred,
    noisy,
    occluded,
    occluding_blocks,
    parse_perturbation,
    perturbed,
)
from cl_localization.errors import DataError
from cl_localization.geometry.camera import Camera

HEIGHT, WIDTH = 60, 80


class ThreeFrames:
    """A sequence of three random images with depth 2 m."""

    name, skipped = "three", ["lost.png"]

    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: int) -> Frame:
        camera = Camera(WIDTH, HEIGHT, 70, 70, 40, 30)
        depth_m = np.full((HEIGHT, WIDTH), 2, np.float32)
        return Frame(index % 3, random_image(index % 3), camera, depth_m, world_T_cam=self.pose(index),
                     name=f"frame {index % 3}")

    def __iter__(self):
        return (self[index] for index in range(3))

    def pose(self, index: int) -> np.ndarray:
        return np.diag([1.0, 1, 1, 1]) + index % 3 * np.eye(4, k=3)


def random_image(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)


def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def test_gamma_below_one_brightens_and_keeps_black_and_white() -> None:
    grey = np.array([0, 64, 128, 255], np.uint8).reshape(1, 4, 1).repeat(3, axis=2)
    assert changed_gamma(grey, 0.5)[0, :, 0].tolist() == [0, 128, 181, 255]
    assert (changed_gamma(grey, 2.5) <= grey).all()


def test_gain_multiplies_and_cuts_at_white() -> None:
    grey = np.full((2, 2, 3), 100, np.uint8)
    assert (changed_gain(grey, 0.5) == 50).all()
    assert (changed_gain(grey, 3) == 255).all()


def test_motion_blur_spreads_a_point_over_its_length_and_keeps_the_light() -> None:
    image = np.zeros((41, 41, 3), np.uint8)
    image[20, 20] = 255
    blurred = motion_blurred(image, 9, rng())[..., 0].astype(float)
    rows, columns = np.nonzero(blurred > 2)
    assert 7 <= np.hypot(np.ptp(rows), np.ptp(columns)) <= 12
    assert blurred.sum() == pytest.approx(255, rel=0.1)
    assert (rows.mean(), columns.mean()) == pytest.approx((20, 20), abs=0.5)


def test_blur_over_one_pixel_or_less_changes_nothing() -> None:
    assert (motion_blurred(random_image(), 1, rng()) == random_image()).all()


def test_noise_has_the_asked_deviation() -> None:
    grey = np.full((200, 200, 3), 128, np.uint8)
    assert noisy(grey, 20, rng()).std() == pytest.approx(20, rel=0.05)


@settings(deadline=None, max_examples=25)
@given(share=st.floats(0, 1), seed=st.integers(0, 1000))
def test_blocks_cover_the_asked_share(share: float, seed: int) -> None:
    covered = occluding_blocks((HEIGHT, WIDTH), share, np.random.default_rng(seed)).mean()
    assert share <= covered <= share + 0.06


def test_an_occluded_image_is_as_it_was_outside_the_blocks() -> None:
    image = random_image()
    mask = occluding_blocks(image.shape[:2], 0.4, rng())
    result = occluded(image, 0.4, rng())
    assert (result[~mask] == image[~mask]).all()
    assert (result[mask] != image[mask]).mean() > 0.9


@pytest.mark.parametrize("name", KINDS)
def test_the_input_image_is_not_changed(name: str) -> None:
    image = random_image()
    KINDS[name].apply(image, 0.5, rng())
    assert (image == random_image()).all()


def test_a_perturbed_sequence_is_the_same_every_time_it_is_read() -> None:
    sequence = perturbed(ThreeFrames(), ["noise=20", "occlude=0.3", "blur=5"])
    again = perturbed(ThreeFrames(), ["noise=20", "occlude=0.3", "blur=5"])
    for index, frame in enumerate(sequence):
        assert (frame.image == again[index].image).all()
    assert (sequence[-1].image == sequence[2].image).all()
    assert (
        perturbed(ThreeFrames(), ["noise=20"], seed=1)[0].image != perturbed(ThreeFrames(), ["noise=20"])[0].image
    ).any()


def test_a_perturbed_sequence_keeps_names_poses_and_stamps() -> None:
    plain, sequence = ThreeFrames(), perturbed(ThreeFrames(), ["gamma=0.4"])
    assert (len(sequence), sequence.name, sequence.skipped) == (3, "three", ["lost.png"])
    assert (sequence[1].name, sequence[1].stamp_ns) == ("frame 1", 1)
    assert (sequence.pose(2) == plain.pose(2)).all()
    assert (sequence.names, tuple(sequence.notes)) == (["000000", "000001", "000002"], ())
    assert (sequence[1].depth_m == 2).all()


def test_depth_is_unknown_where_something_is_in_the_way() -> None:
    frame = perturbed(ThreeFrames(), ["gain=0.5", "occlude=0.4"])[1]
    hidden = frame.depth_m == 0
    assert hidden.mean() == pytest.approx(0.4, abs=0.06)
    assert (frame.image[~hidden] == changed_gain(random_image(1), 0.5)[~hidden]).all()


def test_both_words_for_blur_and_occlusion_are_understood() -> None:
    assert parse_perturbation("blur_px=9") == parse_perturbation("blur=9") == ("blur_px", 9.0)
    assert parse_perturbation("occlusion=0.4") == parse_perturbation("occlude=0.4") == ("occlusion", 0.4)


@pytest.mark.parametrize(("text", "message"), [
    ("fog=1", "perturbation 'fog=1' is unknown; known are gamma, gain, blur_px, occlusion, noise"),
    ("gama=2", "perturbation 'gama=2' is unknown; did you mean gamma?"),
    ("gamma", "perturbation gamma must be a number, found ''"),
    ("noise=much", "perturbation noise must be a number, found 'much'"),
    ("occlude=40", r"perturbation occlude must lie in \[0, 1\], found 40"),
    ("gamma=nan", r"perturbation gamma must lie in \[0.05, 20\], found nan")])
def test_a_perturbation_that_makes_no_sense_is_named(text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        perturbed(ThreeFrames(), [text])
