"""Learn a map: `ros2 launch cl_localization mapping.launch.py image:=... camera_info:=... depth:=...
map_file:=kitchen.safetensors`.

Poses come from tf (map to camera, from a SLAM), or with `pose_source:=odometry` or `pose` from a topic.
`composed:=true` also localizes, in the same process. All arguments: `--show-args`.
"""

from cl_localization.ros.nodes.launching import COMMON, COMPOSED, Argument, description, topic
from launch import LaunchDescription

ARGUMENTS = COMMON | COMPOSED | {
    "depth": topic("depth", "Topic of the depth images, registered to colour; used while somebody publishes it."),
    "use_depth": Argument("auto, on or off.", parameter="depth_images"),
    "pose_source": Argument("tf, odometry or pose.", parameter="poses.source"),
    "odom": topic("odom", "Topic of the odometry, for pose_source odometry."),
    "pose": topic("pose", "Topic of the poses, for pose_source pose."),
    "scene": Argument("Name of the scene that is learned.", parameter="scene"),
    "budget_mb": Argument("Memory bound of the map [MB].", parameter="map_code.budget_mb"),
    "nerf": Argument("Learn a radiance field beside the map: true or false.", parameter="nerf.enabled"),
    "save_on_shutdown": Argument("Save the map to map_file at the end: true or false.", parameter="save_on_shutdown"),
}


def generate_launch_description() -> LaunchDescription:
    """Return the mapper, and RViz if wanted."""
    return description("mapper", ARGUMENTS)
