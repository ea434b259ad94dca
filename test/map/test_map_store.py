"""A map's place on disk: whatever happens there, a whole good map is left, and nothing is overwritten in silence."""

from __future__ import annotations

import errno
import fcntl
import multiprocessing
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing.synchronize import Event
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from cl_localization.config import MapCodeConfig
from cl_localization.errors import DamagedMapError, MapError
from cl_localization.map.map_code import MapCode
from cl_localization.map.map_file import load_map, save_map, write_snapshot
from cl_localization.map.map_store import MapStore
from map_makers import assert_same_map, empty_map, grow
from ros_faults import fill, small_disk

CONFIG = MapCodeConfig()
KILLS_S = 20.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the map is to be."""
    return tmp_path / "kitchen.safetensors"


def names(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.parent.iterdir())


def saved(store: MapStore, map_code: MapCode, times: int = 1) -> MapCode:
    """Let a map grow and save it, several times."""
    for _ in range(times):
        grow(map_code)
        assert store.save(map_code.delta_since(0)) == store.path.stat().st_size
    return map_code


def loaded(store: MapStore) -> tuple[MapCode | None, str]:
    return store.load("xfeat", CONFIG)


def test_the_map_and_the_one_before_it_are_kept(path):
    store = MapStore(path)
    map_code = saved(store, empty_map(), 3)
    assert names(path) == ["kitchen.previous.safetensors", "kitchen.safetensors"]
    assert_same_map(loaded(store)[0], map_code)
    assert load_map(store.previous).version < map_code.version
    assert loaded(store)[1] == ""


def with_warnings(map_code: MapCode, *warnings: str) -> MapCode:
    map_code.health = {"warnings": list(warnings)}
    return map_code


def test_the_last_map_without_a_warning_is_kept_while_the_warning_stands(path):
    store = MapStore(path)
    good = saved(store, empty_map(), 2).version
    resumed = saved(store, loaded(store)[0].fork())  # its mistake is not known yet
    for offset_m in ("0.31", "0.32", "0.4"):
        saved(store, with_warnings(resumed, f"the poses contradict those of the map by {offset_m} m"))
        assert load_map(store.previous).version == good
    again = saved(store, loaded(store)[0].fork(), 2)
    assert load_map(store.previous).version == good and load_map(path).version == again.version
    mended = saved(store, with_warnings(again)).version
    assert load_map(store.previous).version == good, "what was replaced has the warning"
    saved(store, again)
    assert load_map(store.previous).version == mended


def test_a_warning_that_the_map_always_had_lets_the_one_before_it_go_on(path):
    store = MapStore(path)
    map_code = saved(store, with_warnings(empty_map(), "the scale is unknown, 3 parts"), 2)
    before = saved(store, with_warnings(map_code, "the scale is unknown, 2 parts")).version
    saved(store, map_code)
    assert load_map(store.previous).version == before


@pytest.mark.parametrize("health", [{}, {"warnings": None}, {"warnings": "x"}, {"warnings": [None, 3]}])
def test_odd_warnings_in_a_file_do_not_hinder_a_save(path, health):
    map_code = empty_map()
    map_code.health = health
    before = saved(MapStore(path), map_code, 2).version
    saved(MapStore(path), map_code)
    assert load_map(MapStore(path).previous).version == before


def test_where_no_map_ever_was_there_is_none_and_nothing_is_wrong(path):
    assert loaded(MapStore(path)) == (None, "")


def test_folders_are_made_and_links_followed(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "far" / "away")
    saved(MapStore(tmp_path / "link" / "kitchen.safetensors"), empty_map())
    assert load_map(tmp_path / "far" / "away" / "kitchen.safetensors")


@pytest.mark.parametrize("damage", [lambda content: content[:100], lambda content: content[:-1], lambda content: b"",
                                    lambda content: content[:-9] + b"!" + content[-8:]])
def test_a_damaged_map_is_kept_aside_and_the_one_before_it_taken(path, damage):
    store = MapStore(path)
    map_code = saved(store, empty_map(), 2)
    damaged = damage(path.read_bytes())
    path.write_bytes(damaged)
    found, warning = loaded(store)
    assert found.version < map_code.version
    assert "must" in warning and "kitchen.damaged-1.safetensors; resuming from" in warning and "\n" not in warning
    assert (path.parent / "kitchen.damaged-1.safetensors").read_bytes() == damaged
    assert loaded(store)[0].version == found.version
    saved(store, found.fork())
    assert_same_map(loaded(store)[0], found)


def test_two_damaged_maps_are_both_kept_and_another_begins(path):
    store = MapStore(path)
    saved(store, empty_map(), 2)
    for file in (store.path, store.previous):
        file.write_bytes(file.read_bytes()[:1000])
    found, warning = loaded(store)
    assert found is None and warning.endswith("starting a new map")
    assert names(path) == ["kitchen.damaged-1.safetensors",
                           "kitchen.previous.damaged-1.safetensors"] or len(names(path)) == 2


def test_a_map_that_is_gone_is_replaced_by_the_one_before_it(path):
    store = MapStore(path)
    saved(store, empty_map(), 2)
    path.unlink()
    assert "is missing; resuming from" in loaded(store)[1]


def test_a_map_of_another_encoder_is_refused_and_left_in_its_place(path):
    saved(MapStore(path), empty_map(), 2)
    with pytest.raises(MapError, match="must be made by the encoder in use, dinov2_small, found xfeat"):
        MapStore(path).load("dinov2_small", CONFIG)
    assert names(path) == ["kitchen.previous.safetensors", "kitchen.safetensors"]


def test_another_map_in_its_place_is_set_aside_under_its_own_name(path):
    store = MapStore(path)
    old = saved(store, empty_map(), 2)
    new = saved(store, empty_map(), 3)
    assert_same_map(load_map(path.parent / f"kitchen.{old.map_id[:8]}.safetensors"), old)
    assert_same_map(load_map(path), new)
    assert load_map(path.parent / f"kitchen.{old.map_id[:8]}.previous.safetensors").map_id == old.map_id
    assert load_map(store.previous).map_id == new.map_id


def test_a_map_that_goes_on_from_the_one_in_its_place_is_no_other(path):
    store = MapStore(path)
    old = saved(store, empty_map(), 1)
    new = saved(store, load_map(path).fork(), 1)
    assert names(path) == ["kitchen.previous.safetensors", "kitchen.safetensors"]
    assert load_map(store.previous).map_id == old.map_id == new.parent_id


def test_a_newer_version_of_the_map_that_an_older_copy_was_taken_of_is_another_and_kept(path, tmp_path):
    store, map_code = MapStore(path), saved(MapStore(path), empty_map(), 2)
    save_map(map_code, tmp_path / "copy.map")
    newer = saved(store, map_code, 2)
    child = saved(store, load_map(tmp_path / "copy.map").fork(), 2)
    assert_same_map(load_map(path.parent / f"kitchen.{newer.map_id[:8]}.safetensors"), newer)
    assert_same_map(load_map(path), child)
    assert load_map(store.previous).map_id == child.map_id


def test_an_older_version_of_the_map_that_was_forked_is_the_one_before_it(path, tmp_path):
    store, map_code = MapStore(path), saved(MapStore(path), empty_map())
    older = map_code.version
    grow(map_code)
    save_map(map_code, tmp_path / "copy.map")
    saved(store, load_map(tmp_path / "copy.map").fork())
    assert load_map(store.previous).version == older and len(names(path)) == 3


@pytest.mark.parametrize("version", ["5", None, 1e9])
def test_an_odd_version_in_a_file_does_not_hinder_a_save(path, version):
    parent = empty_map()
    with path.open("wb") as stream:
        write_snapshot(replace(parent.delta_since(0), version=version), stream)
    other = path.parent / f"kitchen.{parent.map_id[:8]}.safetensors"
    saved(MapStore(path), parent.fork())
    assert other.is_file()


OTHER_FILES = [b"my poem", b"42\n", b"amcl:\n  ros__parameters:\n    use_sim_time: true\n" * 2,
               b"\x89PNG\r\n\x1a\n" * 9,
               b'\x70\0\0\0\0\0\0\0{"weight":{"dtype":"F16","shape":[1],"data_offsets":[0,2]}}  ']


@pytest.mark.parametrize("content", OTHER_FILES)
@pytest.mark.parametrize("place", ["kitchen", "kitchen.previous"])
def test_what_is_no_map_is_left_alone(path, content, place):
    other = path.with_stem(place)
    other.write_bytes(content)
    for use in (loaded, lambda store: store.save(empty_map().delta_since(0))):
        with pytest.raises(MapError, match=f"{place}.safetensors must be .*no map.* choose another name") as error:
            use(MapStore(path))
        assert not isinstance(error.value, DamagedMapError)
    assert names(path) == [other.name] and other.read_bytes() == content


def test_weights_of_a_network_are_left_alone(path):
    save_file({"weight": np.zeros(3, np.float32)}, path)
    content = path.read_bytes()
    with pytest.raises(MapError, match="another kind of file, and left alone: choose another name"):
        MapStore(path).save(empty_map().delta_since(0))
    assert names(path) == [path.name] and path.read_bytes() == content


@pytest.mark.parametrize("damage", [lambda content: content[:9], lambda content: content[:30],
                                    lambda content: b"\0" * len(content), lambda content: b"\0" * 512 + content[512:],
                                    lambda content: b"\xff" * 8 + content[8:],
                                    lambda content: content[:8] + b"[" + content[9:],
                                    lambda content: content[:100] + b"\0" * (len(content) - 100)])
def test_a_map_whose_begin_is_damaged_is_known_as_one_and_set_aside_by_a_save(path, damage):
    saved(MapStore(path), empty_map(), 2)
    path.write_bytes(damaged := damage(path.read_bytes()))
    saved(MapStore(path), empty_map())
    assert (path.parent / "kitchen.damaged-1.safetensors").read_bytes() == damaged


def test_a_map_of_a_later_format_is_set_aside_by_a_save(path):
    saved(MapStore(path), empty_map())
    path.write_bytes(later := path.read_bytes().replace(b'format_version\\": 4', b'format_version\\": 9'))
    with pytest.raises(MapError, match="must have format version"):
        loaded(MapStore(path))
    saved(MapStore(path), empty_map())
    assert (path.parent / "kitchen.damaged-1.safetensors").read_bytes() == later


def test_two_that_go_on_from_one_map_do_not_overwrite_each_other(path):
    saved(MapStore(path), empty_map())
    one, two = load_map(path).fork(), load_map(path).fork()
    for _ in range(2):
        saved(MapStore(path), one)
        saved(MapStore(path), two)
    assert_same_map(load_map(path), two)
    assert_same_map(load_map(path.parent / f"kitchen.{one.map_id[:8]}.safetensors"), one)


def test_where_files_cannot_have_two_names_the_map_is_still_kept(path, monkeypatch):
    def no_links(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    store = MapStore(path)
    map_code = saved(store, empty_map(), 3)
    assert_same_map(loaded(store)[0], map_code)
    assert load_map(store.previous).version < map_code.version


def test_a_link_left_by_a_kill_does_not_hinder_the_next_save(path):
    store = MapStore(path)
    map_code = saved(store, empty_map(), 1)
    os.link(path, path.parent / ".kitchen.previous.safetensors.link")
    os.link(path, store.previous)
    saved(store, map_code, 2)
    assert names(path) == ["kitchen.previous.safetensors", "kitchen.safetensors"]


def test_only_one_process_saves_at_a_time(path):
    store = MapStore(path)
    map_code = saved(store, empty_map())
    with (path.parent / f".{path.name}.partial").open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(MapError, match="must be writable, found another process is saving to it"):
            store.save(map_code.delta_since(0))
    saved(store, map_code)


def test_a_file_system_without_locks_is_written_all_the_same(path, monkeypatch):
    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    saved(MapStore(path), empty_map(), 2)


def test_a_folder_that_vanishes_is_told_and_saving_goes_on_when_it_is_back(path, tmp_path):
    folder = tmp_path / "stick"
    store = MapStore(folder / "kitchen.safetensors")
    map_code = saved(store, empty_map())
    shutil.rmtree(folder)
    with pytest.raises(MapError, match="kitchen.safetensors must be writable, found No such file or directory; the "
                                       "last saved map is unchanged"):
        store.save(map_code.delta_since(0))
    folder.mkdir()
    saved(store, map_code)


def test_a_folder_in_the_maps_place_is_told(path):
    path.mkdir()
    (path / "precious").write_text("here")
    with pytest.raises(MapError, match="must be a file, found a folder or device"):
        MapStore(path).save(empty_map().delta_since(0))
    assert list(path.parent.rglob("precious"))


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 kB."""
    with small_disk(tmp_path / "disk", 256 << 10) as folder:
        yield folder


