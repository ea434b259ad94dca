"""What a map's file lacks: copied after keyframes, seldom where copies are slow, until the file has it."""

from __future__ import annotations

from pathlib import Path

import pytest

from cl_localization.errors import MapError
from cl_localization.map.map_code import MapCode
from cl_localization.map.map_file import save_map
from cl_localization.ros.mapping import unsaved_changes
from cl_localization.ros.mapping.unsaved_changes import UnsavedChanges
from map_makers import empty_map, grow

FILE = Path("not.read")
"""No file is read where the whole map is unsaved."""


def noted(unsaved: UnsavedChanges, map_code: MapCode, keyframes: int) -> None:
    """Let the map grow, and note each keyframe."""
    for _ in range(keyframes):
        grow(map_code)
        unsaved.note(map_code)


@pytest.fixture
def slow(monkeypatch) -> None:
    """Every copy counts as slow, and no next one comes within the test."""
    monkeypatch.setattr(unsaved_changes, "QUICK_S", -1.0)
    monkeypatch.setattr(unsaved_changes, "PAUSE_FACTOR", 1e9)


def begun(map_code: MapCode) -> UnsavedChanges:
    unsaved = UnsavedChanges()
    unsaved.begin(map_code.map_id, 0)
    return unsaved


def test_quick_copies_are_made_after_each_keyframe(monkeypatch) -> None:
    monkeypatch.setattr(unsaved_changes, "QUICK_S", 60.0)
    map_code = empty_map()
    unsaved = begun(map_code)
    noted(unsaved, map_code, 3)
    assert unsaved.with_file(FILE).version == map_code.version and unsaved.uncopied_keyframes == 0


def test_slow_copies_are_made_seldom_and_what_they_lack_is_counted_until_it_is_saved(slow) -> None:
    map_code = empty_map()
    unsaved = begun(map_code)
    noted(unsaved, map_code, 1)
    first = map_code.version
    noted(unsaved, map_code, 2)
    assert unsaved.with_file(FILE).version == first and unsaved.uncopied_keyframes == 2
    unsaved.saved(map_code.map_id, map_code.version)
    assert unsaved.with_file(FILE) is None and unsaved.uncopied_keyframes == 0


def test_after_a_save_the_next_keyframe_is_copied_at_once(slow) -> None:
    map_code = empty_map()
    unsaved = begun(map_code)
    noted(unsaved, map_code, 2)
    unsaved.saved(map_code.map_id, map_code.version)
    noted(unsaved, map_code, 1)
    assert unsaved.uncopied_keyframes == 0


def test_a_save_that_was_begun_before_the_newest_keyframe_does_not_have_it(monkeypatch) -> None:
    monkeypatch.setattr(unsaved_changes, "QUICK_S", 60.0)
    map_code = empty_map()
    unsaved = begun(map_code)
    noted(unsaved, map_code, 1)
    begun_with = map_code.version
    noted(unsaved, map_code, 1)
    unsaved.saved(map_code.map_id, begun_with)
    assert unsaved.with_file(FILE).version == map_code.version


def test_changes_are_not_added_to_the_file_of_another_map(tmp_path: Path) -> None:
    map_code, another = empty_map(), empty_map()
    grow(map_code)
    grow(another)
    save_map(another, tmp_path / "map.safetensors")
    unsaved = UnsavedChanges()
    unsaved.begin(map_code.map_id, map_code.version)
    noted(unsaved, map_code, 1)
    with pytest.raises(MapError, match="must be the one in work"):
        unsaved.with_file(tmp_path / "map.safetensors")


def test_a_saved_version_of_another_map_says_nothing() -> None:
    map_code = empty_map()
    unsaved = begun(map_code)
    unsaved.saved("another", 100)
    noted(unsaved, map_code, 1)
    assert unsaved.with_file(FILE).base_version == 0
