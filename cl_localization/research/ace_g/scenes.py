"""Scenes to pre-train on: a part to map and a part to ask for, which looks different; of any posed RGB-D sequence, or
simulated."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from cl_localization.data import open_sequence
from cl_localization.data.frame import Frame, Sequence
from cl_localization.data.perturb import PerturbedSequence
from cl_localization.data.sequence import select
from cl_localization.errors import DataError
from cl_localization.features import Encoder, Features
from cl_localization.geometry import se3
from cl_localization.mapping.depth_points import keypoint_depths
from cl_localization.research.ace_g.augmentation import augmented_frame

SEPARATOR = "::"
STRETCH, STRETCHES = 25, 4
"""A sequence that is given alone is cut into stretches of so many frames; the last of so many stretches is asked
for."""

MAX_DEPTH_M = 20.0
PERTURBATIONS = {"gamma": (0.35, 2.8), "gain": (0.4, 1.8), "blur_px": (3.0, 22.0), "occlusion": (0.1, 0.6),
                 "noise": (4.0, 35.0)}
"""Ranges in which the images that are asked for are changed, evenly in the logarithm."""

PERTURBED_SHARE = 0.35
"""Chance of each kind; so one image in nine is left as it is."""


@dataclass(frozen=True)
class TrainingScene:
    """One scene: what is mapped, and what is asked for."""

    name: str
    mapping: Sequence
    queries: Sequence


@dataclass(frozen=True, eq=False)
class PosedFeatures:
    """Features of one image and the points they show.

    Attributes:
        frame: the image with its camera and pose.
        features: N of it.
        points_m: (N, 3) in the map frame, not a number where depth is unknown.
    """

    frame: Frame
    features: Features
    points_m: np.ndarray


def open_scene(text: str) -> TrainingScene:
    """Return the scene of `MAPPING::QUERIES`, or of one sequence, which is cut into stretches.

    Raises:
        DataError: a sequence that cannot be opened, or is too short to be cut.
    """
    first, separator, second = text.partition(SEPARATOR)
    mapping = open_sequence(first)
    if separator:
        return TrainingScene(text, mapping, open_sequence(second))
    asked = [index for index in range(len(mapping)) if (index // STRETCH) % STRETCHES == STRETCHES - 1]
    if not asked:
        raise DataError(f"sequence {text}", f"must have more than {STRETCH * (STRETCHES - 1)} frames to be mapped and "
                                            "asked for",
                        len(mapping), f"give MAPPING{SEPARATOR}QUERIES")
    mapped = [index for index in range(len(mapping)) if (index // STRETCH) % STRETCHES != STRETCHES - 1]
    return TrainingScene(text, select(mapping, mapped, f"{text}, mapped"), select(mapping, asked, f"{text}, queries"))


def simulated_scene(seed: int, frames: int = 120, size: str = "640x480", rooms: int = 2, alike: bool = False) -> str:
    """Return the text of a simulated scene: its queries go another way, at another height, in other light, past moved
    furniture.

    Args:
        seed: of the house and of everything that differs.
        frames: mapped; as many are asked for.
        alike: whether the camera is asked from nearly the height and tilt that it mapped with, and no furniture was
            moved, so that most of what is asked for can be known.
    """
    rng = np.random.default_rng([seed, 55])
    common = f"rooms={rooms}&size={size}&fov={rng.uniform(54, 72):.1f}&frames={frames}"
    heights, tilts = np.array([[rng.uniform(0.5, 1.6), rng.uniform(-8, 18)] for _ in range(2)]).T
    if alike:
        heights[1], tilts[1] = 0.8 * heights[0] + 0.2 * heights[1], 0.8 * tilts[0] + 0.2 * tilts[1]
    views = [f"height={height:.2f}&tilt={tilt:.1f}" for height, tilt in zip(heights, tilts)]
    light = rng.choice(["day", "day", "evening", "night"])
    changed = f"light={light}&lamp={rng.uniform(-1, 1):.2f}&moved={0 if alike else rng.choice([0.0, 0.0, 0.2]):.1f}"
    asked = f"path=tracking&place={rng.integers(100)}&{common}&{views[1]}&{changed}"
    return f"sim:{seed}?{common}&{views[0]}{SEPARATOR}sim:{seed}?{asked}"


def posed_features(sequence: Sequence, encoder: Encoder, perturb_seed: int | None = None,
                   rng: np.random.Generator | None = None) -> Iterator[PosedFeatures]:
    """Yield the features of every frame, of images that are changed at random where there is a seed.

    Args:
        rng: turns, zooms and brightens the images, too; None for images as they are.

    Raises:
        DataError: a frame without pose or depth.
    """
    for index in range(len(sequence)):
        frame = sequence[index] if perturb_seed is None else changed_frame(sequence, index, perturb_seed)
        if frame.world_T_cam is None or frame.depth_m is None:
            raise DataError(f"frame {frame.name or frame.stamp_ns} of {sequence.name}",
                            "must have a pose and depth to be trained on",
                            remedy="leave the sequence out")
        if rng is not None:
            frame = augmented_frame(frame, rng)
        features = encoder.encode(frame.image)
        yield PosedFeatures(frame, features, feature_points(frame, features))


def changed_frame(sequence: Sequence, index: int, seed: int) -> Frame:
    """Return a frame with some of the changes of `PERTURBATIONS`."""
    rng = np.random.default_rng([seed, index])
    changes = [(kind, float(np.exp(rng.uniform(*np.log(span))))) for kind,
               span in PERTURBATIONS.items() if rng.random() < PERTURBED_SHARE]
    return PerturbedSequence(sequence, changes, seed)[index]


def feature_points(frame: Frame, features: Features) -> np.ndarray:
    """Return the points (N, 3) of features of a frame with depth and pose, not a number where depth is unknown."""
    depths_m = keypoint_depths(frame.depth_m, features.keypoints_px, MAX_DEPTH_M)
    rays = frame.camera.normalize(features.keypoints_px)
    points_cam = np.column_stack([rays * depths_m[:, None], depths_m])
    points_m = se3.transform(frame.world_T_cam, points_cam)
    points_m[depths_m <= 0] = np.nan
    return points_m.astype(np.float32)
