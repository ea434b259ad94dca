"""From posed keyframes to codes, with and without depth; change detection and free-space culling."""
