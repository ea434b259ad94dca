"""Admission policies: which items a full replay buffer accepts, and which it evicts for them.

A policy only uses traits (class, loss, regions), so that it works for frames, map features and rays.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from cl_localization.continual.storage import put_rows

DROPPED = -1


@dataclass
class Traits:
    """The properties of items that policies use, a row per item.

    Attributes:
        classes: (N,) number of the task or scene of each item.
        losses: (N,) last known loss.
        regions: (N,) objects, the distinct numbers of the regions that each item covers; may be empty.
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
        """Return a subset of the rows."""
        return Traits(self.classes[rows], self.losses[rows], self.regions[rows])

    def put(self, slots: np.ndarray, items: Traits) -> None:
        """Replace rows, or append them without gaps."""
        for name in ("classes", "losses", "regions"):
            setattr(self, name, put_rows(getattr(self, name), slots, getattr(items, name)))


@dataclass
class Seen:
    """Number of items offered so far, kept or not, in total and by class."""

    total: int = 0
    by_class: Counter[int] = field(default_factory=Counter)

    def count(self, class_id: int) -> None:
        """Count one more item of a class."""
        self.total += 1
        self.by_class[class_id] += 1


class AdmissionPolicy(Protocol):
    """Decides which slot an item gets. Policies have no state, so that buffers can be saved without them."""

    def slots(self, candidates: Traits, stored: Traits, seen: Seen, capacity: int,
              rng: np.random.Generator) -> np.ndarray:
        """Return the slot (N,) of each candidate, `DROPPED` for none.

        Slots below len(stored) replace items, further ones are appended without gaps; of two candidates for one slot
        the later one stays. `seen` does not count the candidates.
        """
        ...

    def victim(self, stored: Traits, rng: np.random.Generator) -> int:
        """Return the slot to evict when items of different sizes exceed a bound in bytes."""
        ...


class Reservoir:
    """Reservoir sampling: every item offered is kept with the same probability (Vitter's algorithm R)."""

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
class ClassBalanced:
    """Class-balancing reservoir sampling: classes share the buffer evenly (Imgbal of CL_HSCNet).

    An item of a smaller class replaces a random item of the largest class; an item of the largest class replaces a
    random one of its own with probability m / n, for m stored of n seen.
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
        """Return whether an item of the largest class is always kept."""
        return False

    def _victim(self, regions: list[np.ndarray], rng: np.random.Generator) -> int:
        return int(rng.integers(len(regions)))


@dataclass(frozen=True)
class CoverageScore(ClassBalanced):
    """As `ClassBalanced`, but an item that covers a region which no stored item of its class covers is always kept.

    Attributes:
        evict_redundant: False replaces a random item, as CL_HSCNet's CoverageS; True the most redundant one.
    """

    evict_redundant: bool = True

    def _is_new(self, seen_regions: np.ndarray, own_regions: list[np.ndarray]) -> bool:
        return not np.isin(seen_regions, np.concatenate(own_regions)).all()

    def _victim(self, regions: list[np.ndarray], rng: np.random.Generator) -> int:
        return most_redundant(regions) if self.evict_redundant else super()._victim(regions, rng)


def most_redundant(regions: Sequence[np.ndarray]) -> int:
    """Return the index of the item whose removal uncovers the fewest regions; of several, that with the most shared
    ones.

    Args:
        regions: for each item the distinct numbers of the regions it covers; at least one item.
    """
    sizes = [len(seen) for seen in regions]
    _, labels, populations = np.unique(np.concatenate(regions), return_inverse=True, return_counts=True)
    owners = np.repeat(np.arange(len(regions)), sizes)
    only_here = np.bincount(owners, populations[labels] == 1, len(regions))
    share = np.bincount(owners, 1.0 / populations[labels], len(regions))
    return int(np.lexsort((share, only_here))[0])
