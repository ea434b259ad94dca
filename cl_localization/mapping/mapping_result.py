"""What became of a frame that was given to the mapper."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MappingResult:
    """What the mapper did with a frame.

    Attributes:
        is_keyframe: whether it was learned; `reason` says why or why not.
        inserted, merged, evicted: codes that are new, were seen again, and had to go for the budget.
        keyframe_id: its number in the map, or None.
        version: of the map now.
        duration_s: what it took.
    """

    is_keyframe: bool
    reason: str
    inserted: int
    merged: int
    evicted: int
    keyframe_id: int | None
    version: int
    duration_s: float
