"""The ROS boundary: parameters, conversions, workers, tf and nodes. Nothing else of the package imports ROS."""
