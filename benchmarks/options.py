"""Options of single tables of `bench`, apart so that the command's help needs nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass

from cl_localization.config import Config, option

POLICIES = ("none", "Random", "Imgbal", "CoverageS", "Redundant")
METHODS = ("map_code", *POLICIES, "joint", *(f"learned_{policy}" for policy in (*POLICIES, "joint")))


@dataclass(frozen=True)
class ContinualBenchConfig(Config):
    """Sizes of the table `continual`; most of its time goes into the small HSCNet: methods times seeds times
    iterations."""

    rooms: int = option(4, "Simulated rooms after RedKitchen.", 1, 12)
    frames: int = option(140, "Frames of the way through each simulated room.", 8, 10000)
    room_queries: str = option("same", "What is asked for in them: every fourth frame of the same way, not learned, or "
                                       "frames of another "
                               "way.", choices=("same", "other"))
    stream: str = option("even", "Rooms of even length, or as a robot sees them: of 0.3 to 1.7 times as many frames, "
                                 "with two stops of 15 s in each.", choices=("even", "robot"))
    queries: int = option(40, "Most frames of a scene that are asked for, after every scene.", 4, 10000)
    methods: str = option("map_code,none,Random,CoverageS,Redundant,joint",
                          "Methods, separated by commas: map_code, and trainings of the "
                          "small HSCNet: none (no replay), Random, Imgbal, CoverageS, Redundant, joint; learned_none, "
                          "learned_Random and so on: learned codes, learned_joint: with every keyframe kept.")
    seeds: int = option(3, "Trainings with each method.", 1, 100)
    seed: int = option(0, "The first seed.", 0, 10**6)
    buffer_size: int = option(40, "Frames in every replay buffer.", 2, 10**6)
    iterations: int = option(500, "Steps of the small HSCNet for each scene.", 1, 10**7)
    width: float = option(0.25, "Channels of the small HSCNet as a share of the published ones.", 0.01, 4)
    image_width_px: int = option(96, "Width of its images [px].", 32, 4096)
    learned_kb: float = option(500.0, "Size of the map of learned codes [kB].", 10, 10**6)
    learned_replay_mb: float = option(4.0, "Size of its replay buffer [MB].", 0.05, 10**6)
    learned_steps: int = option(1500, "Steps of the learned codes at the end of each scene.", 1, 10**7)
    learned_room: bool = option(False, "Also make the table of RedKitchen in 100 kB.")
    rooms_twice: int = option(2, "Simulated rooms that are mapped twice, with changes between; 0 leaves this out.", 0,
                              100)
    ace_seconds: float = option(60.0, "Time that ACE's head learns RedKitchen, encoding not counted [s]; 0 leaves this "
                                      "out.",
                                0, 1e6)


@dataclass(frozen=True)
class RegressorBenchConfig(Config):
    """How much of the table `regressors` is made."""

    queries: int = option(0, "Queries of each set, evenly spread; 0 for all.", 0, 10000)
    elsewhere: int = option(140, "Images of other simulated houses that are tried as they are, and as many changed; 0 "
                                 "leaves them out.",
                            0, 10000)


@dataclass(frozen=True)
class NerfBenchConfig(Config):
    """How much of the table `nerf` is made."""

    parts: str = option("", "Tables: tasks, stream, room, views, beside; separated by commas, all of them when empty.")
    methods: str = option("", "What is tried against forgetting in the second task or on the synthetic stream, "
                              "separated by commas; everything in a table of which none is named.")
    side_px: int = option(64, "Width and height of the synthetic views [px].", 4, 800)
    epochs: int = option(0, "Passes over the rays of each task; 0: as `train nerf`.", 0, 10**6)
    seeds: int = option(1, "Seeds; tables of tasks give means and standard deviations.", 1, 100)
    chunk_steps: int = option(12, "Steps for each chunk of two frames of the synthetic stream.", 1, 10**6)
    kitchen_frames: int = option(300, "Frames of RedKitchen.", 8, 10**6)
    kitchen_steps: int = option(5, "Steps for each of them.", 1, 10**6)
    view_steps: int = option(8, "Training steps of the live field for each keyframe.", 1, 1000)
    kitchen_voxels: int = option(1_500_000, "Corners of its grid.", 512, 2**27)


@dataclass(frozen=True)
class PoseCheckBenchConfig(Config):
    """How much of the table `pose_check` is made."""

    rooms: int = option(2, "Simulated rooms in which poses are checked.", 1, 100)
    seed: int = option(31, "The first of them.", 0, 10**6)
    frames: int = option(140, "Frames of the way through each; and at most so many of RedKitchen.", 8, 10000)
    queries: int = option(40, "Queries of a set; every room has seven.", 2, 10000)
    others: int = option(3, "Simulated houses whose images are tried against each map, as many of each.", 1, 100)
    steps: int = option(5, "Steps in which the field learns a keyframe.", 1, 1000)
    support: float = option(8.0, "Support that is enough for poses that a rendered view confirms.", 0, 10000)


@dataclass(frozen=True)
class SlamBenchConfig(Config):
    """Mapping with own poses."""

    parts: str = option("kitchen,house,six_rooms,laps,carried,without_depth,twins,afterwards,node",
                        "Which rows, separated by commas: RedKitchen where it is, a house of two rooms, one of six, "
                        "two laps with drifting odometry, a camera that is carried away again and again, without depth "
                        "RedKitchen, the house, and the house with drifting odometry, houses whose rooms look the "
                        "same, localizing afterwards in the house and in RedKitchen, the mapper's node with "
                        "images over DDS.")
    twins: int = option(20, "Houses whose rooms look the same.", 1, 1000)