def test_a_full_disk_leaves_what_was_saved_and_is_saved_to_again_when_there_is_room(disk):
    store = MapStore(disk / "kitchen.safetensors")
    map_code = saved(store, empty_map(), 2)
    ballast = fill(disk, 16 << 10)
    before = {entry.name: entry.read_bytes() for entry in disk.glob("kitchen*")}
    grow(map_code, 1000)
    with pytest.raises(MapError, match="must be writable, found No space left on device"):
        store.save(map_code.delta_since(0))
    assert {entry.name: entry.read_bytes() for entry in disk.glob("kitchen*")} == before
    assert not list(disk.glob(".*"))
    ballast.unlink()
    saved(store, map_code)


def test_a_disk_that_may_not_be_written_is_told(disk):
    store = MapStore(disk / "kitchen.safetensors")
    map_code = saved(store, empty_map())
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    with pytest.raises(MapError, match="must be writable, found Read-only file system"):
        store.save(map_code.delta_since(0))
    assert loaded(store)[0].version == map_code.version


def _save_for_ever(path: Path, begun: Event) -> None:
    """Let a map grow and save it after every keyframe, until killed."""
    store, map_code = MapStore(path), load_map(path).fork()
    begun.set()
    while True:
        grow(map_code, 3000)
        store.save(map_code.delta_since(0))


