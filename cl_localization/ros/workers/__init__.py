"""Worker threads, and how they share the CPU."""
