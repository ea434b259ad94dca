"""The protocol of the topic `map_code`: how a map travels as snapshots and deltas, without anybody having to ask.

The publisher is reliable and transient local and keeps the last `HISTORY` messages. Every change goes out as a delta; after
`SNAPSHOT_EVERY` deltas a snapshot of the same version follows. `SNAPSHOT_EVERY` is less than `HISTORY`, so what DDS keeps always
begins early enough to hold a whole snapshot and everything after it: who subscribes late gets the whole map from DDS itself,
also while the mapper is idle. A follower skips what it already has. One that has missed a change subscribes anew and gets
the history again.
"""

from __future__ import annotations

from enum import Enum

from cl_localization.config import MapCodeConfig
from cl_localization.errors import MapError
from cl_localization.scene_coordinates.map_code import MapCode
from cl_localization.scene_coordinates.map_delta import MapDelta

HISTORY = 64
SNAPSHOT_EVERY = 48


class MapStream:
    """What the mapper has told of its map."""

    def __init__(self, map_code: MapCode) -> None:
        """Begin to tell of a map: a snapshot comes first, also of an empty map, that followers give up another."""
        self._map_code = map_code
        self._version = -1
        self._since_snapshot = 0

    def changes(self) -> list[MapDelta]:
        """Return what is to be published now, in order; nothing while the map has not changed."""
        if self._map_code.version == self._version:
            return []
        deltas = [self._map_code.delta_since(max(0, self._version))]
        self._version = deltas[0].version
        self._since_snapshot = 0 if deltas[0].base_version == 0 else self._since_snapshot + 1
        if self._since_snapshot >= SNAPSHOT_EVERY:
            deltas.append(self._map_code.delta_since(0))
            self._since_snapshot = 0
        return deltas


class Followed(Enum):
    """What a message did to a followed map."""

    UNCHANGED = "nothing new"
    GREW = "the map has changed in place"
    REPLACED = "there is another map"
    MISSED = "a change before this one is missing"


class MapFollower:
    """The map as the messages tell it.

    Attributes:
        map_code: the map; None until the first snapshot.
        out_of_sync: whether a change is missing.
    """

    def __init__(self, encoder: str, dim: int) -> None:
        """Follow maps whose keys are descriptors of length `dim` of `encoder`."""
        self.map_code: MapCode | None = None
        self.out_of_sync = False
        self._encoder, self._dim = encoder, dim
        self._newest_ns = -1

    def use(self, map_code: MapCode) -> None:
        """Go on from a map that came another way, from a file."""
        self.map_code, self.out_of_sync = map_code, False

    def take(self, delta: MapDelta, stamp_ns: int) -> Followed:
        """Apply one message, made at `stamp_ns`.

        A snapshot of the same map with an older version is either old news (it was made before what we have) or the mapper
        has gone back to a saved map (it was made after). While a change is missing any snapshot is a place to start from.

        Raises:
            MapError: a map of another encoder, or one that contradicts itself.
        """
        if (delta.encoder, delta.dim) != (self._encoder, self._dim):
            raise MapError("map_code", f"must be of encoder {self._encoder} with {self._dim} dimensions",
                           f"{delta.encoder} with {delta.dim}", "start mapper and localizer with the same encoder.name")
        ours = self.map_code
        same = ours is not None and ours.map_id == delta.map_id
        if delta.base_version == 0:
            old_news = same and not self.out_of_sync and (delta.version == ours.version or stamp_ns <= self._newest_ns)
            return Followed.UNCHANGED if old_news else self._replace(delta, stamp_ns)
        if same and delta.version <= ours.version:
            return Followed.UNCHANGED
        if not same or delta.base_version != ours.version:
            self.out_of_sync = True
            return Followed.MISSED
        ours.apply(delta)
        self._synchronised(stamp_ns)
        return Followed.GREW

    def _replace(self, delta: MapDelta, stamp_ns: int) -> Followed:
        self.map_code = MapCode.from_snapshot(delta, MapCodeConfig())
        self._synchronised(stamp_ns)
        return Followed.REPLACED

    def _synchronised(self, stamp_ns: int) -> None:
        self.out_of_sync = False
        self._newest_ns = max(self._newest_ns, stamp_ns)
