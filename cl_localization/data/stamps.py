"""Stamps as text: decimal seconds to integer nanoseconds and back, without rounding."""

from __future__ import annotations

import re
from decimal import Decimal

from cl_localization.errors import DataError

NS_PER_S = 1_000_000_000
NANOSECOND_DIGITS = 16
"""A whole number with at least this many digits is nanoseconds since 1970, not a counter."""

SECONDS = re.compile(r"-?\d{1,10}(\.\d*)?(e[+-]?\d{1,2})?$", re.IGNORECASE)
STAMP_NAME = re.compile(rf"\d{{1,10}}\.\d+$|\d{{{NANOSECOND_DIGITS},19}}$")


def parse_stamp_s(text: str, thing: object) -> int:
    """Return nanoseconds of decimal seconds, digits beyond the ninth dropped. Raises DataError for other text."""
    if not SECONDS.match(text):
        raise DataError(thing, "must begin with a stamp in seconds", repr(text[:40]))
    return int(Decimal(text) * NS_PER_S)


def format_stamp_s(stamp_ns: int) -> str:
    """Return a stamp as decimal seconds with nine digits."""
    sign, magnitude = ("-", -stamp_ns) if stamp_ns < 0 else ("", stamp_ns)
    return f"{sign}{magnitude // NS_PER_S}.{magnitude % NS_PER_S:09d}"


def stamp_of_name(stem: str) -> int | None:
    """Return the stamp in nanoseconds that a file name says, without its suffix, or None if it is no stamp.

    Decimal seconds (`1305031102.175304`) and whole numbers of 16 to 19 digits (nanoseconds) are stamps; shorter whole
    numbers are counters.
    """
    if not STAMP_NAME.match(stem):
        return None
    return parse_stamp_s(stem, stem) if "." in stem else int(stem)


def natural_key(name: str) -> list[tuple[int, int | str]]:
    """Return a sort key that puts `r_2` before `r_10`."""
    return [(0, int(part)) if part.isdecimal() else (1, part) for part in re.split(r"(\d+)", name) if part]
