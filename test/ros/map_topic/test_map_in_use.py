"""The map in use: which poses are checked by what was saved beside a map."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("cl_localization.msg", reason="ROS 2 or the built messages are not here: run scripts/test")

from cl_localization.errors import MapError
from cl_localization.map.map_code import MapCode
from cl_localization.ros.map_topic import map_in_use
from cl_localization.ros.map_topic.map_in_use import MapInUse
from map_makers import DIM, empty_map


class Stage:
    """Maps in files, of which some have a pose check beside them, and a node that takes them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.config, self.reported, self.others = None, [], 0
        self.report = self.reported.append
        self.files: dict[str, MapCode] = {}
        monkeypatch.setattr(map_in_use, "load_map", lambda path, encoder: self.files[path])
        monkeypatch.setattr(map_in_use, "pose_check_beside", self._check)
        monkeypatch.setattr(map_in_use, "Localizer", lambda map_code, *_, **__: SimpleNamespace(
            map_code=map_code, localize=lambda frame, guess: "not checked"))
        unguessed = SimpleNamespace(guess_for=lambda frame: None, judge=lambda found: None)
        self.in_use = MapInUse(self, SimpleNamespace(name="xfeat", dim=DIM), unguessed, self._note_other)

    def get_logger(self) -> Any:
        return SimpleNamespace(info=lambda text: None)

    def load(self, path: str, map_code: MapCode | None = None) -> str:
        """Load a map, by default one that is made for this, and return what becomes of a pose in it."""
        self.files[path] = empty_map() if map_code is None else map_code
        self.in_use.load(path)
        return self.in_use.localize(None)

    def _check(self, path: str, map_code: MapCode, config: None) -> Any:
        if path == "damaged":
            raise MapError("radiance field", "must belong to the map beside it", "another")
        return SimpleNamespace(map_id=map_code.map_id, judge=lambda frame, found, config: "checked")

    def _note_other(self) -> None:
        self.others += 1


def test_poses_in_a_map_that_took_its_place_are_not_checked_by_what_was_beside_a_file(monkeypatch) -> None:
    stage = Stage(monkeypatch)
    assert stage.load("first") == "checked" and stage.others == 0
    stage.in_use.follower.use(empty_map())
    stage.in_use.use()
    assert stage.in_use.localize(None) == "not checked" and stage.others == 1


def test_where_a_check_cannot_be_read_poses_are_not_checked_and_it_is_said(monkeypatch) -> None:
    stage = Stage(monkeypatch)
    stage.load("first")
    assert stage.load("damaged", stage.files["first"]) == "not checked" and len(stage.reported) == 1
