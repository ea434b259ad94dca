"""Stamps as text: decimal seconds to integer nanoseconds and back, without rounding."""

from __future__ import annotations

import re
from decimal import Decimal

from cl_localization.errors import DataError

NS_PER_S = 1_000_000_000
UNITS_NS = ((10**17, 1), (10**14, 10**3), (10**11, 10**6))
"""From which size on a stamp is no number of seconds: nanoseconds, microseconds, milliseconds since 1970."""

NUMBER = re.compile(r"-?\d{1,19}(\.\d*)?(e[+-]?\d{1,2})?$", re.IGNORECASE)
SECONDS_NAME, WHOLE_NAME = re.compile(r"\d{1,10}\.\d+$"), re.compile(r"(?:\d{13}|\d{16,19})$")
LARGEST_SECONDS, LARGEST_NS = 9 * 10**9, 2**63 - 1


def parse_stamp_s(text: str, thing: object) -> int:
    """Return nanoseconds of decimal seconds, digits beyond the ninth dropped.

    Numbers too large for seconds are milli-, micro- or nanoseconds since 1970.

    Raises:
        DataError: other text.
    """
    whole, _, fraction = text.partition(".")
    plain = whole.isdecimal() and (not fraction or fraction.isdecimal())
    if plain and len(whole) <= 10 and int(whole) < LARGEST_SECONDS:  # nearly all, quickly
        return int(whole) * NS_PER_S + int(fraction[:9].ljust(9, "0"))
    if NUMBER.match(text):
        value = Decimal(text)
        if abs(value) <= LARGEST_SECONDS:
            return int(value * NS_PER_S)
        unit_ns = next((unit_ns for size, unit_ns in UNITS_NS if abs(value) >= size), None)
        if unit_ns is not None and abs(value) * unit_ns <= LARGEST_NS:
            return int(value * unit_ns)
    raise DataError(thing, "must begin with a stamp in seconds", repr(text[:40]))


def format_stamp_s(stamp_ns: int) -> str:
    """Return a stamp as decimal seconds with nine digits."""
    sign, magnitude = ("-", -stamp_ns) if stamp_ns < 0 else ("", stamp_ns)
    return f"{sign}{magnitude // NS_PER_S}.{magnitude % NS_PER_S:09d}"


def stamp_of_name(stem: str) -> int | None:
    """Return the stamp in nanoseconds that a file name says, without its suffix, or None if it is no stamp.

    Decimal seconds (`1305031102.175304`) and whole numbers of 13 (milliseconds), 16 (microseconds) and 17 to 19 digits
    (nanoseconds) are stamps; others are counters.
    """
    if SECONDS_NAME.match(stem):
        return parse_stamp_s(stem, stem)
    if not WHOLE_NAME.match(stem) or int(stem) > LARGEST_NS or (len(stem) < 17 and stem.startswith("0")):
        return None
    return int(stem) if len(stem) >= 17 else parse_stamp_s(stem, stem)


def natural_key(name: str) -> list[tuple[int, int | str]]:
    """Return a sort key that puts `r_2` before `r_10`."""
    return [(0, int(part)) if part.isdecimal() else (1, part) for part in re.split(r"(\d+)", name) if part]
