"""The map: codes and keyframes, deltas, files, search index and coverage."""
