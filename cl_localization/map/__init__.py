"""The map: a growing set of codes with their keyframes, its changes, its file and its search index."""
