"""Map and localize a sequence: `ros2 launch cl_localization demo.launch.py sequence:=sim:7 rviz:=true`.

The mapper uses the sequence's true poses, and the localizer receives its map live.
"""

from cl_localization.ros.nodes.launching import COMPOSED, RVIZ, Argument, dds_profile, declarations, our_node, rviz
from launch import LaunchDescription

PLAYER = {
    "sequence": Argument("Folder, file, bag or sim:SEED.", "sim:7", "sequence"),
    "rate": Argument("Playback rate.", "0.7", "rate"),
    "loop": Argument("Start over at the end: true or false.", "false", "loop"),
    "map_tf": Argument("Publish the true map -> odom on tf, as a SLAM would: true or false.", "false", "map_tf"),
    "clock": Argument("Publish /clock: true or false.", "false", "clock"),
}
BOTH = {
    "encoder": Argument("Feature network: xfeat or dinov2.", parameter="encoder.name"),
    "use_sim_time": Argument("Use /clock; needs clock:=true.", "false", "use_sim_time"),
}


def generate_launch_description() -> LaunchDescription:
    """Return the description: player, mapper, localizer and RViz."""
    return LaunchDescription([
        *declarations(PLAYER | BOTH | COMPOSED | RVIZ), *dds_profile(),
        our_node("mapper", BOTH, {"poses.source": "pose"}, {"pose": "ground_truth"}), our_node("localizer", BOTH),
        our_node("sequence_player", PLAYER, {"wait_for_subscribers": 2}), rviz()])
