"""Helpers of the launch files: launch arguments that set parameters and remappings of our nodes.

A launch argument overrides `params_file`, which overrides the default.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from ament_index_python.packages import PackageNotFoundError, get_package_prefix, get_package_share_directory
from launch.actions import DeclareLaunchArgument, LogInfo, OpaqueFunction, SetEnvironmentVariable
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from cl_localization.config import flatten
from cl_localization.errors import ConfigError, of_type
from cl_localization.ros.nodes.parameters_yaml import NODE_CONFIGS
from launch import Action, LaunchContext, LaunchDescription

PACKAGE = "cl_localization"
PROFILE_VARIABLES = ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE")
HEED_PROFILE = "RMW_FASTRTPS_USE_QOS_FROM_XML"


@dataclass(frozen=True)
class Argument:
    """One launch argument.

    Attributes:
        help: one sentence, shown by `ros2 launch ... --show-args`.
        default: default of the argument; "" does not set the parameter.
        parameter: the parameter it sets; empty for none.
        topic: the topic it remaps; empty for none.
    """

    help: str
    default: str = ""
    parameter: str = ""
    topic: str = ""


def topic(name: str, help: str) -> Argument:
    """Return the argument that remaps the node's topic `name`."""
    return Argument(help, name, topic=name)


COMMON = {
    "params_file": Argument("YAML file with parameters of the node, like those in config/ of the package."),
    "use_sim_time": Argument("Use /clock, for bags and simulators.", parameter="use_sim_time"),
    "namespace": Argument("Namespace of the node."),
    "private_tf": Argument("true: tf of the namespace (NAMESPACE/tf), as Nav2 has it for several robots.", "false"),
    "frame_prefix": Argument("Put before the frames of odometry and robot, as robot1/, where robots share one tf."),
    "autostart": Argument("false: leave configuring and activating to a lifecycle manager.", parameter="autostart"),
    "respawn": Argument("true: start the node again when it dies.", "false"),
    "log_level": Argument("Least severity of log lines: debug, info, warn or error.", "info"),
    "encoder": Argument("Feature network: xfeat or dinov2; the same in mapper and localizer.",
                        parameter="encoder.name"),
    "transport": Argument("raw or compressed images.", parameter="images.transport"),
    "rectified": Argument("Whether the images are rectified: auto (by the topic's name), always or never.",
                          parameter="images.rectified"),
    "map_file": Argument("Map file of the node.", parameter="map_file"),
    "map_frame": Argument("Frame of the map.", parameter="frames.map"),
    "odom_frame": Argument("Frame of the odometry; 'none' without odometry.", parameter="frames.odom"),
    "base_frame": Argument("Frame of the robot.", parameter="frames.base"),
    "camera_frame": Argument("Optical frame of the camera, if the images name another.", parameter="frames.camera"),
    "image": topic("image", "Topic of the images; with transport compressed, without its suffix /compressed."),
    "camera_info": topic("camera_info", "Topic of the camera calibration."),
    "map_code": topic("map_code", "Topic of the map, from the mapper to localizers."),
}
DEPTH = {
    "depth": topic("depth", "Topic of the depth images, registered to colour."),
    "depth_transport": Argument("raw, compressed or compressedDepth depth images.",
                                parameter="images.depth_transport"),
    "depth_unit_m": Argument("Unit of 16-bit depth [m].", parameter="images.depth_unit_m"),
    "depth_camera_info": topic("depth_camera_info", "Topic of the depth camera's calibration, for depth in a frame of "
                                                    "its own."),
}
MAPPING = {
    "scene": Argument("Name of the scene that new codes belong to.", parameter="scene"),
    "budget_mb": Argument("Memory bound of the map [MB].", parameter="map_code.budget_mb"),
    "nerf": Argument("Train a radiance field beside the map: true or false.", parameter="nerf.enabled"),
    "learning": Argument("Update the map from the start: true or false.", parameter="learning"),
    "resume": Argument("Extend the map in map_file if there is one: true or false.", parameter="resume"),
    "autosave_period_s": Argument("Period of saving a changed map; 0: off [s].", parameter="autosave_period_s"),
    "save_on_shutdown": Argument("Save the map to map_file on shutdown: true or false.",
                                 parameter="save_on_shutdown"),
}
COMPOSED = {"composed": Argument("true: mapper and localizer in one process, which encodes each image once.", "false")}
RVIZ = {"rviz": Argument("Start RViz with the package's view.", "false")}
PREFIXED = ("frames.odom", "frames.base")
PRIVATE_TF = [("/tf", "tf"), ("/tf_static", "tf_static")]
TRUE, FALSE = ("true", "1", "yes"), ("false", "0", "no")
SIGTERM_TIMEOUT_S = "15"
"""A mapper needs some seconds after SIGINT for the image in work and the last save."""


def declarations(arguments: dict[str, Argument]) -> list[DeclareLaunchArgument]:
    """Return the actions that declare launch arguments."""
    return [DeclareLaunchArgument(name, default_value=argument.default, description=argument.help)
            for name, argument in arguments.items()]


def description(executable: str, arguments: dict[str, Argument]) -> LaunchDescription:
    """Return the launch description of one of our nodes and RViz."""
    return LaunchDescription([*declarations(arguments | RVIZ), *dds_profile(), our_node(executable, arguments), rviz()])


