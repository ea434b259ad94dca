"""Learning the codes of a map by gradient: online from a replay buffer of features, or from a grown map."""
