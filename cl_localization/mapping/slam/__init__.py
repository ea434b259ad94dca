"""Mapping with own poses: where the camera is in the map so far, what of it can be trusted, and making both better."""
