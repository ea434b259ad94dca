"""Which frames of a sequence are mapped and which are asked for, by the number in their names."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from cl_localization.errors import DataError

Split = Callable[[int], bool]
"""Says of a frame number whether that frame is mapped; the others are queries."""


def near(number: int) -> bool:
    """Map three stretches of fifty frame numbers out of four: every query is near some mapped view."""
    return (number // 50) % 4 != 3


def far(number: int) -> bool:
    """Map the first 400 frame numbers: queries look from places that were never visited."""
    return number < 400


def every(step: int) -> Split:
    """Return the split that keeps each `step`-th frame, from the middle of the first step on, as a query."""
    return lambda number: number % step != step // 2


def frame_number(name: str) -> int:
    """Return the last number in a frame's name: 42 of `seq-01/frame-000042.color.jpg`.

    Raises:
        DataError: there is no digit in the name.
    """
    digits = re.findall(r"\d+", name)
    if not digits:
        raise DataError(
            f"frame {name!r}", "must have a number in its name to be split", remedy="split by index instead"
        )
    return int(digits[-1])


def split_indices(numbers: Sequence[int], split: Split) -> tuple[list[int], list[int]]:
    """Return the indices of mapped frames and of queries.

    Raises:
        DataError: one of the two parts is empty.
    """
    mapped = [index for index, number in enumerate(numbers) if split(number)]
    chosen = set(mapped)
    queries = [index for index in range(len(numbers)) if index not in chosen]
    if not mapped or not queries:
        raise DataError("split", "must leave frames to map and frames to ask for",
                        f"{len(mapped)} and {len(queries)} of {len(numbers)}", "use a longer sequence")
    return mapped, queries
