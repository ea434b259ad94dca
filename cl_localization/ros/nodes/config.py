"""Every parameter of the three nodes: what the core can be told, and what only a node needs to know."""

from __future__ import annotations

from dataclasses import dataclass

from cl_localization.config import (
    Config,
    LiveNerfConfig,
    LocalizerConfig,
    MapperConfig,
    RenderCheckConfig,
    SmoothingConfig,
    TrackerConfig,
    option,
    section,
)

TRANSPORTS = ("raw", "compressed")


@dataclass(frozen=True)
class FramesConfig(Config):
    """Names of the tf frames; the camera's comes from the header of its images."""

    map: str = option("map", "Frame of the map.")
    odom: str = option("odom", "Frame of the odometry; empty when there is none, the map then carries the base.")
    base: str = option("base_link", "Frame of the robot.")
    tf_wait_s: float = option(0.2, "Longest wait for the transform at an image's stamp [s].", 0, 5)


@dataclass(frozen=True)
class ImagesConfig(Config):
    """How images come in."""

    transport: str = option("raw", "`compressed` subscribes to image/compressed instead of image.", choices=TRANSPORTS)
    slop_s: float = option(0.02, "Stamps of image, camera_info and depth that differ less belong together [s].", 1e-6,
                           1)
    queue_size: int = option(10, "Messages of each topic that wait for their counterparts.", 1, 1000)
    max_pixels: int = option(40_000_000, "Larger images are refused.", 1, 2**31 - 1)


@dataclass(frozen=True)
class NodeConfig(Config):
    """What every node has."""

    autostart: bool = option(True, "Configure and activate at once; false leaves that to a lifecycle manager.")
    diagnostics_period_s: float = option(1.0, "Time between messages on /diagnostics [s].", 0.05, 3600)


@dataclass(frozen=True)
class VisionNodeConfig(NodeConfig):
    """What the nodes that look at images have."""

    threads: int = option(0, "Threads that network and search may use; 0 takes one a core, and half of that for a "
                             "mapper with niceness.",
                          0, 256)
    map_file: str = option("", "Map to load at the start; ~/save_map without a path writes here. Empty starts without "
                               "a map.")
    frames: FramesConfig = section(FramesConfig)
    images: ImagesConfig = section(ImagesConfig)


@dataclass(frozen=True)
class MapTopicConfig(Config):
    """How the localizer follows the mapper."""

    follow: bool = option(True, "Take the map from the topic map_code as it grows.")
    max_message_mb: float = option(1024.0, "Larger map messages are refused [MB].", 0.01, 100_000)
    resync_period_s: float = option(1.0, "After missing a change, the topic is subscribed anew this often [s].", 0.1,
                                    60)


@dataclass(frozen=True)
class RenderCheckNodeConfig(RenderCheckConfig):
    """Poses checked by looking, with the radiance field that the mapper saved beside the map."""

    enabled: bool = option(False, "Compare images with what the field beside map_file, or beside the map that "
                                  "~/load_map names, shows from "
                           "their poses; a map that comes by map_code alone has none.")


@dataclass(frozen=True)
class LocalizerNodeConfig(VisionNodeConfig, LocalizerConfig):
    """All parameters of the node `localizer`."""

    publish_tf: bool = option(True, "Send trusted poses to tf; one localizer of a robot may, others serve with their "
                                    "poses.", live=True)
    transform_tolerance_s: float = option(0.1,
                                          "map -> odom is stamped this long after the present, so that it can be used "
                                          "now [s].",
                                          0, 10, live=True)
    tf_period_s: float = option(0.05, "Time between two map -> odom; new ones also come with every trusted pose [s].",
                                0.005, 10)
    two_d: bool = option(False, "The robot drives on the plane z = 0 of the map: height, roll and pitch of map -> base "
                                "are 0.", live=True)
    publish_initial_pose: bool = option(False, "Send the base's first trusted pose to /initialpose, once, for AMCL.")
    path_length: int = option(2000, "Poses kept on ~/path.", 1, 1_000_000)
    tracker: TrackerConfig = section(TrackerConfig)
    smoothing: SmoothingConfig = section(SmoothingConfig)
    map_topic: MapTopicConfig = section(MapTopicConfig)
    render_check: RenderCheckNodeConfig = section(RenderCheckNodeConfig)


