"""tf: looking up the camera and the odometry, and publishing map -> odom or map -> base."""
