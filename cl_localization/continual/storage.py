"""Storage of a replay buffer: columns with a row per item, arrays or byte strings of any length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cl_localization.errors import DataError


class Columns:
    """Items as rows of columns; the first items determine the columns, their types and row shapes."""

    def __init__(self) -> None:
        self._columns: dict[str, np.ndarray] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def size_bytes(self) -> int:
        """Size of the rows, without reserved memory."""
        return bytes_of({name: column[:self._count] for name, column in self._columns.items()})

    def checked(self, items: Mapping[str, Any]) -> int:
        """Return the number of items in columns; raises DataError if they do not match the stored ones."""
        lengths = {len(column) for column in items.values()}
        if len(lengths) != 1:
            raise DataError("replay items", "must be columns of equal length", sorted(lengths))
        kinds = {name: _kind(column) for name, column in items.items()}
        ours = {name: _kind(column) for name, column in self._columns.items()}
        if ours and kinds != ours:
            raise DataError("replay items", f"must have the columns of earlier items, {ours}", kinds)
        return lengths.pop()

    def put(self, slots: np.ndarray, items: Mapping[str, Any]) -> None:
        """Replace rows (N,), or append them without gaps."""
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
    """Write rows and return the array, longer if slots are beyond its end.

    Args:
        reserve: array that starts with `stored` and has reserved rows; then the result has reserved rows, too.
    """
    room = stored if reserve is None else reserve
    needed = max(len(stored), int(slots.max(initial=-1)) + 1)
    if needed > len(room):
        # doubling makes appending linear in total
        grown = np.empty((needed if reserve is None else max(needed, 2 * len(room)), *room.shape[1:]), room.dtype)
        grown[:len(stored)] = stored
        room = grown
    room[slots] = values
    return room


def bytes_of(columns: Mapping[str, Any]) -> int:
    """Return the size of columns in bytes."""
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
