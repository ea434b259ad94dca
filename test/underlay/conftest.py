"""The fixtures of tests with ROS nodes."""

from ros_fixtures import domain

__all__ = ["domain"]
