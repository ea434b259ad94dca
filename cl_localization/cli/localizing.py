"""Shared by `localize`, `evaluate` and `bench`: localizes a sequence in a map file, with progress."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cl_localization.cli.progress import tracked
from cl_localization.cli.tables import warn_of_parts, warn_unreadable
from cl_localization.config import LocalizerConfig

if TYPE_CHECKING:
    from cl_localization.data.frame import Sequence
    from cl_localization.evaluation.records import FrameRecord
    from cl_localization.localizer import Localizer
    from cl_localization.map.map_code import MapCode


@dataclass(frozen=True)
class Trial:
    """The records of a sequence, and the number of frames that could not be read."""

    records: list[FrameRecord]
    skipped: int


def open_localizer(map_path: Path, options: LocalizerConfig) -> tuple[Localizer, MapCode]:
    """Return a localizer for a map file, and the map; warn of parts of it that are not joined.

    Raises:
        MapError: the map cannot be read, or was made with another encoder than that of the options.
    """
    from cl_localization.localizer import Localizer
    from cl_localization.map.map_file import load_map

    map_code = load_map(map_path, encoder=options.encoder.name)
    warn_of_parts(map_path, map_code)
    return Localizer(map_code, options), map_code


def try_sequence(localizer: Localizer, sequence: Sequence, label: str) -> Trial:
    """Localize the frames of a sequence, showing the progress; depth files are not read.

    Args:
        label: text of the progress bar.

    Raises:
        DataError: no frame could be read.
    """
    from cl_localization.cli.frames import require_readable
    from cl_localization.evaluation.run import image_only, localize_frames

    indices, unreadable = tracked(range(len(sequence)), len(sequence), label), list[str]()
    records = localize_frames(localizer, image_only(sequence), indices, unreadable)
    require_readable(len(records), unreadable, sequence.name)
    warn_unreadable(unreadable, sequence.skipped)
    return Trial(records, len(unreadable) + len(sequence.skipped))


def why_none(records: list[FrameRecord]) -> str:
    """Return what to say of a sequence none of whose frames was localized: the most frequent reason, and what to do."""
    kinds = [re.sub(r"\d[\d.e+-]*", "#", record.reason) for record in records]  # "12 inliers" and "9 inliers" are one
    kind, count = Counter(kinds).most_common(1)[0]
    return (f"no frame was localized; of {count} of {len(records)} the reason is: {records[kinds.index(kind)].reason}. "
            "Is it the place of the map, and does the calibration fit the images (?camera=FILE)? Images that are not "
            "upright need ?turn=90, 180 or 270: the angle clockwise that brings them upright.")
