"""Poses of single images over time: whether to trust them, by what the odometry or the speed of a camera allow."""
