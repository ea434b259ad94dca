"""Output that is there whole or not at all."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cl_localization.data.atomic import check_output, written_file, written_folder
from cl_localization.errors import DataError


def names_in(folder: Path) -> list[str]:
    """The names of what lies in a folder."""
    return [path.name for path in folder.iterdir()]


def test_a_file_appears_when_it_is_whole(tmp_path):
    with written_file(tmp_path / "deep" / "out.txt") as temporary:
        temporary.write_text("whole")
        assert not (tmp_path / "deep" / "out.txt").exists()
    assert (tmp_path / "deep" / "out.txt").read_text() == "whole"
    assert names_in(tmp_path / "deep") == ["out.txt"]


def test_an_error_leaves_the_old_file_and_no_rest(tmp_path):
    (tmp_path / "out.txt").write_text("old")
    with pytest.raises(KeyError), written_file(tmp_path / "out.txt", force=True) as temporary:
        temporary.write_text("half")
        raise KeyError
    assert (tmp_path / "out.txt").read_text() == "old"
    assert names_in(tmp_path) == ["out.txt"]


def test_a_folder_replaces_the_old_one_whole(tmp_path):
    (tmp_path / "out" / "old").mkdir(parents=True)
    with written_folder(tmp_path / "out", force=True) as temporary:
        assert temporary.name == "out"
        (temporary / "new").write_text("new")
        assert (tmp_path / "out" / "old").exists()
    assert names_in(tmp_path / "out") == ["new"]
    assert names_in(tmp_path) == ["out"]


@pytest.mark.parametrize("writer", [written_file, written_folder])
def test_what_is_there_is_not_replaced_without_leave(tmp_path, writer):
    (tmp_path / "out").mkdir()
    with pytest.raises(DataError, match="out must not be there yet; choose another name"), writer(tmp_path / "out"):
        pass


def test_a_file_does_not_replace_a_folder(tmp_path):
    (tmp_path / "out").mkdir()
    place = written_file(tmp_path / "out", force=True)
    with pytest.raises(DataError, match="must be a file, found a folder"), place as temporary:
        temporary.write_text("text")


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(DataError, match="out cannot be written, found (Not a directory|File exists)"):
        check_output(tmp_path / "file" / "out")


def test_a_folder_that_may_not_be_written_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda path, mode: False)
    with pytest.raises(DataError, match="cannot be written, found no permission in"):
        check_output(tmp_path / "out")


def test_a_full_disk_is_named(tmp_path):
    with pytest.raises(DataError, match="cannot be written, found No space left on device; check space"), \
            written_file(tmp_path / "out"):
        raise OSError(28, "No space left on device")


def test_a_place_that_refuses_at_the_last_moment_is_named(tmp_path, monkeypatch):
    def refuse(**_):
        raise OSError(30, "Read-only file system")
    monkeypatch.setattr("tempfile.mkdtemp", refuse)
    with pytest.raises(DataError, match="written, found Read-only file system"), written_file(tmp_path / "out"):
        pass


def test_a_pipe_or_device_is_not_replaced_by_a_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="pipe must not be a device, pipe or socket"), \
            written_file(tmp_path / "pipe", force=True) as temporary:
        temporary.write_text("new")
    assert (tmp_path / "pipe").is_fifo()


def test_only_an_earlier_result_is_replaced_by_a_folder(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("years of work")
    with pytest.raises(DataError, match="out must hold nothing but an earlier result to be replaced, found .*thesis"), \
            written_folder(tmp_path / "out", force=True):
        pass
    with pytest.raises(DataError, match="thesis.txt must be a folder, found a file"), \
            written_folder(tmp_path / "out" / "thesis.txt", force=True):
        pass
    assert (tmp_path / "out" / "thesis.txt").read_text() == "years of work"


def test_what_appears_in_a_folder_during_the_work_is_kept(tmp_path):
    with pytest.raises(DataError, match="found .*thesis.txt"), written_folder(tmp_path / "out", force=True):
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "thesis.txt").write_text("years of work")
    assert names_in(tmp_path / "out") == ["thesis.txt"] and names_in(tmp_path) == ["out"]


def test_what_killed_processes_left_is_removed_and_nothing_else(tmp_path):
    leave = ("import os; from pathlib import Path; from cl_localization.data.atomic import written_folder as w\n"
             f"with w(Path({str(tmp_path / 'out')!r})) as place: (place / 'half').touch(); os._exit(9)")
    assert subprocess.run([sys.executable, "-c", leave], check=False).returncode == 9
    (tmp_path / ".out.abcdefgh").mkdir()
    (tmp_path / ".out.abcdefgh" / "notes.txt").write_text("the user's")
    assert len(names_in(tmp_path)) == 2
    with written_folder(tmp_path / "out"):
        with written_file(tmp_path / "out", force=True) as other:
            other.touch()
        (tmp_path / "out").unlink()
        assert len(names_in(tmp_path)) == 2  # the user's, and that of this process, which is alive
    assert sorted(names_in(tmp_path)) == [".out.abcdefgh", "out"]
