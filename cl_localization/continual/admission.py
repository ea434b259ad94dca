"""Which items a full replay buffer takes in, and which it gives up for them.

A policy sees traits only (class, loss, regions), never what an item is: the same policies serve frames, map features
and rays.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from cl_localization.continual.coverage import most_redundant
from cl_localization.continual.storage import put_rows

DROPPED = -1


@dataclass
class Traits:
    """What policies know of items, one row each.

    Attributes:
        classes: (N,) number of the task or scene of each item.
        losses: (N,) last known loss; larger is harder.
        regions: (N,) objects, the distinct numbers of the regions that each item sees; may be empty.
    """

    classes: np.ndarray
    losses: np.ndarray
    regions: np.ndarray

    @classmethod
    def of(cls, class_id: int, losses: np.ndarray, regions: Sequence[np.ndarray]) -> Traits:
        """Return the traits of items of one class."""
        column = np.empty(len(regions), dtype=object)
        column[:] = [np.asarray(seen, dtype=np.int64) for seen in regions]
        return cls(np.full(len(losses), class_id), np.array(losses, dtype=np.float64), column)

    def __len__(self) -> int:
        return len(self.classes)

    def rows(self, rows: np.ndarray | slice) -> Traits:
        """Return some of the rows."""
        return Traits(self.classes[rows], self.losses[rows], self.regions[rows])

    def put(self, slots: np.ndarray, items: Traits) -> None:
        """Replace rows, or append them without a gap."""
        for name in ("classes", "losses", "regions"):
            setattr(self, name, put_rows(getattr(self, name), slots, getattr(items, name)))


@dataclass
class Seen:
    """How many items were offered so far, kept or not, in all and by class."""

    total: int = 0
    by_class: Counter[int] = field(default_factory=Counter)

    def count(self, class_id: int) -> None:
        """Count one more item of a class."""
        self.total += 1
        self.by_class[class_id] += 1


class AdmissionPolicy(Protocol):
    """Decides slot by slot. A policy holds no state of its own: buffers can be saved and resumed without it."""

    def slots(self, candidates: Traits, stored: Traits, seen: Seen, capacity: int,
              rng: np.random.Generator) -> np.ndarray:
        """Return the slot (N,) that each candidate goes to, `DROPPED` for none.

        Slots below len(stored) replace what is there, further ones are appended without a gap; of two candidates for
        one slot the later one stays. `seen` is as before the first candidate.
        """
        ...

    def victim(self, stored: Traits, rng: np.random.Generator) -> int:
        """Return the slot to give up when items of different sizes outgrow a bound in bytes."""
        ...


class Reservoir:
    """Every item ever offered is in the buffer with the same probability (Vitter's algorithm R)."""

    def victim(self, stored: Traits, rng: np.random.Generator) -> int:
        """See `AdmissionPolicy`."""
        return int(rng.integers(len(stored)))

    def slots(self, candidates: Traits, stored: Traits, seen: Seen, capacity: int,
              rng: np.random.Generator) -> np.ndarray:
        """See `AdmissionPolicy`."""
        slots = len(stored) + np.arange(len(candidates))
        late = slots >= capacity
        offered = seen.total + np.arange(len(candidates)) + 1
        drawn = np.floor(rng.random(late.sum()) * offered[late]).astype(np.int64)
        slots[late] = np.where(drawn < capacity, drawn, DROPPED)
        return slots


@dataclass(frozen=True)
class HighestLoss:
    """The items of largest loss stay, or of smallest (NeRF-CL's fill modes topk, highest_loss and lowest_loss)."""

    lowest: bool = False

    def victim(self, stored: Traits, rng: np.random.Generator) -> int:
        """See `AdmissionPolicy`."""
        return int(stored.losses.argmax() if self.lowest else stored.losses.argmin())

    def slots(self, candidates: Traits, stored: Traits, seen: Seen, capacity: int,
              rng: np.random.Generator) -> np.ndarray:
        """See `AdmissionPolicy`."""
        worth = np.r_[stored.losses, candidates.losses] * (-1 if self.lowest else 1)
        stays = np.zeros(len(worth), dtype=bool)
        stays[np.argsort(-worth, kind="stable")[:capacity]] = True
        free = np.r_[np.flatnonzero(~stays[:len(stored)]), np.arange(len(stored), min(capacity, len(worth)))]
        slots = np.full(len(candidates), DROPPED)
        chosen = np.flatnonzero(stays[len(stored):])
        slots[chosen] = free[:len(chosen)]
        return slots


@dataclass(frozen=True)
class Strided:
    """Every `stride`-th item goes in while there is room (NeRF-CL's fill mode uniform)."""

    stride: int = 1

    def victim(self, stored: Traits, rng: np.random.Generator) -> int:
        """See `AdmissionPolicy`."""
        return len(stored) - 1

    def slots(self, candidates: Traits, stored: Traits, seen: Seen, capacity: int,
              rng: np.random.Generator) -> np.ndarray:
        """See `AdmissionPolicy`."""
        taken = (seen.total + np.arange(len(candidates))) % self.stride == 0
        slots = np.where(taken, len(stored) + np.cumsum(taken) - 1, DROPPED)
        return np.where(slots < capacity, slots, DROPPED)


@dataclass(frozen=True)
class ClassBalanced:
    """Classes share the buffer evenly, each a reservoir of its items (Imgbal of CL_HSCNet; class-balancing reservoir
    sampling).

    An item of a class that is not the largest replaces a random one of the largest; one of the largest class replaces a
    random one of its own with probability m / n: m stored of n seen.
    """

    def slots(self, candidates: Traits, stored: Traits, seen: Seen, capacity: int,
              rng: np.random.Generator) -> np.ndarray:
        """See `AdmissionPolicy`."""
        classes, regions = list(stored.classes), list(stored.regions)
        counts = Counter(seen.by_class)
        slots = np.full(len(candidates), DROPPED)
        for row, (class_id, seen_regions) in enumerate(zip(candidates.classes, candidates.regions)):
            counts[class_id] += 1
            slot = len(classes) if len(classes) < capacity else self._replaced(int(class_id), seen_regions, classes,
                                                                               regions, counts, rng)
            if slot == DROPPED:
                continue
            classes[slot:slot + 1], regions[slot:slot + 1] = [class_id], [seen_regions]
            slots[row] = slot
        return slots

    def victim(self, stored: Traits, rng: np.random.Generator) -> int:
        """See `AdmissionPolicy`."""
        classes, populations = np.unique(stored.classes, return_counts=True)
        slots = np.flatnonzero(stored.classes == classes[populations.argmax()])
        return int(slots[self._victim([stored.regions[slot] for slot in slots], rng)])

    def _replaced(self, class_id: int, seen_regions: np.ndarray, classes: list[int], regions: list[np.ndarray],
                  counts: Counter[int], rng: np.random.Generator) -> int:
        stored = Counter(classes)
        most = max(stored.values())
        is_largest = stored[class_id] == most
        giving = class_id if is_largest else min(name for name, count in stored.items() if count == most)
        slots = np.flatnonzero(np.asarray(classes) == giving)
        given_regions = [regions[slot] for slot in slots]
        if is_largest and not (self._is_new(seen_regions, given_regions) or rng.random() < most / counts[class_id]):
            return DROPPED
        return int(slots[self._victim(given_regions, rng)])

    def _is_new(self, seen_regions: np.ndarray, own_regions: list[np.ndarray]) -> bool:
        """Return whether an item of the largest class goes in without a draw."""
        return False

    def _victim(self, regions: list[np.ndarray], rng: np.random.Generator) -> int:
        return int(rng.integers(len(regions)))


@dataclass(frozen=True)
class CoverageScore(ClassBalanced):
    """As `ClassBalanced`, but an item that sees a region which no stored item of its class sees always goes in.

    Attributes:
        evict_redundant: False replaces a random item, as CL_HSCNet's CoverageS does; True the one whose loss uncovers
            least.
    """

    evict_redundant: bool = True

    def _is_new(self, seen_regions: np.ndarray, own_regions: list[np.ndarray]) -> bool:
        return not np.isin(seen_regions, np.concatenate(own_regions)).all()

    def _victim(self, regions: list[np.ndarray], rng: np.random.Generator) -> int:
        return most_redundant(regions) if self.evict_redundant else super()._victim(regions, rng)
