"""Stamps as text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cl_localization.data.stamps import format_stamp_s, natural_key, parse_stamp_s, stamp_of_name
from cl_localization.errors import DataError


@given(st.integers(-10**18, 9 * 10**18))
def test_nanoseconds_survive_being_written_as_seconds(stamp_ns):
    assert parse_stamp_s(format_stamp_s(stamp_ns), "stamp") == stamp_ns


@pytest.mark.parametrize(("text", "stamp_ns"),
                         [("1305031102.175304", 1305031102175304000), ("1.5e3", 1500 * 10**9), ("7", 7 * 10**9),
                          ("1403636579763555584", 1403636579763555584),
                          ("1.403636579763555584e+18", 1403636579763555584),
                          ("1403636579763555", 1403636579763555000), ("1403636579763", 1403636579763000000)])
def test_seconds_are_read_without_rounding(text, stamp_ns):
    assert parse_stamp_s(text, "stamp") == stamp_ns


@pytest.mark.parametrize("text", ["soon", "nan", "1e999", "12345678901", ""])
def test_what_is_no_stamp_is_named(text):
    with pytest.raises(DataError, match="line 3 must begin with a stamp in seconds"):
        parse_stamp_s(text, "line 3")


@pytest.mark.parametrize(("stem", "stamp_ns"),
                         [("1305031102.175304", 1305031102175304000), ("1403636579763555584", 1403636579763555584),
                          ("1403636579763555", 1403636579763555000), ("1403636579763", 1403636579763000000),
                          ("000123", None), ("1305031102", None), ("frame-1", None),
                          ("1.2.3", None)])
def test_file_names_are_stamps_only_where_they_can_be_nothing_else(stem, stamp_ns):
    assert stamp_of_name(stem) == stamp_ns


def test_numbers_in_names_sort_as_numbers():
    assert sorted(["r_10", "r_9", "a", "10", "9"], key=natural_key) == ["9", "10", "a", "r_9", "r_10"]
