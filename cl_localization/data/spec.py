"""How a sequence is written in one word: `SOURCE?key=value&key=value@FILE[start:stop:step,...]`; all but the source may
be left out.

- `?key=value&...`: options of the reader, e.g. `kitchen?split=test`, `bag?image=/camera/image_raw`, `sim:7?frames=200`.
- `@FILE`: only the frames that a text file lists, one a line: a frame's name; the start of names up to a `/` (`seq-01`,
  or `sequence1` as the splits of 7-Scenes say it); or an index. The file is looked for as given, then in the sequence's
  folder.
- `[...]`: only these indices, counted after `@FILE`: slices as Python's with a positive step, or single indices,
  separated by commas, e.g. `[:200]`, `[-50:]`, `[::10]`, `[0:75,100:175]`.

Selected frames stay in order of time, each once. A path that exists as it is written is taken literally.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from cl_localization.data.files import read_rows
from cl_localization.data.frame import Sequence
from cl_localization.data.sequence import frame_names, select
from cl_localization.errors import DataError

SLICES = re.compile(r"\[([^\[\]]*)\]$")
SLICE = re.compile(r"\s*(-?\d+)?\s*(?:(:)\s*(-?\d+)?\s*(?::\s*(\d+)?\s*)?)?$")
SEQUENCE_NUMBER = re.compile(r"(?:sequence|seq-?)\s*0*(\d+)$")


@dataclass(frozen=True)
class SequenceSpec:
    """A sequence as the user wrote it.

    Attributes:
        text: all of it.
        source: path, or `sim:SEED`.
        options: of the reader.
        listing: file with the wanted frames; empty for all.
        slices: what stood between the brackets; None for all.
    """

    text: str
    source: str
    options: dict[str, str] = field(default_factory=dict)
    listing: str = ""
    slices: str | None = None


def parse_spec(text: str) -> SequenceSpec:
    """Return the parts of a spec.

    Raises:
        DataError: an option that is not key=value, an empty source or file.
    """
    rest, slices, listing, options = text, None, "", {}
    if not _exists(rest) and (match := SLICES.search(rest)):
        rest, slices = rest[:match.start()], match[1]
    if not _exists(rest) and "@" in rest:
        rest, listing = rest.rsplit("@", 1)
        if not listing:
            raise DataError(f"sequence {text}", "must name a file after @", remedy="write SEQUENCE@FILE")
    if not _exists(rest) and "?" in rest:
        rest, query = rest.split("?", 1)
        options = _parsed_options(query, text)
    if not rest:
        raise DataError("sequence", "must name a path or sim:SEED", repr(text))
    return SequenceSpec(text, rest, options, listing, slices)


def selected(sequence: Sequence, spec: SequenceSpec, folder: Path) -> Sequence:
    """Return the part of a sequence that the spec asks for, or the sequence itself when it asks for all.

    Args:
        folder: of the sequence, where a listing may lie.

    Raises:
        DataError: a name or index that is not there, a malformed slice, nothing left.
    """
    if spec.listing:
        sequence = select(sequence, _listed_indices(sequence, spec.listing, folder), spec.text)
    if spec.slices is not None:
        sequence = select(sequence, sliced_indices(spec.slices, len(sequence)), spec.text)
    return sequence


def sliced_indices(slices: str, count: int) -> list[int]:
    """Return the indices below `count` that comma-separated slices select, ascending, each once.

    Raises:
        DataError: no slice or index, a step that is not positive, an index outside, or no frame at all.
    """
    chosen: set[int] = set()
    for part in slices.split(","):
        match = SLICE.match(part)
        if not match or not part.strip() or match[4] == "0":
            raise DataError(f"selection [{slices}]", "must be start:stop:step with a positive step, or an index",
                            repr(part),
                            "for example [:200], [::10] or [0:75,100:175]")
        start, stop, step = (None if number is None else int(number) for number in (match[1], match[3], match[4]))
        if match[2]:
            chosen.update(range(count)[start:stop:step])
        elif start is not None and -count <= start < count:
            chosen.add(start % count)
        else:
            raise DataError(f"selection [{slices}]", f"must lie in the {count} frames of the sequence", start)
    if not chosen:
        raise DataError(f"selection [{slices}]", f"must leave at least one of {count} frames", "0 frames")
    return sorted(chosen)


def _listed_indices(sequence: Sequence, listing: str, folder: Path) -> list[int]:
    path = next((path for path in (Path(listing), folder / listing) if path.is_file()), Path(listing))
    names = frame_names(sequence)
    index_of = {name: index for index, name in enumerate(names)}
    members: dict[str, list[int]] = {}
    for index, name in enumerate(names):
        members.setdefault(name.rsplit("/", 1)[0] if "/" in name else "", []).append(index)
    chosen: set[int] = set()
    for row in read_rows(path):
        entry = " ".join(row)
        if entry in index_of:
            chosen.add(index_of[entry])
        elif group := _group(entry, members):
            chosen.update(group)
        elif entry.isdecimal() and int(entry) < len(names):
            chosen.add(int(entry))
        else:
            raise DataError(f"line of {path}", f"must be a frame's name or an index below {len(names)}",
                            repr(entry[:80]),
                            f"names look like {names[0]}")
    return sorted(chosen)


def _group(entry: str, members: dict[str, list[int]]) -> list[int]:
    """Return the frames of the sequence that `entry` names, also as `sequence1` for `seq-01`."""
    if entry in members and entry:
        return members[entry]
    wanted = SEQUENCE_NUMBER.match(entry)
    for prefix, indices in members.items():
        found = SEQUENCE_NUMBER.match(prefix)
        if wanted and found and wanted[1] == found[1]:
            return indices
    return []


def _parsed_options(query: str, text: str) -> dict[str, str]:
    options = {}
    for part in filter(None, query.split("&")):
        key, equals, value = part.partition("=")
        if not (key and equals):
            raise DataError(f"option {part!r} of sequence {text}", "must be key=value", remedy="separate options by &")
        options[key] = value
    return options


def _exists(text: str) -> bool:
    try:
        return Path(text).expanduser().exists()
    except OSError:
        return False
