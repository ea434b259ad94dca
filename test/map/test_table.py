"""Tables of numbered rows, against the plainest model of one: a dictionary."""

from __future__ import annotations

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from cl_localization.map.table import MIN_CAPACITY, Table, union

COLUMNS = {"value": (np.int64, 0), "pair": (np.float32, 2)}


def test_an_empty_table_has_no_rows():
    table = Table(COLUMNS)
    assert len(table) == 0
    assert table.rows().tolist() == []
    assert [part.tolist() for part in table.changed_since(0)] == [[], []]


def test_columns_have_their_types_and_widths():
    table = Table(COLUMNS)
    table.put(table.allocate(3), 1, value=np.arange(3), pair=np.ones((3, 2)))
    assert (table["value"].dtype, table["value"].ndim) == (np.int64, 1)
    assert (table["pair"].dtype, table["pair"].shape[1]) == (np.float32, 2)


def test_a_row_takes_its_columns_and_its_number():
    assert Table(COLUMNS).row_bytes == 8 + 2 * 4 + 4


def test_rows_keep_numbers_and_values_while_the_table_grows():
    table = Table(COLUMNS)
    rows = table.allocate(10)
    table.put(rows, 1, value=np.arange(10), pair=0)
    many = table.allocate(5 * MIN_CAPACITY)
    table.put(many, 2, value=-1, pair=0)
    assert table["value"][rows].tolist() == list(range(10))
    assert len(np.intersect1d(rows, many)) == 0
    assert len(table) == 10 + 5 * MIN_CAPACITY


def test_a_table_that_is_filled_at_once_has_room_for_no_more_and_one_that_grows_for_a_quarter_more():
    table = Table(COLUMNS)
    table.put(np.arange(5 * MIN_CAPACITY), 1, value=0, pair=0)
    assert len(table["value"]) == 5 * MIN_CAPACITY
    table.put(table.allocate(1), 2, value=0, pair=0)
    assert len(table["value"]) == 6.25 * MIN_CAPACITY


def test_numbers_of_removed_rows_are_used_again():
    table = Table(COLUMNS)
    table.put(table.allocate(MIN_CAPACITY), 1, value=0, pair=0)
    table.remove(np.array([5, 3]), 2)
    assert sorted(table.allocate(2).tolist()) == [3, 5]


def test_allocating_nothing_gives_nothing():
    table = Table(COLUMNS)
    assert table.allocate(0).tolist() == []
    table.put(table.allocate(0), 1, value=np.zeros(0), pair=np.zeros((0, 2)))
    assert len(table) == 0


def test_removing_numbers_the_table_never_had_does_nothing():
    table = Table(COLUMNS)
    table.put(table.allocate(2), 1, value=0, pair=0)
    table.remove(np.array([10**9], np.uint32), 2)
    assert len(table) == 2


def test_a_row_far_beyond_the_end_can_be_put():
    table = Table(COLUMNS)
    table.put(np.array([3 * MIN_CAPACITY], np.uint32), 4, value=7, pair=0)
    assert table.rows().tolist() == [3 * MIN_CAPACITY]
    assert table["value"][3 * MIN_CAPACITY] == 7


class TableMachine(RuleBasedStateMachine):
    """Does to a table and to two dictionaries the same."""

    def __init__(self) -> None:
        super().__init__()
        self.table = Table(COLUMNS)
        self.values: dict[int, int] = {}
        self.touched: dict[int, int] = {}
        self.version = 0

    @rule(values=st.lists(st.integers(-9, 9), max_size=5))
    def add(self, values):
        self.version += 1
        rows = self.table.allocate(len(values))
        assert not set(rows.tolist()) & set(self.values)
        self.table.put(rows, self.version, value=np.array(values, np.int64), pair=np.zeros((len(values), 2)))
        self._note(rows, values)

    @rule(data=st.data(), value=st.integers(-9, 9))
    def change(self, data, value):
        rows = self._some(data)
        self.version += 1
        self.table.put(rows, self.version, value=value)
        self._note(rows, [value] * len(rows))

    @rule(data=st.data())
    def remove(self, data):
        rows = self._some(data)
        self.version += 1
        self.table.remove(rows, self.version)
        for row in rows.tolist():
            del self.values[row]
            self.touched[row] = self.version

    def _some(self, data: st.DataObject) -> np.ndarray:
        known = sorted(self.values)
        return np.array(data.draw(st.lists(st.sampled_from(known), unique=True, max_size=4)) if known else [], np.int64)

    def _note(self, rows: np.ndarray, values: list[int]) -> None:
        for row, value in zip(rows.tolist(), values):
            self.values[row], self.touched[row] = value, self.version

    @invariant()
    def rows_and_values_agree(self):
        assert self.table.rows().tolist() == sorted(self.values)
        assert len(self.table) == len(self.values)
        assert self.table["value"][self.table.rows()].tolist() == [self.values[row] for row in sorted(self.values)]

    @invariant()
    def changes_since_every_version_agree(self):
        for version in range(self.version + 1):
            changed, removed = self.table.changed_since(version)
            after = sorted(row for row, when in self.touched.items() if when > version)
            assert changed.tolist() == [row for row in after if row in self.values]
            assert removed.tolist() == [row for row in after if row not in self.values]


TestTableAgainstDictionaries = TableMachine.TestCase
TestTableAgainstDictionaries.settings = settings(max_examples=25, stateful_step_count=15, deadline=None)


def test_a_union_is_that_of_numpy():
    random = np.random.default_rng(0)
    for sizes in ((0, 0), (0, 5), (40, 60)):
        first, second = (np.flatnonzero(np.isin(np.arange(100), random.choice(100, size))) for size in sizes)
        np.testing.assert_array_equal(union(first, second), np.union1d(first, second))
