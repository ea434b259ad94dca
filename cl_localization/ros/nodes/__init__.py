"""The nodes, and what all nodes share: parameters, lifecycle, diagnostics, a process that ends cleanly."""
