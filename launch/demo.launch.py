"""Watch mapper and localizer at work on a sequence: `ros2 launch cl_localization demo.launch.py sequence:=sim:7
rviz:=true`.

The mapper learns from the sequence's true poses while the localizer follows its map live; `loop:=true` plays it over
and over, `composed:=true` runs both in one process.
"""

from cl_localization.ros.nodes.launching import COMPOSED, RVIZ, Argument, dds_profile, declared, our_node, rviz
from launch import LaunchDescription

PLAYER = {
    "sequence": Argument("Folder, file, bag or sim:SEED.", "sim:7", "sequence"),
    "rate": Argument("Speed of playing.", "0.7", "rate"),
    "loop": Argument("Start again at the end: true or false.", "false", "loop"),
    "clock": Argument("Publish /clock: true or false.", "false", "clock"),
}
BOTH = {
    "encoder": Argument("Network that makes features: xfeat or dinov2.", parameter="encoder.name"),
    "use_sim_time": Argument("Use /clock; set clock too.", "false", "use_sim_time"),
}


def generate_launch_description() -> LaunchDescription:
    """Return player, mapper and localizer, and RViz if wanted."""
    return LaunchDescription([
        *declared(PLAYER | BOTH | COMPOSED | RVIZ), *dds_profile(),
        our_node("mapper", BOTH, {"poses.source": "pose"}, {"pose": "ground_truth"}), our_node("localizer", BOTH),
        our_node("sequence_player", PLAYER, {"wait_for_subscribers": 2}), rviz()])
