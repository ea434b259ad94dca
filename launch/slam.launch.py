"""Map with one camera and nothing else: `ros2 launch cl_localization slam.launch.py image:=... camera_info:=...
depth:=... map_file:=kitchen.safetensors`. Without depth the scale comes from odometry, or stays unknown.

The mapper finds its own poses and publishes map -> odom, or map -> base_link without odometry on tf. No localizer is
needed beside it. `--show-args` lists all arguments.
"""

from cl_localization.ros.nodes.launching import COMMON, DEPTH, MAPPING, Argument, description
from launch import LaunchDescription

ARGUMENTS = COMMON | DEPTH | MAPPING | {
    "pose_source": Argument("Source of the camera poses: self, or as in mapping.launch.py.", "self",
                            parameter="poses.source"),
    "niceness": Argument("0 to 19: how much mapping leaves the processor to others; 0: the robot waits for its poses.",
                         "0", parameter="niceness"),
    "publish_tf": Argument("Publish map -> odom on tf: true or false.", parameter="publish_tf"),
}


def generate_launch_description() -> LaunchDescription:
    """Return the description: mapper with own poses, and RViz."""
    return description("mapper", ARGUMENTS)
