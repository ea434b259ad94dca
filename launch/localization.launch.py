"""Localize a camera: `ros2 launch cl_localization localization.launch.py image:=/camera/image_raw
camera_info:=/camera/camera_info`.

The map comes live from a mapper on `map_code`, or from `map_file:=FILE`. All arguments: `--show-args`.
"""

from cl_localization.ros.nodes.launching import COMMON, Argument, description
from launch import LaunchDescription

ARGUMENTS = COMMON | {
    "publish_tf": Argument("Send trusted poses to tf: true or false.", parameter="publish_tf"),
    "two_d": Argument("The robot drives on the plane z = 0 of the map: true or false.", parameter="two_d"),
    "transform_tolerance_s": Argument("map -> odom is stamped this long after the present.",
                                      parameter="transform_tolerance_s"),
    "lost_after_s": Argument("LOST after this time without a trusted pose.", parameter="tracker.lost_after_s"),
    "publish_initial_pose": Argument("Send the first trusted pose to /initialpose, for AMCL.",
                                     parameter="publish_initial_pose"),
    "min_inliers": Argument("Fewer inliers than this and the pose is not trusted.", parameter="pose.min_inliers"),
}


def generate_launch_description() -> LaunchDescription:
    """Return the localizer, and RViz if wanted."""
    return description("localizer", ARGUMENTS)