@dataclass(frozen=True)
class PoseSourceConfig(Config):
    """Where the mapper has the poses of its images from."""

    source: str = option(
        "tf",
        "`tf`: map to camera; `odometry`: the topic odom; `pose`: the topic pose, a PoseStamped.",
        choices=("tf", "odometry", "pose"),
    )
    pose_of: str = option("camera", "Whose poses the topics pose and corrected_path hold: the camera's or the base's.",
                         choices=("camera", "base"))


@dataclass(frozen=True)
class NerfNodeConfig(LiveNerfConfig):
    """The radiance field of the mapper."""

    enabled: bool = option(
        False, "Learn a radiance field beside the map, and show it on ~/nerf/image and ~/nerf/depth."
    )
    seconds_per_second: float = option(0.2, "Share of the time in which it is learned, on one core.", 0.001, 1)
    max_renders_hz: float = option(1.0, "Most views rendered a second, while somebody looks [Hz].", 0.01, 100)


@dataclass(frozen=True)
class MapperNodeConfig(VisionNodeConfig, MapperConfig):
    """All parameters of the node `mapper`."""

    learning: bool = option(True, "Learn from the start; ~/set_learning changes it.")
    niceness: int = option(10, "Added to the niceness of the thread that learns, so that localizing goes first; above "
                               "0 it takes only time "
                           "that nobody wants while there is some. Without effect in one process with the localizer.",
                           0, 19)
    depth_images: str = option("auto", "`on` waits for a depth image with every image, `auto` does while somebody "
                                       "publishes depth.",
                        choices=("auto", "on", "off"))
    save_on_shutdown: bool = option(True, "Save the map to map_file when the node ends, if it has changed.")
    resume: bool = option(True, "Load map_file at the start when it exists, and learn on; false begins another map, "
                                "and the one "
                          "there is set aside when that is saved.")
    autosave_period_s: float = option(30.0, "Save the map to map_file this often while it changes; 0 never [s].", 0,
                                      86400)
    autosave_keyframes: int = option(50, "Save the map to map_file after this many new keyframes; 0 does not count "
                                         "them.", 0, 1_000_000)
    map_code_period_s: float = option(0.2, "Least time between two messages on map_code [s].", 0, 60)
    poses: PoseSourceConfig = section(PoseSourceConfig)
    nerf: NerfNodeConfig = section(NerfNodeConfig)


@dataclass(frozen=True)
class SequencePlayerConfig(NodeConfig):
    """All parameters of the node `sequence_player`."""

    sequence: str = option("", "What to play: a folder, file, bag or sim:SEED, as the command line takes it.")
    format: str = option("auto", "Layout of the sequence; auto recognises it.")
    rate: float = option(1.0, "Speed: 2 plays twice as fast as recorded; 0 as fast as frames can be read.", 0, 1000,
                         live=True)
    loop: bool = option(False, "Start again at the end.")
    start: int = option(0, "Index of the first frame played.", 0, 2**31 - 1)
    stop: int = option(0, "Index after the last frame played; 0 plays to the end.", 0, 2**31 - 1)
    transport: str = option("raw", "Publish image or image/compressed.", choices=TRANSPORTS)
    depth: bool = option(True, "Publish depth where the sequence has it.")
    odometry: bool = option(True, "Publish odom and its tf where the sequence has odometry.")
    clock: bool = option(False, "Publish /clock with the stamps, for nodes with use_sim_time.")
    stamps: str = option("now", "`now` moves the stamps to the time of playing; `original` keeps them.",
                         choices=("now", "original"))
    wait_for_subscribers: int = option(0, "Subscribers of the image to wait for before the first frame.", 0, 100)
    wait_timeout_s: float = option(10.0, "Longest wait for subscribers; then it plays all the same [s].", 0, 3600)
    exit_when_done: bool = option(False, "End the process after the last frame.")
    map_frame: str = option("map", "Frame of the ground truth.")
    odom_frame: str = option("odom", "Frame of the odometry.")
    base_frame: str = option("base_link", "Frame of the robot.")
    camera_frame: str = option("camera_optical_frame", "Frame of the images.")
