"""Build a map: `ros2 launch cl_localization mapping.launch.py image:=... camera_info:=... depth:=...
map_file:=kitchen.safetensors`.

Poses come from tf (map -> camera, from a SLAM), or with `pose_source:=odometry` or `pose` from a topic.
`--show-args` lists all arguments.
"""

from cl_localization.ros.nodes.launching import COMMON, COMPOSED, Argument, description, topic
from launch import LaunchDescription

ARGUMENTS = COMMON | COMPOSED | {
    "depth": topic("depth", "Topic of the depth images, registered to colour."),
    "use_depth": Argument("Use depth: on, off, or auto (while it is published).", parameter="depth_images"),
    "pose_source": Argument("Source of the camera poses: tf, odometry, pose or self.", parameter="poses.source"),
    "odom": topic("odom", "Topic of the odometry, for pose_source odometry."),
    "pose": topic("pose", "Topic of the poses, for pose_source pose."),
    "scene": Argument("Name of the scene that new codes belong to.", parameter="scene"),
    "budget_mb": Argument("Memory bound of the map [MB].", parameter="map_code.budget_mb"),
    "nerf": Argument("Train a radiance field beside the map: true or false.", parameter="nerf.enabled"),
    "save_on_shutdown": Argument("Save the map to map_file on shutdown: true or false.",
                                 parameter="save_on_shutdown"),
}


def generate_launch_description() -> LaunchDescription:
    """Return the description: mapper and RViz."""
    return description("mapper", ARGUMENTS)
