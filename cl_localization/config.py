"""Every option once: its name, default, unit, range and help.

Command-line flags, ROS parameters (with their descriptors) and `config/*.yaml` are all made from these dataclasses; a
default is changed here and nowhere else.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from cl_localization.errors import ConfigError, did_you_mean, of_type
from cl_localization.option_names import with_present_names

ConfigT = TypeVar("ConfigT", bound="Config")
MAX_SCENE_NAME = 1000
"""Characters in the name of a scene."""


@dataclass(frozen=True)
class Option:
    """What is said of one option besides its name, type and default.

    Attributes:
        help: one sentence, with the unit where there is one.
        minimum, maximum: closed range of a number; None where there is no bound.
        choices: the values that a text may have; empty for any.
        live: whether a node takes a new value while it runs.
    """

    help: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    live: bool = False


def option(default: Any, help: str, minimum: float | None = None, maximum: float | None = None,
           choices: tuple[str, ...] = (), live: bool = False) -> Any:
    """Return a dataclass field with an `Option` in its metadata."""
    return field(default=default, metadata={"option": Option(help, minimum, maximum, choices, live)})


def section(config_class: type) -> Any:
    """Return a dataclass field that holds a nested section with its own defaults."""
    return field(default_factory=config_class)


@dataclass(frozen=True)
class Config:
    """Base of all sections: checks every value against its type and range when made."""

    def __post_init__(self) -> None:
        for spec in fields(self):
            if "option" in spec.metadata:
                checked(spec.name, getattr(self, spec.name), spec.default, spec.metadata["option"])


def checked(name: str, value: Any, default: Any, spec: Option) -> Any:
    """Return `value` if it has the default's type and lies in the option's range.

    Raises:
        ConfigError: otherwise, naming the option, the rule and the value.
    """
    kind = type(default)
    right_type = isinstance(value, kind) or (kind is float and isinstance(value, int))
    if not right_type or (kind in (int, float) and isinstance(value, bool)):
        raise ConfigError(f"option {name}", f"must be {of_type(kind)}", repr(value))
    if kind in (int, float):
        low = -math.inf if spec.minimum is None else spec.minimum
        high = math.inf if spec.maximum is None else spec.maximum
        if not low <= value <= high:
            raise ConfigError(f"option {name}", f"must lie in [{low:g}, {high:g}]", value)
    if spec.choices and value not in spec.choices:
        raise ConfigError(f"option {name}", f"must be one of {', '.join(spec.choices)}", repr(value))
    return value


def flatten(config: Config, prefix: str = "") -> Iterator[tuple[str, Any, Option]]:
    """Yield (dotted name, value, option) of every leaf option of a config, nested sections included."""
    for spec in fields(config):
        value = getattr(config, spec.name)
        if isinstance(value, Config):
            yield from flatten(value, f"{prefix}{spec.name}.")
        else:
            yield prefix + spec.name, value, spec.metadata["option"]


def with_values(config: ConfigT, values: dict[str, Any]) -> ConfigT:
    """Return a copy of `config` with leaf options replaced by dotted name.

    Raises:
        ConfigError: an unknown name (the nearest known one is suggested) or a value outside its range.
    """
    known = {name for name, _, _ in flatten(config)}
    values = with_present_names(values, known)
    for name in values:
        if name not in known:
            raise ConfigError(f"option {name}", "is unknown", remedy=did_you_mean(name, sorted(known)))
    changes: dict[str, Any] = {}
    for spec in fields(config):
        value = getattr(config, spec.name)
        if isinstance(value, Config):
            inner = {name.split(".", 1)[1]: new for name, new in values.items() if name.startswith(spec.name + ".")}
            changes[spec.name] = with_values(value, inner) if inner else value
        else:
            changes[spec.name] = values.get(spec.name, value)
    return type(config)(**changes)


@dataclass(frozen=True)
class EncoderConfig(Config):
    """The network that turns images into features."""

    name: str = option("xfeat", "Encoder: a module of cl_localization/features.", choices=("xfeat", "dinov2"))
    weights: str = option("", "Weights file (safetensors); empty: those that come with the encoder.")
    dinov2_size: str = option("small", "Size of the dinov2 network.", choices=("small", "base", "large"))
    device: str = option("auto", "Device that runs the network.", choices=("auto", "cpu", "cuda"))
    engine: str = option("auto", "Library that runs the network of xfeat on the CPU; auto: the fastest that is "
                                 "installed and works. openvino calculates in bfloat16 where the processor can, "
                                 "else mostly in 8-bit integers where that is faster.",
                         choices=("auto", "openvino", "onnx", "torch"))
    max_keypoints: int = option(2000, "Keypoints kept in an image, the strongest first.", 50, 20000)
    max_image_side_px: int = option(1280, "Larger images are scaled down to this before encoding [px].", 64, 8192)


@dataclass(frozen=True)
class MaskConfig(Config):
    """Parts of the image that are fixed to the camera, such as the robot's body: they neither map nor vote."""

    file: str = option("", "Image that is dark where the camera sees its own robot; of any size, in the shape of the "
                           "camera's images. Empty: none.")
    detect: bool = option(True, "Find what stays in place in the image while the camera turns, and leave it out.")


