"""Image, camera_info and depth topics, paired by timestamp."""
