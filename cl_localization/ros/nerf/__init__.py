"""The radiance field in the nodes."""