@dataclass(frozen=True)
class KeyframeConfig(Config):
    """Distance-based keyframes: which frames the mapper learns from."""

    min_translation_m: float = option(0.03, "A frame this far from every keyframe that looks the same way becomes a "
                                            "keyframe [m].", 0, 100)
    min_rotation_deg: float = option(3.0, "A frame turned by this much against every keyframe near it becomes a "
                                          "keyframe [deg].", 0, 180)


@dataclass(frozen=True)
class MapCodeConfig(Config):
    """The growing set of codes."""

    cell_size_m: float = option(0.02, "Edge of the voxel cells in which codes merge [m].", 1e-4, 10)
    modes_per_cell: int = option(3, "Descriptors kept in a cell, for other viewpoints and other light.", 1, 16)
    budget_mb: float = option(64.0, "Memory bound of codes and keyframes [MB]; beyond it, the codes that add least "
                                    "coverage are removed.", 0.01, 100000)


@dataclass(frozen=True)
class DepthConfig(Config):
    """Mapping with measured depth."""

    max_depth_m: float = option(6.0, "Larger depth readings are ignored [m].", 0.1, 1000)
    max_misses: int = option(3, "A code seen once is removed after this many views that should have shown it and did "
                                "not.", 1, 255)
    free_space_views: int = option(3, "Free-space culling: a code from an earlier sequence, or in a place that has "
                                      "changed, is removed after this many views that measured past it without seeing "
                                      "it; 0 keeps it.", 0, 255)


@dataclass(frozen=True)
class TriangulationConfig(Config):
    """Mapping without depth, by triangulation."""

    min_translation_share: float = option(0.04, "Without depth, as keyframes.min_translation_m, but as a share of the "
                                                "distance to what is seen: points need parallax.", 0, 10)
    min_translation_m: float = option(0.0, "Smallest such distance [m].", 0, 100)
    min_rotation_deg: float = option(8.0, "Without depth, as keyframes.min_rotation_deg [deg].", 0, 180)
    neighbours: int = option(6, "Earlier keyframes with which a new one is matched.", 1, 50)
    min_parallax_deg: float = option(1.5, "Smallest angle between two rays of a point [deg].", 0.05, 45)
    max_reprojection_error_px: float = option(2.0, "Largest reprojection error of a point in any of its views [px of a "
                                                   "640 px wide image].", 0.1, 50)
    min_views: int = option(2, "Views in which a point must have been seen.", 2, 50)
    max_views: int = option(400, "Newest keyframes whose features are kept for matching.", 2, 100000)
    pose_rotation_sigma_deg: float = option(0.5, "Standard deviation of the given orientations, for bundle adjustment "
                                                 "[deg].", 0.0001, 45)
    pose_position_sigma_share: float = option(0.01, "Standard deviation of the given positions, as a share of the "
                                                    "median distance of points.", 1e-6, 1)


@dataclass(frozen=True)
class LiveNerfConfig(Config):
    """Views of the map: from its keyframes, and by a radiance field."""

    views: str = option("keyframes", "What is shown: keyframes, drawn from those with depth, a field only learns those "
                                     "without; field, it learns all.", choices=("keyframes", "field"))
    width_px: int = option(160, "Width to which images are reduced [px].", 16, 4096)
    cell_size_m: float = option(0.04, "Edge of the field's cells at the start [m].", 0.001, 10)
    max_cell_size_m: float = option(0.32, "Largest edge of the cells [m]: they grow when the field does not fit its "
                                          "memory; beyond this size it starts anew where the robot is.", 0.001, 100)
    field_mb: float = option(100.0, "Memory bound of the field [MB].", 1, 100000)
    replay_mb: float = option(10.0, "Memory bound of the compressed keyframes that it replays [MB].", 0.001, 100000)
    max_depth_m: float = option(6.0, "What is farther away is neither learned nor rendered [m].", 0.1, 1000)
    rays: int = option(2048, "Rays of a training step.", 16, 100000)
    newest_share: float = option(0.3, "Share of these rays from the newest keyframe; the others are replayed.", 0, 1)
    settle_steps: int = option(5, "Training steps after which the PSNR of a new keyframe is measured.", 1, 10000)
    seed: int = option(0, "Random seed.", 0, 2**31 - 1)


