"""The topic map_code: how a map travels from a mapper to its localizers."""
