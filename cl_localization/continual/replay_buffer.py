"""The replay buffer: a bounded store of training data, which can be saved and resumed.

Admission policy (admission.py), storage (storage.py) and sampling (sampling.py) are independent of the items: scene
coordinate regression replays frames, the place descriptor replays sequences, the NeRF replays rays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cl_localization.continual.admission import DROPPED, AdmissionPolicy, Seen, Traits
from cl_localization.continual.sampling import Sampling, UniformSampling
from cl_localization.continual.storage import Columns, bytes_of
from cl_localization.errors import DataError

NO_REGIONS = np.zeros(0, dtype=np.int64)


class ReplayBuffer:
    """Keeps at most `capacity` items, or as many as fit into `capacity_bytes`.

    Attributes:
        traits: class, loss and regions of every stored item.
        seen: number of items offered.
    """

    def __init__(self, policy: AdmissionPolicy, capacity: int = 0, capacity_bytes: int = 0, seed: int = 0) -> None:
        """Create an empty buffer with one or both bounds; raises DataError for no or a negative bound."""
        if min(capacity, capacity_bytes) < 0 or capacity == capacity_bytes == 0:
            raise DataError("replay buffer", "must have a positive bound, in items or in bytes",
                            (capacity, capacity_bytes))
        self.policy, self.capacity, self.capacity_bytes = policy, capacity, capacity_bytes
        self.rng = np.random.default_rng(seed)
        self.columns = Columns()
        self.traits = Traits.of(0, np.zeros(0), [])
        self.seen = Seen()

    def __len__(self) -> int:
        return len(self.traits)

    @property
    def size_bytes(self) -> int:
        """Size of the stored items without their traits."""
        return self.columns.size_bytes

    def offer(self, items: Mapping[str, np.ndarray | Sequence[bytes]], class_id: int = 0,
              losses: np.ndarray | None = None,
              regions: Sequence[np.ndarray] | None = None) -> np.ndarray:
        """Offer N items and return the slot (N,) of each, -1 for those not kept.

        Args:
            items: columns of N rows: arrays (N, ...), or N byte strings of any length (compressed images).
            class_id: their task or scene.
            losses: (N,) their losses; None: 0.
            regions: for each item the distinct numbers of the regions it covers, for coverage policies.

        Raises:
            DataError: columns of different lengths or types than before, or an item larger than the buffer.
        """
        count = self.columns.checked(items)
        offered = Traits.of(class_id, np.zeros(count) if losses is None else losses,
                            [NO_REGIONS] * count if regions is None else regions)
        if not len(offered.losses) == len(offered.regions) == count:
            raise DataError("replay buffer", f"must get {count} losses and regions with {count} items",
                            (len(offered.losses), len(offered.regions)))
        if self._fits_by_count(items):
            return self._take(items, offered, self._capacity_in_rows(items))
        one = [slice(row, row + 1) for row in range(count)]
        slots = [self._take_by_bytes({name: column[row] for name, column in items.items()}, offered.rows(row))
                 for row in one]
        return np.concatenate(slots or [np.zeros(0, np.int64)])

    def sample(self, count: int, sampling: Sampling = UniformSampling(), prior: np.ndarray | None = None,
               rng: np.random.Generator | None = None) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Draw items and return their slots (count,) and columns.

        Args:
            prior: see `Sampling`.
            rng: used instead of the buffer's generator, for training that can be resumed at any step.

        Raises:
            DataError: the buffer is empty.
        """
        if len(self) == 0:
            raise DataError("replay buffer", "must hold an item to sample from", remedy="offer items first")
        slots = sampling.draw(self.traits.losses, count, self.rng if rng is None else rng, prior)
        return slots, self.columns.rows(slots)

    def refresh(self, slots: np.ndarray, losses: np.ndarray) -> None:
        """Update the losses (N,) of items in slots (N,), on which sampling weights depend."""
        self.traits.losses[slots] = losses

    def _fits_by_count(self, items: Mapping[str, Any]) -> bool:
        """Return whether the bound is a number of rows, which a bound in bytes is for rows of equal size."""
        return self.capacity_bytes == 0 or not any(isinstance(column, (list, tuple)) for column in items.values())

    def _capacity_in_rows(self, items: Mapping[str, Any]) -> int:
        bounds = [self.capacity] if self.capacity else []
        if self.capacity_bytes:
            row_bytes = bytes_of({name: column[:1] for name, column in items.items()})
            bounds.append(self.capacity_bytes // max(row_bytes, 1))
            self._check_item(row_bytes)
        return min(bounds)

    def _check_item(self, item_bytes: int) -> None:
        if item_bytes > self.capacity_bytes:
            raise DataError("replay item", f"must fit into the buffer's {self.capacity_bytes} bytes",
                            f"{item_bytes} bytes", "make the buffer larger or items smaller")

    def _take(self, items: Mapping[str, Any], offered: Traits, capacity: int) -> np.ndarray:
        slots = self.policy.slots(offered, self.traits, self.seen, capacity, self.rng)
        for class_id, count in zip(*np.unique(offered.classes, return_counts=True)):
            self.seen.by_class[int(class_id)] += int(count)
        self.seen.total += len(slots)
        kept = _last_of_each(slots)
        self.columns.put(slots[kept], {name: _picked(column, kept) for name, column in items.items()})
        self.traits.put(slots[kept], offered.rows(kept))
        final = np.full(len(slots), DROPPED)
        final[kept] = slots[kept]
        return final

    def _take_by_bytes(self, item: Mapping[str, Any], offered: Traits) -> np.ndarray:
        """Take one item of any size, which may evict several others."""
        item_bytes = bytes_of(item)
        self._check_item(item_bytes)
        has_room = self.size_bytes + item_bytes <= self.capacity_bytes and (not self.capacity
                                                                            or len(self) < self.capacity)
        slots = self._take(item, offered, len(self) + 1 if has_room or len(self) == 0 else len(self))
        while self.size_bytes > self.capacity_bytes:
            victim, last = self.policy.victim(self.traits, self.rng), len(self) - 1
            slots = np.where(slots == victim, DROPPED, np.where(slots == last, victim, slots))
            self._remove(victim)
        return slots

    def _remove(self, slot: int) -> None:
        """Remove one item; the last one takes its slot."""
        self.columns.put(np.array([slot]), self.columns.rows(np.array([len(self) - 1])))
        self.columns.pop()
        self.traits.put(np.array([slot]), self.traits.rows(slice(-1, None)))
        self.traits = self.traits.rows(slice(-1))


def _picked(column: Any, rows: np.ndarray) -> Any:
    return column[rows] if isinstance(column, np.ndarray) else [column[row] for row in rows]


def _last_of_each(slots: np.ndarray) -> np.ndarray:
    """Return the last candidate row of every slot, in ascending order."""
    rows = np.flatnonzero(slots != DROPPED)
    _, last_first = np.unique(slots[rows][::-1], return_index=True)
    return np.sort(rows[::-1][last_first])
