"""Localize the camera of a bag in a map: `ros2 launch cl_localization bag.launch.py bag:=drive
map_file:=kitchen.safetensors image:=/camera/image_raw camera_info:=/camera/camera_info`.

The bag's clock is the time of the localizer and of RViz. `--show-args` lists all arguments.
"""

from launch.actions import ExecuteProcess, Shutdown
from launch.substitutions import LaunchConfiguration

from cl_localization.ros.nodes.launching import COMMON, RVIZ, Argument, dds_profile, declarations, our_node, rviz
from launch import LaunchDescription

BAG = {
    "bag": Argument("Folder or file of the rosbag2; it needs images, camera_info and tf."),
    "rate": Argument("Playback rate.", "1.0"),
}
LOCALIZER = {name: argument for name, argument in COMMON.items() if name != "use_sim_time"}


def generate_launch_description() -> LaunchDescription:
    """Return the description: the player of the bag, localizer and RViz."""
    play = ExecuteProcess(cmd=["ros2", "bag", "play", LaunchConfiguration("bag"), "--clock", "--rate",
                               LaunchConfiguration("rate")], output="screen", on_exit=Shutdown())
    return LaunchDescription([*declarations(BAG | LOCALIZER | RVIZ), *dds_profile(),
                              our_node("localizer", LOCALIZER, {"use_sim_time": True}), rviz(), play])
