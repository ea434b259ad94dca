"""The radiance field in the nodes; imported only where it is enabled."""
