"""How a sequence and a part of it are written in one word."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cl_localization.data.sequence import IndexedSequence
from cl_localization.data.spec import parse_spec, selected, sliced_indices
from cl_localization.errors import DataError
from data.makers import MadeSequence

bounds = st.none() | st.integers(-20, 20)


@given(bounds, bounds, st.none() | st.integers(1, 5), st.integers(1, 15))
def test_a_slice_means_what_it_means_in_python(start, stop, step, count):
    text = f"{'' if start is None else start}:{'' if stop is None else stop}" + ("" if step is None else f":{step}")
    expected = list(range(count))[start:stop:step]
    if expected:
        assert sliced_indices(text, count) == expected
    else:
        with pytest.raises(DataError, match="must leave at least one"):
            sliced_indices(text, count)


@given(st.lists(st.integers(-9, 8), min_size=1, max_size=6))
def test_indices_are_taken_once_and_in_order_of_time(indices):
    assert sliced_indices(",".join(map(str, indices)), 9) == sorted({index % 9 for index in indices})


def test_slices_are_joined():
    assert sliced_indices("0:2, 4:6,8", 9) == [0, 1, 4, 5, 8]


@pytest.mark.parametrize("text", ["", "a", "1:2:0", "5:1:-1", "1;2", "1:2:3:4", "0,,1"])
def test_a_malformed_slice_is_named(text):
    with pytest.raises(DataError, match="must be start:stop:step"):
        sliced_indices(text, 9)


def test_an_index_outside_is_named():
    with pytest.raises(DataError, match="9 frames of the sequence, found 12"):
        sliced_indices("12", 9)


def test_all_parts_of_a_spec_are_found():
    spec = parse_spec("a/b?split=test&calibrated=false@list.txt[3:]")
    assert (spec.source, spec.options, spec.listing, spec.slices) == ("a/b", {"split": "test", "calibrated": "false"},
                                                                      "list.txt", "3:")


def test_a_path_that_exists_is_taken_literally(tmp_path):
    folder = tmp_path / "odd?name=1@here[0:3]"
    folder.mkdir()
    assert parse_spec(str(folder)).source == str(folder)
    assert parse_spec(f"{folder}[2]").slices == "2"


@pytest.mark.parametrize(("text", "message"),
                         [("", "must name a path"), ("[1:2]", "must name a path"), ("a@", "must name a file"),
                                               ("a?b", "must be key=value"), ("a?=b", "must be key=value")])
def test_a_spec_without_a_part_that_it_announces_is_refused(text, message):
    with pytest.raises(DataError, match=message):
        parse_spec(text)


def names_of(tmp_path, sequence: IndexedSequence, lines: str, slices: str = "") -> list[str]:
    (tmp_path / "list.txt").write_text(lines)
    return selected(sequence, parse_spec(f"made@list.txt{slices}"), tmp_path).names


def test_a_listing_takes_names_and_indices_in_order_of_time(tmp_path):
    assert names_of(tmp_path, MadeSequence(), "# wanted\nmade-3\n0\n\nmade-3\n") == ["made-0", "made-3"]


def test_slices_count_within_the_listing(tmp_path):
    assert names_of(tmp_path, MadeSequence(), "1\n3\n4\n", "[1:]") == ["made-3", "made-4"]


def test_a_listing_takes_whole_groups_also_as_7scenes_names_them(tmp_path):
    sequence = MadeSequence(4)
    sequence.names = ["seq-01/a", "seq-01/b", "seq-02/a", "seq-12/a"]
    assert names_of(tmp_path, sequence, "sequence1\nseq-12\n") == ["seq-01/a", "seq-01/b", "seq-12/a"]


def test_a_line_that_fits_no_frame_is_named(tmp_path):
    with pytest.raises(DataError,
                       match="must be a frame's name or an index below 5, found 'made-9'; names look like made-0"):
        names_of(tmp_path, MadeSequence(), "made-9\n")


def test_a_missing_listing_is_named(tmp_path):
    with pytest.raises(DataError, match="nowhere.txt is missing"):
        selected(MadeSequence(), parse_spec("made@nowhere.txt"), tmp_path)
