"""Every parameter of the three nodes: the options of the core, and those of the nodes."""

from __future__ import annotations

from dataclasses import dataclass

from cl_localization.config import (
    Config,
    FlowConfig,
    LiveNerfConfig,
    LocalizerConfig,
    MapperConfig,
    RenderCheckConfig,
    SmoothingConfig,
    TrackerConfig,
    option,
    section,
)
from cl_localization.data.message_camera import RECTIFIED
from cl_localization.mapping.learned.options import CODES, CODES_HELP, LearnedCodesConfig
from cl_localization.mapping.slam.options import SlamConfig
from cl_localization.ros.paths import at_home

TRANSPORTS = ("raw", "compressed")
DEPTH_TRANSPORTS = (*TRANSPORTS, "compressedDepth")


@dataclass(frozen=True)
class FramesConfig(Config):
    """Names of the tf frames; a leading slash is ignored."""

    map: str = option("map", "Frame of the map.")
    odom: str = option("odom", "Frame of the odometry; empty without odometry, tf then gets map -> base.")
    base: str = option("base_link", "Frame of the robot.")
    camera: str = option("", "Optical frame of the camera (z ahead, y down); empty: frame_id of the images.")
    tf_wait_s: float = option(0.2, "Longest wait for the transform at an image's timestamp [s].", 0, 5)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("map", "odom", "base", "camera"):
            object.__setattr__(self, name, getattr(self, name).lstrip("/"))


@dataclass(frozen=True)
class ImagesConfig(Config):
    """Image and depth subscriptions."""

    transport: str = option("raw", "`compressed` subscribes to image/compressed instead of image.", choices=TRANSPORTS)
    slop_s: float = option(0.02, "Largest time between image, camera_info and depth that are paired [s].", 1e-6, 1)
    queue_size: int = option(10, "Messages of each topic kept for pairing.", 1, 1000)
    max_pixels: int = option(40_000_000, "Images with more pixels are refused.", 1, 2**31 - 1)
    rectified: str = option("auto", "Whether the images are rectified, so that P of camera_info holds, not K and D: "
                                    "`always`, `never`, or `auto`: where the topic has the word rect or rectified in "
                                    "its name.", choices=RECTIFIED)
    depth_transport: str = option("raw", "`compressedDepth` subscribes to depth/compressedDepth instead of depth, "
                                         "`compressed` to depth/compressed.", choices=DEPTH_TRANSPORTS)
    depth_unit_m: float = option(0.001, "Unit of 16-bit depth [m]; floating-point depth is in metres.", 1e-6, 1)


@dataclass(frozen=True)
class NodeConfig(Config):
    """Parameters of every node."""

    autostart: bool = option(True, "Configure and activate at the start; false leaves it to a lifecycle manager.")
    diagnostics_period_s: float = option(1.0, "Time between messages on /diagnostics [s].", 0.05, 3600)


@dataclass(frozen=True)
class VisionNodeConfig(NodeConfig):
    """Parameters of the nodes that process images."""

    threads: int = option(0, "Threads for network and search; 0: one for each core, half of that in a mapper with "
                             "niceness.", 0, 256)
    map_file: str = option("", "Map to load at the start; ~/save_map without a path writes it. Empty: start without "
                               "a map.")
    frames: FramesConfig = section(FramesConfig)

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "map_file", at_home(self.map_file))


@dataclass(frozen=True)
class PublishedPoseConfig(Config):
    """How a node that finds the robot's pose publishes it."""

    publish_tf: bool = option(True, "Publish map -> odom on tf from trusted poses; only one node of a robot may. A "
                                    "localizer leaves it to a mapper that finds its own poses.", live=True)
    transform_tolerance_s: float = option(0.1, "map -> odom is stamped this far in the future, so that it is valid "
                                               "until the next one [s].", 0, 10, live=True)
    tf_period_s: float = option(0.05, "Period of map -> odom; each trusted pose also publishes one [s].", 0.005, 10)
    path_length: int = option(2000, "Newest poses kept in ~/path.", 1, 1_000_000)
    smoothing: SmoothingConfig = section(SmoothingConfig)


@dataclass(frozen=True)
class MapTopicConfig(Config):
    """Live map updates from the mapper."""

    follow: bool = option(True, "Receive the map and its updates from the topic map_code.")
    max_message_mb: float = option(1024.0, "Larger map messages are refused [MB].", 0.01, 100_000)
    resync_period_s: float = option(1.0, "Time between new subscriptions to map_code after a lost update [s].", 0.1, 60)


@dataclass(frozen=True)
class RenderCheckNodeConfig(RenderCheckConfig):
    """Pose check: the image is compared with the view of the map from its pose, which the mapper saved beside it."""

    enabled: bool = option(True, "Check each pose by the view of what a mapper with nerf.enabled saved beside the map "
                                 "file. Without that file, or with a map from map_code, no pose is checked.")


@dataclass(frozen=True)
class LocalizerNodeConfig(VisionNodeConfig, PublishedPoseConfig, LocalizerConfig):
    """All parameters of the node `localizer`."""

    images: ImagesConfig = section(ImagesConfig)
    depth_images: str = option("off", "`auto`: while depth has a publisher, the pose check compares only what is as "
                                      "far away as in the map; `on`: use only images with depth; `off`: no depth.",
                               choices=("auto", "on", "off"))
    two_d: bool = option(False, "The robot moves in the plane z = 0 of the map: z, roll and pitch of map -> base are "
                                "set to 0.", live=True)
    publish_initial_pose: bool = option(False, "Publish the first trusted base pose, and that after each loss, on "
                                               "initialpose, for AMCL.")
    tracker: TrackerConfig = section(TrackerConfig)
    flow: FlowConfig = section(FlowConfig)
    map_topic: MapTopicConfig = section(MapTopicConfig)
    render_check: RenderCheckNodeConfig = section(RenderCheckNodeConfig)


