"""The topic map_code: the map and its updates from a mapper to localizers."""
