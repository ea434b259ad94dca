"""Build a map: `ros2 launch cl_localization mapping.launch.py image:=... camera_info:=... depth:=...
map_file:=kitchen.safetensors`.

Poses come from tf (map -> camera, from a SLAM), or with `pose_source:=odometry` or `pose` from a topic.
`--show-args` lists all arguments.
"""

from cl_localization.ros.nodes.launching import COMMON, COMPOSED, Argument, description, topic
from launch import LaunchDescription

ARGUMENTS = COMMON | COMPOSED | {
    "depth": topic("depth", "Topic of the depth images, registered to colour."),
    "depth_transport": Argument("raw, compressed or compressedDepth depth images.",
                                parameter="images.depth_transport"),
    "depth_unit_m": Argument("Unit of 16-bit depth [m].", parameter="images.depth_unit_m"),
    "depth_camera_info": topic("depth_camera_info", "Topic of the depth camera's calibration, for depth in a frame of "
                                                    "its own."),
    "use_depth": Argument("Use depth: on, off, or auto (while it is published).", parameter="depth_images"),
    "pose_source": Argument("Source of the camera poses: tf, odometry, pose or self.", parameter="poses.source"),
    "odom": topic("odom", "Topic of the odometry, for pose_source odometry."),
    "pose": topic("pose", "Topic of the poses, for pose_source pose."),
    "pose_of": Argument("Frame whose poses the topics pose and corrected_path hold: camera or base.",
                        parameter="poses.pose_of"),
    "corrected_path": topic("corrected_path", "Topic of a SLAM's corrected path, by which keyframes move."),
    "scene": Argument("Name of the scene that new codes belong to.", parameter="scene"),
    "budget_mb": Argument("Memory bound of the map [MB].", parameter="map_code.budget_mb"),
    "nerf": Argument("Train a radiance field beside the map: true or false.", parameter="nerf.enabled"),
    "learning": Argument("Update the map from the start: true or false.", parameter="learning"),
    "resume": Argument("Extend the map in map_file if there is one: true or false.", parameter="resume"),
    "autosave_period_s": Argument("Period of saving a changed map; 0: off [s].", parameter="autosave_period_s"),
    "save_on_shutdown": Argument("Save the map to map_file on shutdown: true or false.",
                                 parameter="save_on_shutdown"),
}


def generate_launch_description() -> LaunchDescription:
    """Return the description: mapper and RViz."""
    return description("mapper", ARGUMENTS)
