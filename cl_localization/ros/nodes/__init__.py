"""The nodes, and what they share: parameters, lifecycle, diagnostics, start and shutdown of the process."""
