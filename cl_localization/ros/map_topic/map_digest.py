"""A checksum of the map, with which diagnostics show whether two nodes have the same map."""

from __future__ import annotations

import zlib

import numpy as np

from cl_localization.map.map_code import MapCode
from cl_localization.map.map_delta import KEYFRAME_TYPES, ROW_TYPES


def digest_of(map_code: MapCode) -> str:
    """Return the CRC-32 of a map's contents, as eight hexadecimal digits."""
    crc = zlib.crc32(repr((map_code.map_id, map_code.version, map_code.scene_names, map_code.temperature)).encode())
    for table, columns in ((map_code.codes, ROW_TYPES), (map_code.keyframes, KEYFRAME_TYPES)):
        rows = table.rows()
        crc = zlib.crc32(rows, crc)
        for name in columns:
            crc = zlib.crc32(np.ascontiguousarray(table[name][rows]), crc)
    return f"{crc:08x}"


class MapDigest:
    """The digest of a map for diagnostics, computed only while the map does not change: it takes 1 ms per MB."""

    def __init__(self) -> None:
        """Start without a map."""
        self._seen = ("", -1)
        self._digest = ""

    def of(self, map_code: MapCode | None) -> str:
        """Return the digest; empty for None, and for a map that has changed since the last call."""
        if map_code is None:
            return ""
        state = map_code.map_id, map_code.version
        if state != self._seen:
            self._seen, self._digest = state, ""
        elif not self._digest:
            digest = digest_of(map_code)
            self._digest = digest if (map_code.map_id, map_code.version) == state else ""
        return self._digest
