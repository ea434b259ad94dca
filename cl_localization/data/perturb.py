"""Makes images harder, to see what localization bears: other exposure, motion blur, things in the way, noise.

A perturbation is written `name=number`: `gamma=0.4` (exponent of the grey value: below 1 brighter, above 1 darker),
`gain=0.5` (factor), `blur_px=15` (motion blur over so many pixels in a random direction), `occlusion=0.4` (share of the
image that random blocks cover), `noise=20` (standard deviation in grey levels). `blur` and `occlude` are other words
for two of them. Everything random comes from a seed and the frame's number.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np

from cl_localization.data.frame import Frame, Sequence
from cl_localization.data.sequence import frame_names
from cl_localization.errors import DataError, did_you_mean

BLOCK_SHARE = (0.01, 0.05)
"""Smallest and largest area of an occluding block, as a share of the image."""


def changed_gamma(image: np.ndarray, gamma: float, rng: np.random.Generator | None = None) -> np.ndarray:
    """Return the image (H, W, 3) uint8 with values v in 0..1 raised to v ** gamma."""
    curve = 255 * (np.arange(256) / 255) ** gamma
    return cv2.LUT(image, np.rint(curve).astype(np.uint8))


def changed_gain(image: np.ndarray, gain: float, rng: np.random.Generator | None = None) -> np.ndarray:
    """Return the image with its values multiplied by `gain`, cut at white."""
    return cv2.LUT(image, np.clip(np.rint(gain * np.arange(256)), 0, 255).astype(np.uint8))


def motion_blurred(image: np.ndarray, length_px: float, rng: np.random.Generator) -> np.ndarray:
    """Return the image as a camera records it that moves over `length_px` pixels in a random direction."""
    if length_px <= 1:
        return image
    angle = rng.uniform(0, math.pi)
    half = 0.5 * (length_px - 1) * np.array([math.cos(angle), math.sin(angle)])
    reach = math.ceil(0.5 * length_px) + 1
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    for share in np.linspace(-1, 1, 4 * reach + 1):
        x, y = reach + share * half
        column, row = int(x), int(y)
        right, down = x - column, y - row
        kernel[row:row + 2, column:column + 2] += np.outer([1 - down, down], [1 - right, right])
    return cv2.filter2D(image, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE)


def occluding_blocks(size: tuple[int, int], share: float, rng: np.random.Generator) -> np.ndarray:
    """Return a mask (H, W) bool of random, possibly overlapping blocks that cover `share` of the image, or just above
    it."""
    height, width = size
    mask = np.zeros(size, bool)
    while mask.mean() < share:
        area = rng.uniform(*BLOCK_SHARE) * height * width
        aspect = math.exp(rng.uniform(-0.7, 0.7))
        tall, wide = max(1, round(math.sqrt(area / aspect))), max(1, round(math.sqrt(area * aspect)))
        top, left = int(rng.integers(-tall // 2, height)), int(rng.integers(-wide // 2, width))
        mask[max(top, 0):top + tall, max(left, 0):left + wide] = True
    return mask


def occluded(image: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Return the image with blocks of smooth random colour in the way; see `occluding_blocks` for where."""
    mask = occluding_blocks(image.shape[:2], share, rng)
    cloud = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    cover = cv2.resize(cloud, image.shape[1::-1], interpolation=cv2.INTER_CUBIC)
    return np.where(mask[..., None], cover, image)


def noisy(image: np.ndarray, sigma: float, rng: np.random.Generator) -> np.ndarray:
    """Return the image with Gaussian noise of standard deviation `sigma` grey levels."""
    noise = rng.standard_normal(image.shape, dtype=np.float32) * np.float32(sigma)
    return np.clip(np.rint(image + noise), 0, 255).astype(np.uint8)


@dataclass(frozen=True)
class Kind:
    """One kind of perturbation: what makes it and the closed range of its number."""

    apply: Callable[[np.ndarray, float, np.random.Generator], np.ndarray]
    minimum: float
    maximum: float


KINDS = {"gamma": Kind(changed_gamma, 0.05, 20), "gain": Kind(changed_gain, 0, 20),
         "blur_px": Kind(motion_blurred, 0, 200),
         "occlusion": Kind(occluded, 0, 1), "noise": Kind(noisy, 0, 255)}
OTHER_WORDS = {"blur": "blur_px", "occlude": "occlusion"}


def parse_perturbation(text: str) -> tuple[str, float]:
    """Return the kind (a key of `KINDS`) and the number of a text like `gamma=0.4`.

    Raises:
        DataError: an unknown kind, no number, or a number out of range.
    """
    word, _, number = text.partition("=")
    word = word.strip()
    name = OTHER_WORDS.get(word, word)
    if name not in KINDS:
        raise DataError(f"perturbation {text!r}", "is unknown", remedy=did_you_mean(name, KINDS))
    kind = KINDS[name]
    try:
        value = float(number)
    except ValueError as error:
        raise DataError(f"perturbation {word}", "must be a number", repr(number), f"for example {word}=0.4") from error
    if not kind.minimum <= value <= kind.maximum:
        raise DataError(f"perturbation {word}", f"must lie in [{kind.minimum:g}, {kind.maximum:g}]", number)
    return name, value


class PerturbedSequence:
    """A `Sequence` with its images changed; depth is 0 where something is in the way, all else is as it was.

    Attributes:
        name, skipped, names, notes: of the sequence it changes.
        perturbations: (kind, number) in the order in which they are applied.
        seed: of all that is random.
    """

    def __init__(self, sequence: Sequence, perturbations: list[tuple[str, float]], seed: int) -> None:
        self._sequence, self.perturbations, self.seed = sequence, perturbations, seed
        self.name, self.skipped = sequence.name, sequence.skipped
        self.names, self.notes = frame_names(sequence), getattr(sequence, "notes", ())

    def __len__(self) -> int:
        return len(self._sequence)

    def __getitem__(self, index: int) -> Frame:
        return self._changed(self._sequence[index], index % len(self))

    def __iter__(self) -> Iterator[Frame]:
        return (self._changed(frame, index) for index, frame in enumerate(self._sequence))

    def pose(self, index: int) -> np.ndarray | None:
        """Return world_T_cam of frame `index` without decoding its image."""
        return self._sequence.pose(index)

    def _changed(self, frame: Frame, index: int) -> Frame:
        image, depth_m = frame.image, frame.depth_m
        for step, (name, value) in enumerate(self.perturbations):
            image = KINDS[name].apply(image, value, self._generator(index, step))
            if name == "occlusion" and depth_m is not None:
                depth_m = np.where(occluding_blocks(depth_m.shape, value, self._generator(index, step)), np.float32(0),
                                   depth_m)
        return replace(frame, image=image, depth_m=depth_m)

    def _generator(self, index: int, step: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, index, step])


def perturbed(sequence: Sequence, specs: Iterable[str], seed: int = 0) -> Sequence:
    """Return a sequence whose images are perturbed as `specs` say, one after the other, e.g. ["gamma=0.4", "noise=20"].

    Raises:
        DataError: a perturbation that is not understood.
    """
    return PerturbedSequence(sequence, [parse_perturbation(text) for text in specs], seed)
