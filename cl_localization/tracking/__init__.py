"""Tracking: which poses of single images to trust, by gating with the odometry or the camera's largest speed."""