@dataclass(frozen=True)
class PoseSourceConfig(Config):
    """Source of the camera poses for mapping."""

    source: str = option("tf", "`tf`: map -> camera; `odometry`: the topic odom; `pose`: the topic pose, a "
                               "PoseStamped, PoseWithCovarianceStamped, TransformStamped or Odometry; `self`: the map "
                               "finds its own poses and publishes them.",
                         choices=("tf", "odometry", "pose", "self"))
    pose_of: str = option("camera", "Frame whose poses the topics pose and corrected_path hold, where the messages "
                                    "do not name it.",
                          choices=("camera", "base"))
    max_sigma_m: float = option(0.3, "Poses of a PoseWithCovarianceStamped with a larger standard deviation of the "
                                     "position are not used [m].", 1e-6, 1e6)


@dataclass(frozen=True)
class NerfNodeConfig(LiveNerfConfig):
    """Views of what the mapper believes."""

    enabled: bool = option(False, "Show what is mapped on ~/nerf/image and ~/nerf/depth, and save it beside the map "
                                  "for the pose check: keyframes with depth, and a field of those without.")
    seconds_per_second: float = option(0.2, "Share of one core's time spent on training.", 0.001, 1)
    max_renders_hz: float = option(1.0, "Largest rate of rendered views; rendered only with subscribers [Hz].", 0.01,
                                   100)


@dataclass(frozen=True)
class MapperNodeConfig(VisionNodeConfig, PublishedPoseConfig, MapperConfig):
    """All parameters of the node `mapper`."""

    images: ImagesConfig = section(ImagesConfig)
    learning: bool = option(True, "Update the map from the start; ~/set_learning switches it.")
    niceness: int = option(10, "Added to the niceness of the mapping thread, which above 0 also prefers idle CPU time, "
                               "so that localizing goes first. No effect in one process with the localizer.", 0, 19)
    depth_images: str = option("auto", "`on`: use only images with a depth image; `auto`: the same while depth has a "
                                       "publisher; `off`: no depth.", choices=("auto", "on", "off"))
    save_on_shutdown: bool = option(True, "Save a changed map to map_file when the node shuts down.")
    resume: bool = option(True, "Load map_file at the start if it exists, and extend that map; false: start a new "
                                "map, the first save then renames the old file.")
    autosave_period_s: float = option(30.0, "Period of saving a changed map to map_file; 0: off [s].", 0, 86400)
    autosave_keyframes: int = option(50, "Save the map to map_file after this many new keyframes; 0: off.", 0,
                                     1_000_000)
    map_code_period_s: float = option(0.2, "Shortest time between two messages on map_code [s].", 0, 60)
    poses: PoseSourceConfig = section(PoseSourceConfig)
    codes: str = option("grown", CODES_HELP + " Those are what map_code carries; map_file has the grown ones.",
                        choices=CODES)
    learned: LearnedCodesConfig = section(LearnedCodesConfig)
    slam: SlamConfig = section(SlamConfig)
    nerf: NerfNodeConfig = section(NerfNodeConfig)


@dataclass(frozen=True)
class SequencePlayerConfig(NodeConfig):
    """All parameters of the node `sequence_player`."""

    sequence: str = option("", "Sequence to play: folder, file, bag or sim:SEED, as on the command line.")
    format: str = option("auto", "Format of the sequence; auto detects it.")
    rate: float = option(1.0, "Playback rate: 2 plays twice as fast as recorded; 0: as fast as frames can be read.", 0,
                         1000, live=True)
    loop: bool = option(False, "Start over at the end.")
    start: int = option(0, "Index of the first frame played.", 0, 2**31 - 1)
    stop: int = option(0, "Index after the last frame played; 0 plays to the end.", 0, 2**31 - 1)
    transport: str = option("raw", "Publish image or image/compressed.", choices=TRANSPORTS)
    depth: bool = option(True, "Publish depth if the sequence has it.")
    odometry: bool = option(True, "Publish odom and its tf if the sequence has odometry.")
    map_tf: bool = option(False, "Publish the true map -> odom on tf, or map -> base without odometry, as a SLAM "
                                 "would.")
    clock: bool = option(False, "Publish the timestamps on /clock, for nodes with use_sim_time.")
    stamps: str = option("now", "`now`: timestamps are the time of publishing; `original`: those of the sequence.",
                         choices=("now", "original"))
    wait_for_subscribers: int = option(0, "Number of image subscribers to wait for before the first frame.", 0, 100)
    wait_timeout_s: float = option(10.0, "Longest wait for subscribers, playback then starts without them [s].", 0,
                                   3600)
    exit_when_done: bool = option(False, "End the process after the last frame.")
    map_frame: str = option("map", "Frame of the ground truth.")
    odom_frame: str = option("odom", "Frame of the odometry.")
    base_frame: str = option("base_link", "Frame of the robot.")
    camera_frame: str = option("camera_optical_frame", "Frame of the images.")
