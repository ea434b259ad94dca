"""The fixtures of tests with ROS nodes."""

from ros_fixtures import domain, frames, processes, room, room_map, ros

__all__ = ["domain", "frames", "processes", "room", "room_map", "ros"]
