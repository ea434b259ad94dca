"""The benchmarks behind docs/benchmarks.md: `cl_localization bench`. Not installed; run from a checkout of the
repository."""
