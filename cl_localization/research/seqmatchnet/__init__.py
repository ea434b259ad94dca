"""Sequence place recognition: SeqMatchNet and SeqNet, trained and live. Knows descriptors and sequences, no map
codes."""
