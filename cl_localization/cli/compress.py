"""`compress`: a map as few learned codes, small enough for a radio link."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path

from cl_localization.cli.flags import argument, settings
from cl_localization.cli.tables import print_rows
from cl_localization.errors import ConfigError
from cl_localization.mapping.learned.options import DistillationConfig


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """Make a small map of learned codes that says what a map of grown codes says.

    `localize`, `evaluate` and the localizer node take it as any map. It cannot be extended; keep the other for that.

    Example: cl_localization compress house.map --bytes 100k --out small.map
    """

    map: Path = argument("Map file; it is only read.", metavar="MAP", positional=True)
    bytes: str = argument("Size of the file to write: 100000, 100k, 1M.", "100k", metavar="N")
    out: Path = argument("Map file to write; an existing one is replaced atomically.", metavar="MAP", writes="map")
    options: DistillationConfig = settings(DistillationConfig)


def run(arguments: Arguments) -> int:
    """Compress the map, write it and print a summary; return the exit code."""
    size_bytes = bytes_of(arguments.bytes)

    from cl_localization.evaluation.provenance import provenance
    from cl_localization.map.map_file import load_map, read_map_info, save_map
    from cl_localization.mapping.learned.distillation import compressed

    grown = load_map(arguments.map)
    started_s = time.perf_counter()
    learned = compressed(grown, size_bytes, arguments.options)
    seconds = time.perf_counter() - started_s
    extra = {**read_map_info(arguments.map).get("extra", {}), "compressed": asdict(arguments.options),
             "commit": provenance()["commit"]}
    extra.pop("config", None)
    file_bytes = save_map(learned, arguments.out, extra)
    print_rows(f"map {arguments.out}", [
        ("codes before", f"{len(grown):,}", "grown"), ("codes", f"{len(learned):,}", "learned"),
        ("file before", f"{arguments.map.stat().st_size:,}", "bytes"), ("file", f"{file_bytes:,}", "bytes"),
        ("time", f"{seconds:.1f}", "s")])
    return 0


def bytes_of(text: str) -> int:
    """Return the number of bytes that a text names: 100000, 100k or 1M.

    Raises:
        ConfigError: it names none.
    """
    factor = {"k": 1000, "m": 1_000_000}.get(text[-1:].lower(), 1)
    digits = text[:-1] if factor > 1 else text
    if not digits.isdecimal() or int(digits) == 0:
        raise ConfigError("option bytes", "must be a number of bytes such as 100000, 100k or 1M", repr(text))
    return int(digits) * factor
