"""Threads for slow work, and how they share the processor."""
