from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest

from cl_localization.cli.outputs import require_folder, require_writable, write_json, write_text
from cl_localization.errors import DataError


def test_checking_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "old").write_text("old")
    assert require_writable(tmp_path / "old") == tmp_path / "old"
    assert require_writable(tmp_path / "new" / "a.map") == tmp_path / "new" / "a.map"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["new", "old"]
    assert (tmp_path / "old").read_text() == "old"


def test_a_folder_is_no_output_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="must be a file, found a folder; name a file in it"):
        require_writable(tmp_path)


def test_a_file_in_a_file_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        require_writable(tmp_path / "file" / "a.map")


def test_a_full_or_read_only_disk_is_found_before_the_work(tmp_path: Path, monkeypatch) -> None:
    def full(*arguments: object, **options: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(tempfile, "NamedTemporaryFile", full)
    with pytest.raises(DataError, match="a.map cannot be written, found Read-only file system; choose another folder"):
        require_writable(tmp_path / "a.map")


def test_an_output_folder_is_made_with_its_parents(tmp_path: Path) -> None:
    assert require_folder(tmp_path / "a" / "b").is_dir()
    assert require_folder(tmp_path / "a" / "b").is_dir()


def test_an_output_folder_that_is_a_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="file"):
        require_folder(tmp_path / "file")


def test_text_and_json_are_written_whole(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "hello\n")
    write_json(tmp_path / "a.json", {"a": 1.5, "b": None})
    assert (tmp_path / "a.txt").read_text() == "hello\n"
    assert json.loads((tmp_path / "a.json").read_text()) == {"a": 1.5, "b": None}


def test_numbers_that_json_lacks_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", float("nan"))
    assert not (tmp_path / "a.json").exists()
