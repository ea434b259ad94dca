"""Text files that are missing, damaged or too large."""

import os

import numpy as np
import pytest

from cl_localization.data import files
from cl_localization.errors import DataError


def written(tmp_path, content: bytes | str):
    path = tmp_path / "file"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match="absent.txt is missing"):
        files.read_text(tmp_path / "absent.txt")


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(DataError, match="must be a regular file, found a folder"):
        files.read_text(tmp_path)


def test_an_empty_file_is_refused(tmp_path):
    with pytest.raises(DataError, match="must not be empty"):
        files.read_text(written(tmp_path, ""))


def test_a_file_beyond_the_limit_is_refused(tmp_path):
    with pytest.raises(DataError, match="must not be larger than 3 bytes"):
        files.read_bytes(written(tmp_path, "1234"), 3)


def test_a_name_that_no_system_can_have_is_no_file(tmp_path):
    assert not files.is_file(tmp_path / ("x" * 5000))


def test_bytes_that_are_no_text_are_refused(tmp_path):
    with pytest.raises(DataError, match="must be UTF-8 text"):
        files.read_text(written(tmp_path, b"\xff\xfe\x00"))


@pytest.mark.parametrize("content", ["{", "[" * 100_000])
def test_a_file_that_is_no_json_is_refused(tmp_path, content):
    with pytest.raises(DataError, match="must be JSON"):
        files.read_json_object(written(tmp_path, content))


def test_json_that_is_no_object_is_refused(tmp_path):
    with pytest.raises(DataError, match="must hold a JSON object, found list"):
        files.read_json_object(written(tmp_path, "[1]"))


@pytest.mark.parametrize("content", ["a: [", "!!python/object/apply:os.getcwd []"])
def test_a_file_that_is_no_plain_yaml_is_refused(tmp_path, content):
    with pytest.raises(DataError, match="must be YAML"):
        files.read_yaml_mapping(written(tmp_path, content))


def test_yaml_that_is_no_mapping_is_refused(tmp_path):
    with pytest.raises(DataError, match="must hold a YAML mapping, found str"):
        files.read_yaml_mapping(written(tmp_path, "text"))


def test_rows_leave_out_comments_and_empty_lines(tmp_path):
    assert files.read_rows(written(tmp_path, "# head\n\n1, 2\n 3 4 \n")) == [["1", "2"], ["3", "4"]]


def test_a_matrix_may_hold_infinity_as_windows_writes_it(tmp_path):
    matrix = files.read_matrix(written(tmp_path, "1 0 0 -1.#INF\n0 1 0 nan\n0 0 1 inf\n0 0 0 1\n"))
    assert np.isfinite(matrix).sum() == 13


def test_a_matrix_of_another_size_is_refused(tmp_path):
    with pytest.raises(DataError, match="must hold 16 numbers, found 3"):
        files.read_matrix(written(tmp_path, "1 2 3"))


def test_a_matrix_of_words_is_refused(tmp_path):
    with pytest.raises(DataError, match="must hold numbers, found 'word'"):
        files.read_matrix(written(tmp_path, "word " * 16))


def test_a_pipe_is_refused_instead_of_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="pipe must be a regular file, found a pipe or device; write what it gives to a "
                                        "file first, and name that"):
        files.read_bytes(tmp_path / "pipe", 3)
    with pytest.raises(DataError, match="must be a regular file, found a folder; name a file in it"):
        files.read_bytes(tmp_path, 3)
