"""Place recognition: online sequence matching of the last images against the map's keyframes."""