@pytest.mark.parametrize("kills", [25, pytest.param(200, marks=pytest.mark.long)])
def test_a_process_killed_while_it_saves_leaves_whole_maps_only(path, kills):
    save_map(empty_map(), path)
    random, context = np.random.default_rng(kills), multiprocessing.get_context("fork")
    caught_writing = 0
    for _ in range(kills):
        process = context.Process(target=_save_for_ever, args=(path, begun := context.Event()))
        process.start()
        assert begun.wait(KILLS_S)
        process.join(float(random.uniform(0.005, 0.06)))
        process.kill()
        process.join(KILLS_S)
        partial = path.parent / f".{path.name}.partial"
        caught_writing += partial.exists()
        found, warning = loaded(MapStore(path))
        assert found is not None and warning == ""
        assert len(names(path)) <= 2 + partial.exists() + len(list(path.parent.glob(".*.link")))
        if len(found) > 30_000:
            save_map(empty_map(), path)
    print(f"{kills} kills, {caught_writing} while a map was being written; every map loaded")
    assert caught_writing > 0


def test_a_name_too_long_for_any_file_is_a_clear_error() -> None:
    with pytest.raises(MapError, match="must be a file, found nothing there"):
        load_map("x" * 5000)
    with pytest.raises(MapError, match="must be writable, found File name too long"):
        MapStore("x" * 5000).save(empty_map().delta_since(0))