def our_node(executable: str, arguments: dict[str, Argument], fixed: dict[str, object] | None = None,
             remaps: dict[str, str] | None = None) -> OpaqueFunction:
    """Return the action that starts a node with the values of its arguments, fixed parameters and remappings."""
    def start(context: LaunchContext) -> list[Node]:
        composed = is_true(context, "composed")
        if composed and executable == "localizer":
            return []  # it runs in the mapper's process
        given = {name: LaunchConfiguration(name).perform(context) for name in arguments}
        values = {argument.parameter: _typed(executable, name, argument.parameter, given[name])
                  for name, argument in arguments.items() if argument.parameter and given[name]}
        topics = [(argument.topic, given[name]) for name, argument in arguments.items() if argument.topic]
        # the composed nodes keep their own names, and ignore each other's parameters
        in_one = composed and executable == "mapper"
        return [Node(package=PACKAGE, executable="composed" if in_one else executable,
                     name=None if in_one else executable, output="screen",
                     parameters=[*_params_file(given), _with_prefix(executable, values, given) | (fixed or {})],
                     remappings=topics + list((remaps or {}).items()) + _tf_remappings(context),
                     namespace=given.get("namespace", ""), respawn=is_true(context, "respawn"), respawn_delay=1.0,
                     ros_arguments=["--log-level", given.get("log_level") or "info"],
                     sigterm_timeout=SIGTERM_TIMEOUT_S)]
    return OpaqueFunction(function=start)


def rviz() -> OpaqueFunction:
    """Return the action that starts RViz if the argument `rviz` is true; without RViz the nodes run on."""
    def start(context: LaunchContext) -> list[Action]:
        if not is_true(context, "rviz"):
            return []
        try:
            get_package_prefix("rviz2")
        except PackageNotFoundError:
            return [LogInfo(msg="launch argument rviz: the package rviz2 is not installed; the nodes run without it")]
        namespace = context.launch_configurations.get("namespace", "")
        return [Node(package="rviz2", executable="rviz2", arguments=["-d", str(_view_of(namespace))],
                     namespace=namespace, remappings=_tf_remappings(context))]
    return OpaqueFunction(function=start)


def is_true(context: LaunchContext, name: str) -> bool:
    """Return the value of a launch argument that is true or false; false if it is not declared.

    Raises:
        ConfigError: it is neither.
    """
    return _truth(name, context.launch_configurations.get(name, "false"))


def _tf_remappings(context: LaunchContext) -> list[tuple[str, str]]:
    return PRIVATE_TF if is_true(context, "private_tf") else []


def _view_of(namespace: str) -> Path:
    """Return the package's RViz view, or one of the same topics in a namespace."""
    view = Path(get_package_share_directory(PACKAGE)) / "rviz" / "cl_localization.rviz"
    if not namespace.strip("/"):
        return view
    text = view.read_text(encoding="utf-8").replace("Value: /", f"Value: /{namespace.strip('/')}/")
    with tempfile.NamedTemporaryFile("w", suffix=".rviz", delete=False, encoding="utf-8") as file:
        file.write(text)
    return Path(file.name)


def _params_file(given: dict[str, str]) -> list[str]:
    """Return the file of the argument params_file. Raises ConfigError if it is not there."""
    path = given.get("params_file", "")
    if path and not Path(path).is_file():
        raise ConfigError("launch argument params_file", "must be a file", path)
    return [path] if path else []


def _with_prefix(executable: str, values: dict[str, object], given: dict[str, str]) -> dict[str, object]:
    """Return parameters with the prefix before the names of the robot's own frames."""
    prefix = given.get("frame_prefix", "")
    if not prefix:
        return values
    defaults = {name: value for name, value, _ in flatten(NODE_CONFIGS[executable]) if name in PREFIXED}
    names = defaults | {name: value for name, value in values.items() if name in PREFIXED}
    return values | {name: f"{prefix}{frame}" for name, frame in names.items() if frame}


def dds_profile() -> list[SetEnvironmentVariable]:
    """Return the actions that select our Fast DDS profile, with larger buffers, unless the user has set one."""
    if any(variable in os.environ for variable in PROFILE_VARIABLES):
        return []
    profile = str(Path(get_package_share_directory(PACKAGE)) / "config" / "fastdds.xml")
    return [SetEnvironmentVariable(HEED_PROFILE, "1"), *(SetEnvironmentVariable(variable, profile)
                                                         for variable in PROFILE_VARIABLES)]


def _typed(executable: str, name: str, parameter: str, text: str) -> object:
    """Return a launch argument's text converted to the parameter's type; 'none' becomes ''.

    Raises:
        ConfigError: it cannot be converted.
    """
    kinds = {option: type(value) for option, value, _ in flatten(NODE_CONFIGS[executable])} | {"use_sim_time": bool}
    if kinds[parameter] is bool:
        return _truth(name, text)
    if kinds[parameter] is str:
        return "" if text == "none" else text
    try:
        return kinds[parameter](text)
    except ValueError:
        raise ConfigError(f"launch argument {name}", f"must be {of_type(kinds[parameter])}", repr(text)) from None


def _truth(name: str, text: str) -> bool:
    if text.lower() not in TRUE + FALSE:
        raise ConfigError(f"launch argument {name}", "must be true or false", repr(text))
    return text.lower() in TRUE
