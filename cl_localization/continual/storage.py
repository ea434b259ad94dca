"""Columns of a replay buffer: arrays with one row an item, or byte strings of any length; and the file they are kept
in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cl_localization.errors import DataError


class Columns:
    """Items as rows of columns of equal length. Columns, their types and row shapes are those of the first items."""

    def __init__(self) -> None:
        self._columns: dict[str, np.ndarray] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def size_bytes(self) -> int:
        """What the rows take, without room that is reserved for more."""
        return bytes_of({name: column[:self._count] for name, column in self._columns.items()})

    def checked(self, items: Mapping[str, Any]) -> int:
        """Return the number of items in some columns; raises DataError if they do not go together or with what is
        stored."""
        lengths = {len(column) for column in items.values()}
        if len(lengths) != 1:
            raise DataError("replay items", "must be columns of one length", sorted(lengths))
        kinds = {name: _kind(column) for name, column in items.items()}
        ours = {name: _kind(column) for name, column in self._columns.items()}
        if ours and kinds != ours:
            raise DataError("replay items", f"must have the columns of those before, {ours}", kinds)
        return lengths.pop()

    def put(self, slots: np.ndarray, items: Mapping[str, Any]) -> None:
        """Replace rows (N,), or append them without a gap."""
        for name, column in items.items():
            values = _as_array(column)
            old = self._columns.get(name, np.empty((0, *values.shape[1:]), values.dtype))
            self._columns[name] = put_rows(old[:self._count], slots, values, reserve=old)
        self._count = max(self._count, int(slots.max(initial=-1)) + 1)

    def rows(self, slots: np.ndarray | slice) -> dict[str, np.ndarray]:
        """Return rows by name, copies but for a slice; byte strings as an array of objects."""
        return {name: column[:self._count][slots] for name, column in self._columns.items()}

    def pop(self) -> None:
        """Drop the last row."""
        self._count -= 1
        for column in self._columns.values():
            if column.dtype == object:
                column[self._count] = None


def put_rows(stored: np.ndarray, slots: np.ndarray, values: np.ndarray,
             reserve: np.ndarray | None = None) -> np.ndarray:
    """Write rows and return the array, a longer one when slots go beyond its end.

    Args:
        reserve: an array that begins with `stored` and has room behind it; what is returned then has room, too.
    """
    room = stored if reserve is None else reserve
    needed = max(len(stored), int(slots.max(initial=-1)) + 1)
    if needed > len(room):
        # Doubling makes appending one by one linear in all.
        grown = np.empty((needed if reserve is None else max(needed, 2 * len(room)), *room.shape[1:]), room.dtype)
        grown[:len(stored)] = stored
        room = grown
    room[slots] = values
    return room


def bytes_of(columns: Mapping[str, Any]) -> int:
    """Return what columns take in bytes."""
    return sum(sum(len(item) for item in column) if _is_ragged(column) else column.nbytes
               for column in columns.values())


def _is_ragged(column: Any) -> bool:
    return not isinstance(column, np.ndarray) or column.dtype == object


def _kind(column: Any) -> str:
    return "bytes" if _is_ragged(column) else f"{column.dtype}{column.shape[1:]}"


def _as_array(column: np.ndarray | Sequence[bytes]) -> np.ndarray:
    if isinstance(column, np.ndarray):
        return column
    array = np.empty(len(column), dtype=object)
    array[:] = list(column)
    return array
