"""The fixtures of tests with ROS nodes."""

from ros_fixtures import domain, frames, processes, robot, room, room_map, ros, statuses

__all__ = ["domain", "frames", "processes", "robot", "room", "room_map", "ros", "statuses"]