@dataclass(frozen=True)
class RenderCheckConfig(Config):
    """Pose check: the image is compared with a view that a radiance field renders from the pose."""

    width_px: int = option(80, "Width at which they are compared [px].", 16, 1024)
    patch_px: int = option(10, "Edge of the patches that are correlated [px].", 3, 256)
    min_patches: int = option(12, "With fewer patches to compare, the check decides nothing.", 1, 100000)
    reject_below: float = option(0.25, "Without depth, a pose whose mean correlation is below this is rejected.", -1, 1)
    accept_above: float = option(0.65, "Without depth, a pose that lacks support is accepted when the mean correlation "
                                       "is above this; 1: never.", -1, 1)
    reject_surface_below: float = option(0.6, "With depth, the same for what is as far away as in the map.", -1, 1)
    accept_surface_above: float = option(0.7, "With depth, the same for what is as far away as in the map, 1: never;",
                                         -1, 1)
    accept_depth_above: float = option(0.7, "and measured and rendered depth agree in a larger share of pixels.", 0, 1)
    least_support: float = option(8.0, "Least support of a pose that is accepted this way; see pose.min_support.", 0,
                                  10000)


@dataclass(frozen=True)
class ChangeDetectionConfig(Config):
    """Change detection while mapping: places that are known, but look different now, are learned again."""

    period_s: float = option(2.0, "A frame with depth that shows no new view is checked for changes this often [s]; 0: "
                                  "never.", 0, 1e6)
    min_explained: float = option(0.65, "The place has changed when the map explains less than this share of the "
                                        "image's features, or less than two thirds of it in parts of the image.", 0, 1)
    min_translation_m: float = option(0.06, "Distance between keyframes of a place that has changed [m].", 0, 100)
    min_rotation_deg: float = option(6.0, "As min_translation_m [deg].", 0, 180)


@dataclass(frozen=True)
class MapperConfig(Config):
    """All options of the mapper."""

    scene: str = option("default", "Name of the scene that new codes belong to, 1 to 1000 characters.", live=True)
    encoder: EncoderConfig = section(EncoderConfig)
    mask: MaskConfig = section(MaskConfig)
    keyframes: KeyframeConfig = section(KeyframeConfig)
    map_code: MapCodeConfig = section(MapCodeConfig)
    depth: DepthConfig = section(DepthConfig)
    triangulation: TriangulationConfig = section(TriangulationConfig)
    change_detection: ChangeDetectionConfig = section(ChangeDetectionConfig)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= len(self.scene) <= MAX_SCENE_NAME:
            raise ConfigError("option scene", f"must have 1 to {MAX_SCENE_NAME} characters", len(self.scene))


@dataclass(frozen=True)
class PoseConfig(Config):
    """From matches to a pose, and when a pose is accepted."""

    max_keypoints: int = option(1500, "Keypoints searched in the map, the strongest first.", 50, 20000)
    max_ambiguity: float = option(0.88, "Ratio test: a match is kept when its descriptor distance is below this share "
                                        "of that to the best code of another place.", 0.1, 1.0)
    inlier_threshold_px: float = option(12.0, "Largest reprojection error of an inlier [px of a 640 px wide image].",
                                        0.5, 100)
    max_iterations: int = option(1000, "Most RANSAC iterations.", 10, 100000)
    min_inliers: int = option(30, "A pose with fewer inliers is rejected.", 4, 10000, live=True)
    min_support: float = option(25.0, "A pose with less support is rejected. Support: inliers among the unguided "
                                      "matches times their share of these.", 0, 10000, live=True)
    max_position_sigma_share: float = option(0.10, "A pose whose position has a larger standard deviation, as a share "
                                             "of the distance to what tells it, is rejected; near things tell most.",
                                             1e-5, 1000, live=True)
    max_position_sigma_m: float = option(0.0, "A pose whose position has a larger standard deviation is rejected; 0: "
                                              "no such bound [m].", 0, 100, live=True)
    seed: int = option(0, "Random seed of RANSAC.", 0, 2**31 - 1)


@dataclass(frozen=True)
class PlaceIndexConfig(Config):
    """Place recognition: the last few images are matched against the keyframes of a map."""

    sequence_length: int = option(10, "Images that are matched together.", 1, 1000)
    shortlist: int = option(256, "Keyframes most similar to an image that are considered.", 1, 100000)
    places: int = option(5, "Places returned.", 1, 1000)
    min_travel_m: float = option(0.0, "Images closer together than this are not matched, where odometry tells the "
                                      "distance [m].", 0, 100)


@dataclass(frozen=True)
class PlaceConfig(PlaceIndexConfig):
    """Place recognition in the localizer: codes around recognised keyframes are searched before the rest of the map."""

    sequence_length: int = option(5, "Images that are matched together.", 1, 1000)
    enabled: bool = option(True, "Recognise places, where the map's keyframes have descriptors.")
    search_first: int = option(2, "Keyframes around which codes are searched first: one half found by the last images "
                                  "together, the other by the newest image alone; 0 searches the whole map at once.",
                               0, 100)
    enough_support: float = option(100.0, "A pose found there with less support than this is compared with one from "
                                          "the whole map; see pose.min_support.", 0, 100000)
    min_travel_m: float = option(0.03, "Images closer together than this, turns included, are not matched, where "
                                       "odometry tells the distance [m].", 0, 100)


