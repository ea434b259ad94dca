"""From features and a map to a camera pose that can be trusted: regressors, matching, pose estimation, acceptance."""
