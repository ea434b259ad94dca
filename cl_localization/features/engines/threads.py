"""On how many threads engines other than PyTorch run; PyTorch has a setting of its own."""

from __future__ import annotations

import os

_chosen = 0


def set_threads(count: int) -> None:
    """Have the engines of this process run on `count` threads from now on."""
    global _chosen  # noqa: PLW0603  (a setting of the process, as that of PyTorch)
    _chosen = count


def threads() -> int:
    """Return the number of threads: as set, else as OMP_NUM_THREADS says, else that of the cores that may be used."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return _chosen or (int(asked) if asked.isdecimal() else 0) or len(os.sched_getaffinity(0))
