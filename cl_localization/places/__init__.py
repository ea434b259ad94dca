"""Place recognition from sequences, live: which keyframes of the map the last images look like."""
