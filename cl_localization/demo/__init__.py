"""The main job with real node processes, shown from the start to a results table."""