@dataclass(frozen=True)
class AttentionFallbackConfig(Config):
    """When the attention regressor tries again, after a pose has too little support or is uncertain."""

    min_support: float = option(3.0, "A pose with less support than this is rejected without another try; see "
                                     "pose.min_support.", 0, 10000)
    agreement_share: float = option(0.05, "Largest distance between the poses of both regressors, as a share of the "
                                          "distance to what tells the position.", 0, 1000)
    agreement_deg: float = option(2.0, "Largest angle between them [deg].", 0, 180)
    uncertain_above: float = option(0.03, "An accepted pose is tried again, too, when its position's standard "
                                          "deviation is more than this share of the distance to what it sees; the more "
                                          "certain pose is taken.", 0, 1000)


@dataclass(frozen=True)
class LocalizerConfig(Config):
    """All options of the localizer."""

    regressor: str = option("nearest_then_attention", "How features get their scene coordinates. nearest: from the "
                            "nearest code; attention: from a network that attends to the codes which the search "
                            "proposes; nearest_then_attention: nearest, and attention where the pose has too little "
                            "support.", choices=("nearest", "attention", "nearest_then_attention"))
    regressor_weights: str = option("", "Weights file (safetensors) of the attention regressor; empty: those of the "
                                        "package, which are for maps of XFeat; maps of other encoders then use nearest "
                                        "only.")
    attention_fallback: AttentionFallbackConfig = section(AttentionFallbackConfig)
    encoder: EncoderConfig = section(EncoderConfig)
    mask: MaskConfig = section(MaskConfig)
    pose: PoseConfig = section(PoseConfig)
    place: PlaceConfig = section(PlaceConfig)


@dataclass(frozen=True)
class TrackerConfig(Config):
    """From poses of single images to a pose that is trusted over time."""

    confirm_frames: int = option(2, "Poses that must agree with each other before one is trusted after LOST, or "
                                    "against the track.", 1, 20, live=True)
    overwhelming_support: float = option(100.0, "A pose with this much support is trusted at once after LOST; see "
                                                "pose.min_support.", 0, 100000, live=True)
    confirm_window_s: float = option(2.0, "Poses further apart in time do not confirm each other [s].", 0.01, 600,
                                     live=True)
    lost_after_s: float = option(1.0, "LOST after this time without a trusted full localization, or without images "
                                      "[s].", 0.01, 3600, live=True)
    gate_sigmas: float = option(4.0, "Width of the gate: standard deviations by which a pose may differ from the "
                                     "predicted one.", 0, 100, live=True)
    gate_floor_m: float = option(0.10, "Distance that always passes the gate [m].", 0, 100, live=True)
    gate_floor_deg: float = option(3.0, "Angle that always passes the gate [deg].", 0, 180, live=True)
    drift_share: float = option(0.05, "Error of the odometry, as a share of the distance and of the turns.", 0, 1,
                                live=True)
    drift_deg_per_m: float = option(1.0, "Error of the odometry's heading [deg per m travelled].", 0, 180, live=True)
    max_speed_m_s: float = option(3.0, "Largest speed of the camera [m/s]: predicts its motion without odometry, and "
                                       "detects jumps of the odometry.", 0.001, 1000, live=True)
    max_turn_deg_s: float = option(240.0, "Largest turn rate of the camera, as max_speed_m_s [deg/s].", 0.1, 100000,
                                   live=True)
    odometry_reject_frames: int = option(5, "Poses in a row that agree with each other but not with the odometry until "
                                            "the odometry monitor rejects it.", 2, 100, live=True)


@dataclass(frozen=True)
class FlowConfig(Config):
    """Poses by optical flow between full localizations."""

    enabled: bool = option(True, "Carry the pose of the last full localization to newer images by optical flow, so "
                                 "that every image gets a pose; false: localize as many images fully as possible.")
    period_s: float = option(0.3, "While flow carries the pose, an image is localized fully this often [s], or at once "
                                   "when flow gets weak; 0: as often as possible.", 0, 10, live=True)


@dataclass(frozen=True)
class SmoothingConfig(Config):
    """How quickly map -> odom follows the poses while TRACKING."""

    max_speed_m_s: float = option(0.5, "Largest speed at which corrections move the robot in the map [m/s].", 0.001,
                                  1000, live=True)
    max_turn_deg_s: float = option(30.0, "Largest rate at which corrections turn the robot in the map [deg/s].", 0.01,
                                   100000, live=True)
