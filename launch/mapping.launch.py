"""Build a map: `ros2 launch cl_localization mapping.launch.py image:=... camera_info:=... depth:=...
map_file:=kitchen.safetensors`.

Poses come from tf (map -> camera, from a SLAM), or with `pose_source:=odometry` or `pose` from a topic.
`--show-args` lists all arguments.
"""

from cl_localization.ros.nodes.launching import COMMON, COMPOSED, DEPTH, MAPPING, Argument, description, topic
from launch import LaunchDescription

ARGUMENTS = COMMON | COMPOSED | DEPTH | MAPPING | {
    "use_depth": Argument("Use depth: on, off, or auto (while it is published).", parameter="depth_images"),
    "pose_source": Argument("Source of the camera poses: tf, odometry, pose or self.", parameter="poses.source"),
    "odom": topic("odom", "Topic of the odometry, for pose_source odometry."),
    "pose": topic("pose", "Topic of the poses, for pose_source pose."),
    "pose_of": Argument("Frame whose poses the topics pose and corrected_path hold: camera or base.",
                        parameter="poses.pose_of"),
    "corrected_path": topic("corrected_path", "Topic of a SLAM's corrected path, by which keyframes move."),
}


def generate_launch_description() -> LaunchDescription:
    """Return the description: mapper and RViz."""
    return description("mapper", ARGUMENTS)
