"""Stamps as text."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cl_localization.data.stamps import format_stamp_s, natural_key, parse_stamp_s, parse_stamps_s, stamp_of_name
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


WORDS = st.one_of(st.integers(-10**18, 9 * 10**18).map(format_stamp_s), st.integers(0, 10**19).map(str),
                  st.floats(-10, 1e19).map(repr), st.text("0123456789.-e\0 x\u00e9", max_size=20))


@given(st.lists(WORDS, max_size=5))
def test_many_stamps_are_read_at_once_as_one_by_one(words):
    words = [word.rstrip("\0") for word in words]
    try:
        expected = [parse_stamp_s(word, "line") for word in words]
    except DataError:
        with pytest.raises(DataError, match="line must begin with a stamp in seconds"):
            parse_stamps_s(np.array([word.encode() for word in words], "S40"), "line")
    else:
        assert parse_stamps_s(np.array([word.encode() for word in words], "S40"), "line").tolist() == expected


@pytest.mark.parametrize(("stem", "stamp_ns"),
                         [("1305031102.175304", 1305031102175304000), ("1403636579763555584", 1403636579763555584),
                          ("1403636579763555", 1403636579763555000), ("1403636579763", 1403636579763000000),
                          ("000123", None), ("1305031102", None), ("frame-1", None),
                          ("1.2.3", None)])
def test_file_names_are_stamps_only_when_there_is_no_doubt(stem, stamp_ns):
    assert stamp_of_name(stem) == stamp_ns


def test_numbers_in_names_sort_as_numbers():
    assert sorted(["r_10", "r_9", "a", "10", "9"], key=natural_key) == ["9", "10", "a", "r_9", "r_10"]
