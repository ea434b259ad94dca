"""The protocol of the topic `map_code`: how a map travels as snapshots and deltas, without anybody having to ask.

The publisher is reliable and transient local and keeps the last `HISTORY` messages. Every change goes out as a delta;
after `SNAPSHOT_EVERY` deltas a snapshot of the same version follows. `SNAPSHOT_EVERY` is less than `HISTORY`, so what
DDS keeps always begins early enough to hold a whole snapshot and everything after it: who subscribes late gets the
whole map from DDS itself, also while the mapper is idle. A follower skips what it already has. One that has missed a
change subscribes anew and gets the history again.

While nothing changes the version is told again now and then, ever more seldom, as a change of nothing: where a bridge
or radio has lost the last change, followers notice.

Every start of a mapper tells under a name of its own, the source. A follower stays with the source it has, whatever
another one says, as long as more than one publishes; when its own is gone it goes over to the one that is left.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import Enum

from cl_localization.config import MapCodeConfig
from cl_localization.errors import MapError
from cl_localization.map.map_code import MapCode
from cl_localization.map.map_delta import MapDelta

HISTORY = 64
SNAPSHOT_EVERY = 48
FIRST_REMINDER_S, LAST_REMINDER_S = 2.0, 64.0


class MapStream:
    """What the mapper has told of its map."""

    def __init__(self, map_code: MapCode, now_s: Callable[[], float] = time.monotonic) -> None:
        """Begin to tell of a map: a snapshot comes first, also of an empty map, that followers give up another."""
        self._map_code, self._now_s = map_code, now_s
        self._version = -1
        self._since_snapshot = 0
        self._wait_s = self._remind_s = 0.0

    def changes(self) -> list[MapDelta]:
        """Return what is to be published now, in order; nothing while the map has not changed, but for reminders of its
        version."""
        changed = self._map_code.version != self._version
        if not changed and self._now_s() < self._remind_s:
            return []
        self._wait_s = FIRST_REMINDER_S if changed else min(2 * self._wait_s, LAST_REMINDER_S)
        self._remind_s = self._now_s() + self._wait_s
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
    IGNORED = "another mapper tells of its map on the same topic"


class MapFollower:
    """The map as the messages tell it.

    Attributes:
        map_code: the map; None until the first snapshot.
        out_of_sync: whether a change is missing.
        source: who is followed; empty until the first snapshot, and again after a map from a file.
        ignored: who was not listened to since `ask_again`, because it is not the one that is followed; empty for
            nobody.
    """

    def __init__(self, encoder: str, dim: int, mappers: Callable[[], int] = lambda: 1) -> None:
        """Follow maps whose keys are descriptors of length `dim` of `encoder`; `mappers` tells how many publish a map
        now."""
        self.map_code: MapCode | None = None
        self.out_of_sync = False
        self.source = self.ignored = ""
        self._mappers = mappers
        self._encoder, self._dim = encoder, dim
        self._newest_ns = -1

    def use(self, map_code: MapCode) -> None:
        """Go on from a map that came another way, from a file."""
        self.map_code, self.out_of_sync, self.source = map_code, False, ""

    @property
    def wants_history(self) -> bool:
        """Whether what the topic has kept would help: a change is missing, or the one that is followed has gone."""
        return self.out_of_sync or bool(self.ignored and self._mappers() <= 1)

    def ask_again(self) -> None:
        """Note that the history comes again: who was ignored is heard once more."""
        self.ignored = ""

    def take(self, delta: MapDelta, stamp_ns: int, source: str = "") -> Followed:
        """Apply one message, made at `stamp_ns` by `source`.

        A snapshot of the same map with an older version is either old news (it was made before what we have) or the
        mapper has gone back to a saved map (it was made after). When another source is followed from now on, any
        snapshot is a place to start from.

        Raises:
            MapError: a map of another encoder, or one that contradicts itself.
        """
        if (delta.encoder, delta.dim) != (self._encoder, self._dim):
            raise MapError("map_code", f"must be of encoder {self._encoder} with {self._dim} dimensions",
                           f"{delta.encoder} with {delta.dim}", "start mapper and localizer with the same encoder.name")
        other = self.source not in ("", source)
        if other and self._mappers() > 1:
            self.ignored = source
            return Followed.IGNORED
        ours = self.map_code
        same = not other and ours is not None and ours.map_id == delta.map_id
        if delta.base_version == 0:
            old_news = same and (delta.version == ours.version
                                 or (delta.version < ours.version and stamp_ns <= self._newest_ns))
            return Followed.UNCHANGED if old_news else self._replace(delta, stamp_ns, source)
        if same and delta.version <= ours.version:
            return Followed.UNCHANGED
        if not same or delta.base_version > ours.version:
            self.out_of_sync = True
            return Followed.MISSED
        ours.apply(delta)
        self._synchronised(stamp_ns, source)
        return Followed.GREW

    def _replace(self, delta: MapDelta, stamp_ns: int, source: str) -> Followed:
        self.map_code = MapCode.from_snapshot(delta, MapCodeConfig())
        self._synchronised(stamp_ns, source)
        return Followed.REPLACED

    def _synchronised(self, stamp_ns: int, source: str) -> None:
        self._newest_ns = max(self._newest_ns, stamp_ns) if source == self.source else stamp_ns
        self.out_of_sync, self.source = False, source
