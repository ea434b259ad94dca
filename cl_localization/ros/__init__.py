"""The ROS boundary: nodes, and conversions between messages and arrays. No other room imports ROS."""
