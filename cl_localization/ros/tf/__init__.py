"""tf: look-up of camera and odometry, and publishing of map -> odom or map -> base."""
