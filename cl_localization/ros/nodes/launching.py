"""Helpers of the launch files: launch arguments that set parameters and remappings of our nodes.

A launch argument overrides `params_file`, which overrides the default.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch.actions import DeclareLaunchArgument, OpaqueFunction, SetEnvironmentVariable
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from cl_localization.config import flatten
from cl_localization.ros.nodes.parameters_yaml import NODE_CONFIGS
from launch import LaunchContext, LaunchDescription

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
    "encoder": Argument("Feature network: xfeat or dinov2; the same in mapper and localizer.",
                        parameter="encoder.name"),
    "transport": Argument("raw or compressed images.", parameter="images.transport"),
    "map_file": Argument("Map file of the node.", parameter="map_file"),
    "map_frame": Argument("Frame of the map.", parameter="frames.map"),
    "odom_frame": Argument("Frame of the odometry; 'none' without odometry.", parameter="frames.odom"),
    "base_frame": Argument("Frame of the robot.", parameter="frames.base"),
    "image": topic("image", "Topic of the images; with transport compressed, without its suffix /compressed."),
    "camera_info": topic("camera_info", "Topic of the camera calibration."),
    "map_code": topic("map_code", "Topic of the map, from the mapper to localizers."),
}
COMPOSED = {"composed": Argument("true: mapper and localizer in one process, which encodes each image once.", "false")}
RVIZ = {"rviz": Argument("Start RViz with the package's view.", "false")}


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
        composed = context.launch_configurations.get("composed", "").lower() == "true"
        if composed and executable == "localizer":
            return []  # it runs in the mapper's process
        given = {name: LaunchConfiguration(name).perform(context) for name in arguments}
        values = {argument.parameter: _typed(executable, argument.parameter, given[name])
                  for name, argument in arguments.items() if argument.parameter and given[name]}
        topics = [(argument.topic, given[name]) for name, argument in arguments.items() if argument.topic]
        files = [given["params_file"]] if given.get("params_file") else []
        # the composed nodes keep their own names, and ignore each other's parameters
        in_one = composed and executable == "mapper"
        return [Node(package=PACKAGE, executable="composed" if in_one else executable,
                     name=None if in_one else executable,
                     namespace=given.get("namespace", ""), output="screen", parameters=[*files, values | (fixed or {})],
                     remappings=topics + list((remaps or {}).items()))]
    return OpaqueFunction(function=start)


def rviz() -> Node:
    """Return the action that starts RViz if the argument `rviz` is true."""
    view = str(Path(get_package_share_directory(PACKAGE)) / "rviz" / "cl_localization.rviz")
    return Node(package="rviz2", executable="rviz2", arguments=["-d", view],
                condition=IfCondition(LaunchConfiguration("rviz")))


def dds_profile() -> list[SetEnvironmentVariable]:
    """Return the actions that select our Fast DDS profile, with larger buffers, unless the user has set one."""
    if any(variable in os.environ for variable in PROFILE_VARIABLES):
        return []
    profile = str(Path(get_package_share_directory(PACKAGE)) / "config" / "fastdds.xml")
    return [SetEnvironmentVariable(HEED_PROFILE, "1"), *(SetEnvironmentVariable(variable, profile)
                                                         for variable in PROFILE_VARIABLES)]


def _typed(executable: str, parameter: str, text: str) -> object:
    """Return a launch argument's text converted to the parameter's type; 'none' becomes ''."""
    kinds = {name: type(value) for name, value, _ in flatten(NODE_CONFIGS[executable])} | {"use_sim_time": bool}
    if kinds[parameter] is bool:
        return text.lower() in ("true", "1", "yes")
    if kinds[parameter] is str:
        return "" if text == "none" else text
    return kinds[parameter](text)
