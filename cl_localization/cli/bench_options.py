"""Options of single tables of `bench`, apart so that the command's help needs nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass

from cl_localization.config import Config, option

METHODS = ("map_code", "none", "Random", "Imgbal", "CoverageS", "Redundant", "joint")


@dataclass(frozen=True)
class ContinualBenchConfig(Config):
    """Sizes of the table `continual`; most of its time goes into the small HSCNet: methods times seeds times iterations."""

    rooms: int = option(4, "Simulated rooms after RedKitchen.", 1, 12)
    frames: int = option(140, "Frames of the way through each simulated room.", 8, 10000)
    room_queries: str = option("same", "What is asked for in them: every fourth frame of the same way, not learned, or frames of another "
                               "way.", choices=("same", "other"))
    queries: int = option(40, "Most frames of a scene that are asked for, after every scene.", 4, 10000)
    methods: str = option("map_code,none,Random,CoverageS,Redundant,joint", "Methods, separated by commas: map_code, and trainings of the "
                          "small HSCNet: none (no replay), Random, Imgbal, CoverageS, Redundant, joint.")
    seeds: int = option(3, "Trainings with each method.", 1, 100)
    seed: int = option(0, "The first seed.", 0, 10**6)
    buffer_size: int = option(40, "Frames in every replay buffer.", 2, 10**6)
    iterations: int = option(150, "Steps of the small HSCNet for each scene.", 1, 10**7)
    width: float = option(0.125, "Channels of the small HSCNet as a share of the published ones.", 0.01, 4)
    image_width_px: int = option(96, "Width of its images [px].", 32, 4096)
    ace_seconds: float = option(60.0, "Time that ACE's head learns RedKitchen, encoding not counted [s]; 0 leaves this out.",
                                0, 1e6)


@dataclass(frozen=True)
class NerfBenchConfig(Config):
    """How much of the table `nerf` is made."""

    methods: str = option("no counter-measure,distillation,replay,weighted replay,weighted replay with image centres,"
                          "replay and distillation",
                          "What is tried against forgetting in the second task, separated by commas.")
    side_px: int = option(64, "Width and height of the synthetic views [px].", 4, 800)
    epochs: int = option(0, "Passes over the rays of each task; 0: as `train nerf`.", 0, 10**6)
    chunk_steps: int = option(12, "Steps for each chunk of two frames of the synthetic stream; 0 leaves it out.", 0, 10**6)
    kitchen_frames: int = option(300, "Frames of RedKitchen; 0 leaves it out.", 0, 10**6)
    kitchen_steps: int = option(5, "Steps for each of them.", 1, 10**6)
    kitchen_voxels: int = option(1_500_000, "Corners of its grid.", 512, 2**27)
