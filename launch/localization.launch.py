"""Localize a camera: `ros2 launch cl_localization localization.launch.py image:=/camera/image_raw
camera_info:=/camera/camera_info`.

The map is received live on `map_code`, or loaded with `map_file:=FILE`. `--show-args` lists all arguments.
"""

from cl_localization.ros.nodes.launching import COMMON, Argument, description, topic
from launch import LaunchDescription

ARGUMENTS = COMMON | {
    "publish_tf": Argument("Publish map -> odom on tf: true or false.", parameter="publish_tf"),
    "two_d": Argument("The robot moves in the plane z = 0 of the map: true or false.", parameter="two_d"),
    "transform_tolerance_s": Argument("map -> odom is stamped this far in the future [s].",
                                      parameter="transform_tolerance_s"),
    "lost_after_s": Argument("LOST after this time without a trusted pose [s].", parameter="tracker.lost_after_s"),
    "publish_initial_pose": Argument("Publish the first trusted base pose on initialpose, for AMCL.",
                                     parameter="publish_initial_pose"),
    "regressor": Argument("How features get scene coordinates: nearest, attention or nearest_then_attention.",
                          parameter="regressor"),
    "confirm_frames": Argument("Poses that must agree before one is trusted after LOST.",
                               parameter="tracker.confirm_frames"),
    "follow": Argument("Receive the map from the topic map_code: true or false.", parameter="map_topic.follow"),
    "initialpose": topic("initialpose", "Topic of guessed poses, from RViz, and of first poses, for AMCL."),
    "min_inliers": Argument("A pose with fewer inliers is rejected.", parameter="pose.min_inliers"),
}


def generate_launch_description() -> LaunchDescription:
    """Return the description: localizer and RViz."""
    return description("localizer", ARGUMENTS)
