"""Which folders are earlier results of this package."""

from pathlib import Path

import pytest

from cl_localization.cli.main import main
from cl_localization.data.own_folders import foreign_file

ROOM = "sim:3?rooms=1&size=64x48[:2]"


@pytest.mark.parametrize("words", [("bag",), ("bag", "--storage", "sqlite3"), ("bag", "--to", "7scenes"),
                                   *(("export", "--format", name) for name in ("tum", "transforms", "colmap"))])
def test_a_result_is_known_until_something_else_is_in_it(words: tuple[str, ...], tmp_path: Path) -> None:
    folder = tmp_path / "a+b"
    command = words[0], ROOM, *words[1:], "--out", str(folder)
    assert main([*command]) == 0 and foreign_file(folder) is None
    assert main([*command, "--force"]) == 0
    for name in ("thesis.txt", "images/holidays.png", "rgb/holidays.png", "sparse/1/cameras.txt", "a+b.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
        assert foreign_file(folder) == folder / name
        (folder / name).unlink()
    (folder / "link").symlink_to(tmp_path, target_is_directory=True)
    assert foreign_file(folder) == folder / "link" and main([*command, "--force"]) == 1


@pytest.mark.parametrize("names", [("rgb.txt", "groundtruth.txt", "rgb/1.0.png"), ("frame-000000.color.png",),
                                   ("metadata.yaml", "out_0.mcap"), ("images/000000.png", "transforms.json", "a.ply")])
def test_data_sets_of_others_are_not_taken_for_results(names: tuple[str, ...], tmp_path: Path) -> None:
    folder = tmp_path / "out"
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    assert foreign_file(folder) is not None


def test_an_empty_folder_and_none_at_all_hold_nothing_foreign(tmp_path: Path) -> None:
    (tmp_path / "out" / "inner").mkdir(parents=True)
    assert foreign_file(tmp_path / "out") is None and foreign_file(tmp_path / "none") is None
