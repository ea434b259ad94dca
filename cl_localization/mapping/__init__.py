"""From posed keyframes to codes: with depth, without depth, what has changed and what is gone."""
