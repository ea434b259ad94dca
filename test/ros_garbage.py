"""Malformed messages without end: real ones with fields replaced by what should not be there, and bytes changed on
their way."""

from __future__ import annotations

import array
import math
import re
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

INTEGERS = {"int8": (-2**7, 2**7 - 1), "uint8": (0, 2**8 - 1), "byte": (0, 2**8 - 1), "char": (0, 2**8 - 1),
            "octet": (0, 2**8 - 1),
            "int16": (-2**15, 2**15 - 1), "uint16": (0, 2**16 - 1), "int32": (-2**31, 2**31 - 1),
            "uint32": (0, 2**32 - 1),
            "int64": (-2**63, 2**63 - 1), "uint64": (0, 2**64 - 1)}
FLOATS = {"float": 3.4e38, "double": 1.7e308}
TEXTS = ("", "x" * 100_000, "/", "map", "../../etc", "%s%n\n", "\u65e5\u672c", "a b", "rgb8", "16UC1", "bayer_rggb8",
         "plumb_bob", "equidistant", "16UC1; compressedDepth rvl", "nv12", "/camera_optical_frame", "odom")
PATHS = ("", ".", "/", "/nowhere/map", "/proc/self/mem", "/dev/zero", "/proc/1/root", "x" * 5000, "a\nb", "~", "%s%n",
         "\u65e5\u672c/x",
         "nul\0byte")
LARGEST_ARRAY = 5000


def hostile_integer(kind: str, random: np.random.Generator) -> int:
    """A number at or near the ends of its type, or anywhere in it."""
    low, high = INTEGERS[kind]
    anything = random.integers(low, high, endpoint=True, dtype=np.uint64 if high == 2**64 - 1 else np.int64)
    choices = [low, high, 0, 1, high // 2, int(anything)]
    return choices[random.integers(len(choices))]


def hostile_float(kind: str, random: np.random.Generator) -> float:
    """A number that is none, or absurd."""
    most = FLOATS[kind]
    choices = [math.nan, math.inf, -math.inf, 0.0, -1.0, most, -most, 1e-38, 1e10, -1e10]
    return choices[random.integers(len(choices))]


def hostile_sequence(kind: str, values: Any, fixed: bool, random: np.random.Generator) -> Any:
    """Numbers with some of them replaced, or fewer or more of them."""
    draw = partial(hostile_float if kind in FLOATS else hostile_integer, kind, random)
    found = list(values)
    if not fixed:
        length = (0, 1, len(found) // 2, len(found) + 1, min(2 * len(found), LARGEST_ARRAY), len(found),
                  len(found))[random.integers(7)]
        found = found[:length] + [draw() for _ in range(length - len(found))]
    for place in random.integers(0, len(found), random.integers(0, 4)) if found else ():
        found[place] = draw()
    return found if fixed or not isinstance(values, array.array) else array.array(values.typecode, found)


def spoil_field(message: Any, random: np.random.Generator) -> None:
    """Replace one field of a message, at any depth, by something hostile."""
    fields = message.get_fields_and_field_types()
    name = list(fields)[random.integers(len(fields))]
    kind, value = fields[name], getattr(message, name)
    many = re.fullmatch(r"sequence<(.+?)(?:, \d+)?>|(.+?)\[(\d+)\]", kind)
    element = (many[1] or many[2]) if many else kind
    if hasattr(value, "get_fields_and_field_types"):
        spoil_field(value, random)
    elif many and (element in INTEGERS or element in FLOATS):
        changed = hostile_sequence(element, value, bool(many[3]), random)
        setattr(message, name, np.array(changed, value.dtype) if isinstance(value, np.ndarray) else changed)
    elif many and element == "string":
        setattr(message, name, [TEXTS[number] for number in random.integers(0, len(TEXTS), random.integers(0, 5))])
    elif many:
        setattr(message, name, list(value) * int(random.integers(0, 3)))
        for inner in getattr(message, name):
            spoil_field(inner, random)
    elif kind in INTEGERS:
        setattr(message, name, hostile_integer(kind, random))
    elif kind in FLOATS:
        setattr(message, name, hostile_float(kind, random))
    elif kind == "boolean":
        setattr(message, name, not value)
    else:
        setattr(message, name, TEXTS[random.integers(len(TEXTS))])


def headers_of(message: Any) -> Iterator[Any]:
    """Yield the headers in a message, at any depth; each is the message's own, not a copy."""
    for name in message.get_fields_and_field_types():
        value = getattr(message, name)
        if name == "header":
            yield value
        for inner in value if isinstance(value, list) else (value,):
            if hasattr(inner, "get_fields_and_field_types"):
                yield from headers_of(inner)


def bends(stamp: Any) -> list[tuple[str, Any]]:
    """Return (field, value) of everything hostile that a header may hold; numbers are also moved a little."""
    sec, nanosec = INTEGERS["int32"], INTEGERS["uint32"]
    seconds = {*sec, 0, 1, -1, stamp.sec - 1, stamp.sec + 1, stamp.sec - 3600, stamp.sec + 3600}
    nanoseconds = {*nanosec, 10**9 - 1, 10**9, 2**31}
    return [*(("sec", value) for value in sorted(seconds)), *(("nanosec", value) for value in sorted(nanoseconds)),
            *(("frame_id", text) for text in TEXTS)]


def bend(header: Any, field: str, value: Any) -> None:
    """Put a value into a header."""
    setattr(header if field == "frame_id" else header.stamp, field, value)


def spoiled(message: Any, random: np.random.Generator) -> Any:
    """Return a copy of a message with one to three fields replaced; one time in five as bytes of which some are wrong
    or missing."""
    from rclpy.serialization import deserialize_message, serialize_message

    raw = serialize_message(message)
    if random.random() < 0.2:
        damaged = bytearray(raw)
        for place in random.integers(4, len(raw), random.integers(1, 8)):
            damaged[place] = random.integers(256)
        return bytes(damaged[:random.integers(1, len(raw))] if random.random() < 0.5 else damaged)
    copy = deserialize_message(raw, type(message))
    for _ in range(random.integers(1, 4)):
        spoil_field(copy, random)
    return copy
