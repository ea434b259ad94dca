"""Maps on disk: there whole or not at all, and whatever is wrong with a file is a `MapError`."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from cl_localization.config import MapCodeConfig
from cl_localization.errors import DamagedMapError, MapError
from cl_localization.map.map_code import MapCode, NewCodes
from cl_localization.map.map_delta import ID_COLUMNS, KEYFRAME_DESCRIPTOR_DIM, KEYFRAME_TYPES, ROW_TYPES
from cl_localization.map.map_file import FORMAT, FORMAT_VERSION, load_map, read_map_info, save_map
from map_makers import assert_same_map, empty_map, grow


def grown(times: int = 3) -> MapCode:
    map_code = empty_map()
    for _ in range(times):
        grow(map_code, count=8)
    map_code.merge(map_code.codes.rows()[:5], _observations(map_code, 5), 1)
    map_code.remove(map_code.codes.rows()[::4])
    return map_code


def _observations(map_code: MapCode, count: int) -> NewCodes:
    rows = map_code.codes.rows()[:count]
    return NewCodes(map_code.descriptors(rows), map_code.codes["positions_m"][rows] + 0.01,
                    np.full(count, 0.02, np.float32))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A saved map."""
    save_map(grown(), tmp_path / "kitchen.map")
    return tmp_path / "kitchen.map"


def rewritten(path: Path, changed: Path, metadata: dict | None = None, header: dict | None = None,
              **arrays: np.ndarray | None) -> Path:
    """Write a copy of a map file with other metadata, header entries or arrays; None leaves one out."""
    with safe_open(path, framework="numpy") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()} | arrays
        kept = file.metadata()
    content = {**json.loads(kept["json"]), **(metadata or {})}
    content = {name: value for name, value in content.items() if value is not ...}
    entries = {**kept, "json": json.dumps(content), **(header or {})}
    save_file({name: values for name, values in tensors.items() if values is not None}, changed,
              {name: value for name, value in entries.items() if value is not None})
    return changed


def test_a_map_survives_its_file_exactly(tmp_path):
    map_code = grown()
    size = save_map(map_code, tmp_path / "a.map")
    loaded = load_map(tmp_path / "a.map", "xfeat")
    assert_same_map(loaded, map_code)
    assert size == (tmp_path / "a.map").stat().st_size
    assert set(loaded.delta_since(0).arrays()) == {*ROW_TYPES, *KEYFRAME_TYPES, *ID_COLUMNS}


def test_a_saved_copy_of_a_loaded_map_says_the_same(tmp_path):
    save_map(grown(), tmp_path / "a.map")
    save_map(load_map(tmp_path / "a.map"), tmp_path / "b.map")
    assert read_map_info(tmp_path / "a.map") == read_map_info(tmp_path / "b.map")
    assert_same_map(load_map(tmp_path / "a.map"), load_map(tmp_path / "b.map"))


def test_an_empty_map_can_be_saved(tmp_path):
    map_code = empty_map()
    save_map(map_code, tmp_path / "a.map")
    assert_same_map(load_map(tmp_path / "a.map"), map_code)
    assert read_map_info(tmp_path / "a.map")["codes"] == 0


def test_a_loaded_map_can_grow_and_be_followed(tmp_path):
    save_map(grown(), tmp_path / "a.map")
    loaded = load_map(tmp_path / "a.map")
    follower = load_map(tmp_path / "a.map")
    version = loaded.version
    grow(loaded)
    follower.apply(loaded.delta_since(version))
    assert_same_map(follower, loaded)


def test_a_map_keeps_its_cell_size_and_takes_the_rest_from_the_options(tmp_path):
    map_code = empty_map()
    map_code.set_cell_size(0.123)
    save_map(map_code, tmp_path / "a.map")
    loaded = load_map(tmp_path / "a.map", config=MapCodeConfig(cell_size_m=0.5, budget_mb=3.0))
    assert (loaded.cell_size_m, loaded.config.budget_mb) == (0.123, 3.0)


def test_the_size_of_a_map_is_about_that_of_its_file(tmp_path):
    map_code = empty_map(dim=64)
    grow(map_code, count=3000)
    save_map(map_code, tmp_path / "a.map")
    assert map_code.size_bytes == pytest.approx((tmp_path / "a.map").stat().st_size, rel=0.02)


def test_the_information_is_read_without_the_tables(path):
    info = read_map_info(path)
    map_code = load_map(path)
    assert (info["encoder"], info["dim"], info["version"]) == ("xfeat", 8, map_code.version)
    assert (info["codes"], info["keyframes"]) == (len(map_code), 3)
    assert info["format_version"] == FORMAT_VERSION
    assert info["software"].startswith("cl_localization ")
    assert info["file_bytes"] == path.stat().st_size


def test_more_metadata_comes_back(tmp_path):
    save_map(grown(), tmp_path / "a.map", extra={"camera": {"fx_px": 1.5}})
    assert read_map_info(tmp_path / "a.map")["extra"] == {"camera": {"fx_px": 1.5}}


def test_an_existing_map_is_replaced_and_folders_are_made(tmp_path):
    path = tmp_path / "new" / "folder" / "a.map"
    save_map(grown(1), path)
    map_code = grown(2)
    save_map(map_code, path)
    assert_same_map(load_map(path), map_code)
    assert [entry.name for entry in path.parent.iterdir()] == ["a.map"]


def test_every_wrong_byte_of_the_columns_is_noticed(path, tmp_path):
    content = path.read_bytes()
    begin = 8 + int.from_bytes(content[:8], "little")
    for place in range(begin, len(content), 7):
        changed = bytearray(content)
        changed[place] ^= 1
        (tmp_path / "flipped.map").write_bytes(changed)
        with pytest.raises(DamagedMapError, match="flipped.map must"):
            load_map(tmp_path / "flipped.map")


def test_a_file_without_a_digest_is_read_as_those_of_earlier_versions(path, tmp_path):
    assert_same_map(load_map(rewritten(path, tmp_path / "b.map", header={"sha256": None})), load_map(path))


def test_a_file_of_before_there_were_variance_factors_has_unknown_ones(path, tmp_path):
    older = load_map(rewritten(path, tmp_path / "b.map", header={"sha256": None}, keyframe_variance_factors=None))
    assert not older.keyframes["keyframe_variance_factors"].any()
    assert len(older.keyframes) == len(load_map(path).keyframes)


def test_a_file_of_before_keyframes_had_descriptors_has_unknown_ones(path, tmp_path):
    older = load_map(rewritten(path, tmp_path / "b.map", {"format_version": 1, "parent_version": ...},
                               header={"sha256": None}, keyframe_descriptors=None))
    assert older.keyframes["keyframe_descriptors"].shape[1] == KEYFRAME_DESCRIPTOR_DIM
    assert not older.keyframes["keyframe_descriptors"].any()
    assert len(older.keyframes) == len(load_map(path).keyframes)


@pytest.mark.parametrize("version", [1, 2])
def test_a_file_with_the_column_of_matches_that_older_versions_wrote_is_read_without_it(path, tmp_path, version):
    codes = len(load_map(path))
    older = rewritten(path, tmp_path / "b.map", {"format_version": version}, header={"sha256": None},
                      matched=np.zeros(codes, np.uint16))
    assert_same_map(load_map(older), load_map(path))


def test_the_digest_covers_the_metadata(path, tmp_path):
    with pytest.raises(DamagedMapError, match="must have the contents that were written"):
        load_map(rewritten(path, tmp_path / "b.map", {"cell_size_m": 0.5}))


def test_a_map_knows_which_one_it_goes_on_from(path, tmp_path):
    parent = load_map(path)
    child = load_map(path).fork()
    grow(child)
    save_map(child, tmp_path / "b.map")
    assert parent.parent_id == "" and load_map(tmp_path / "b.map").parent_id == parent.map_id != child.map_id
    info = read_map_info(tmp_path / "b.map")
    assert (info["parent_id"], info["parent_version"]) == (parent.map_id, parent.version)


def test_a_disk_that_cannot_be_read_is_told(path, monkeypatch):
    def broken(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("cl_localization.map.map_file.read_tensor", broken)
    with pytest.raises(DamagedMapError, match="must be readable, found .*Input/output error; check the disk"):
        load_map(path)


def test_a_file_that_may_not_be_read_is_not_called_damaged(path, monkeypatch):
    def forbidden(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("cl_localization.map.map_file.read_header", forbidden)
    with pytest.raises(MapError, match="must be readable.*check its permissions") as error:
        load_map(path)
    assert not isinstance(error.value, DamagedMapError)


@pytest.mark.parametrize("reader", [load_map, read_map_info])
def test_a_map_that_is_not_there_is_named(tmp_path, reader):
    with pytest.raises(MapError, match=r"map .*none.map must be a file, found nothing there"):
        reader(tmp_path / "none.map")
    with pytest.raises(MapError, match="must be a file, found a folder"):
        reader(tmp_path)


@pytest.mark.parametrize("reader", [load_map, read_map_info])
def test_a_truncated_map_is_refused_wherever_it_ends(path, tmp_path, reader):
    content = path.read_bytes()
    part = tmp_path / "part.map"
    for length in sorted({*range(40), *range(40, len(content), 97), *range(len(content) - 10, len(content))}):
        part.write_bytes(content[:length])
        with pytest.raises(MapError, match="map .*part.map must be a whole safetensors file.*truncated, damaged or no "
                                           "map"):
            reader(part)


def test_bytes_after_the_end_are_refused(path):
    path.write_bytes(path.read_bytes() + b"more")
    with pytest.raises(MapError, match="must be a whole safetensors file"):
        load_map(path)


def test_random_bytes_are_no_map(tmp_path):
    for seed in range(30):
        random = np.random.default_rng(seed)
        file = tmp_path / f"random_{seed}.map"
        file.write_bytes(random.bytes(int(random.integers(0, 5000))))
        with pytest.raises(MapError, match="must be a whole safetensors file"):
            load_map(file)


@pytest.mark.parametrize("content", [b"PK\x03\x04 a zip", b"\x80\x04\x95 a pickle",
                                     b"# poses.txt\n1 0 0 0 0 0 0 1\n" * 10,
                                     b"\xff" * 64, b"\x02" + b"\0" * 7 + b"{}", b"\x02" + b"\0" * 7 + b"[]"])
def test_another_kind_of_file_is_no_map(tmp_path, content):
    (tmp_path / "other").write_bytes(content)
    for reader in (load_map, read_map_info):
        with pytest.raises(MapError, match="must be"):
            reader(tmp_path / "other")


@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
@pytest.mark.parametrize("seed", range(4))
def test_a_map_with_a_wrong_byte_is_a_map_or_an_error(path, tmp_path, seed):
    content = path.read_bytes()
    random = np.random.default_rng(seed)
    damaged = tmp_path / "damaged.map"
    header_bytes = 8 + int.from_bytes(content[:8], "little")
    refused = 0
    for place in [*random.integers(0, header_bytes, 150), *random.integers(header_bytes, len(content), 30)]:
        changed = bytearray(content)
        changed[place] ^= int(random.integers(1, 256))
        damaged.write_bytes(changed)
        try:
            loaded = load_map(damaged, "xfeat")
        except MapError:
            refused += 1
        else:
            loaded.delta_since(0)
    assert refused > 100


def test_weights_of_a_network_are_no_map(tmp_path):
    save_file({"weight": np.zeros(3, np.float32)}, tmp_path / "weights.safetensors")
    with pytest.raises(MapError, match=f"must be of format {FORMAT}.*another kind of file"):
        load_map(tmp_path / "weights.safetensors")


@pytest.mark.parametrize("version", [0, 5, 99, None, "1"])
def test_another_format_version_is_told(path, tmp_path, version):
    changed = rewritten(path, tmp_path / "b.map", {"format_version": version})
    for reader in (load_map, read_map_info):
        with pytest.raises(MapError, match=f"format version 1 or 2 or 3 or {FORMAT_VERSION}.*use the version of"):
            reader(changed)


@pytest.mark.parametrize("text", ["", "{", "null", "[]", "3", '"text"', "{}"])
def test_metadata_that_cannot_be_read_are_refused(path, tmp_path, text):
    changed = rewritten(path, tmp_path / "b.map", header={"json": text})
    for reader in (load_map, read_map_info):
        with pytest.raises(MapError, match="must have readable metadata.*damaged"):
            reader(changed)


def test_metadata_that_are_not_there_are_refused(path, tmp_path):
    with pytest.raises(MapError, match="must have readable metadata"):
        load_map(rewritten(path, tmp_path / "b.map", header={"json": None}))


def test_a_map_of_another_encoder_is_told_with_both(path):
    with pytest.raises(MapError, match="must be made by the encoder in use, dinov2_small, found xfeat; use the encoder "
                                       "xfeat or map again"):
        load_map(path, "dinov2_small")


@pytest.mark.parametrize("name", ["ids", "keys", "positions_m", "keyframe_poses", "removed_ids"])
def test_a_column_that_is_missing_is_told(path, tmp_path, name):
    with pytest.raises(MapError, match=f"must hold all its columns.*{name}"):
        load_map(rewritten(path, tmp_path / "b.map", **{name: None}))


def test_a_column_too_many_is_told(path, tmp_path):
    with pytest.raises(MapError, match="must hold all its columns.*surplus"):
        load_map(rewritten(path, tmp_path / "b.map", surplus=np.zeros(3, np.float32)))


@pytest.mark.parametrize("name", ["map_id", "encoder", "dim", "frame_id", "cell_size_m", "version", "scene_names"])
def test_metadata_that_are_missing_are_told(path, tmp_path, name):
    with pytest.raises(MapError, match=f"must hold all its columns.*{name}"):
        load_map(rewritten(path, tmp_path / "b.map", {name: ...}))


@pytest.mark.parametrize(("name", "value"), [("dim", "8"), ("dim", 7), ("dim", -8), ("version", -3), ("version", "5"),
                                             ("version", 10**30),
                                             ("cell_size_m", "0.1"), ("cell_size_m", -0.1), ("cell_size_m", None),
                                             ("scene_names", 3), ("scene_names", []), ("scene_names", [3]),
                                             ("map_id", 5)])
def test_metadata_that_make_no_sense_are_told(path, tmp_path, name, value):
    with pytest.raises(MapError, match="map code"):
        load_map(rewritten(path, tmp_path / "b.map", {name: value}))


@pytest.mark.parametrize(("name", "values"), [
    ("ids", np.zeros((), np.uint32)), ("ids", -np.ones(18, np.int64)), ("ids", np.ones(18, np.float32)),
    ("ids", np.arange(18, dtype=np.uint32) + 4_000_000_000), ("positions_m", np.full((18, 3), np.nan, np.float32)),
    ("keys", np.zeros((18, 8), np.float32)), ("removed_ids", np.zeros((2, 2), np.uint32)),
    ("anchors", np.full(18, 70, np.uint32))])
def test_columns_that_make_no_sense_are_told(path, tmp_path, name, values):
    with pytest.raises(MapError, match="map code"):
        load_map(rewritten(path, tmp_path / "b.map", **{name: values}))


@pytest.mark.parametrize("change", [{"ids": np.zeros((), np.uint32)}, {"ids": None}, {"keyframe_ids": None},
                                    {"metadata": {"encoder": ...}}, {"metadata": {"scene_names": ...}}])
def test_the_information_of_a_map_that_lacks_something_is_refused(path, tmp_path, change):
    with pytest.raises(MapError, match="must hold all its columns.*damaged"):
        read_map_info(rewritten(path, tmp_path / "b.map", **change))


def test_a_folder_that_may_not_be_written_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)  # permissions do not bind the user that containers run as
    with pytest.raises(MapError, match="must be writable.*no permission.*nothing was changed"):
        save_map(grown(), tmp_path / "a.map")
    assert list(tmp_path.iterdir()) == []


def test_a_place_where_no_file_can_be_is_told(tmp_path):
    (tmp_path / "file").write_text("here")
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "file" / "a.map", tmp_path / "folder"):
        with pytest.raises(MapError, match="must be writable.*nothing was changed; choose another path"):
            save_map(grown(), path)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["file", "folder"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_disk_that_is_full_leaves_the_old_map(path, monkeypatch, step):
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, step, full)
    with pytest.raises(MapError, match="must be writable.*No space left on device"):
        save_map(grown(5), path)
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


class Killed(BaseException):
    """Stands for the end of the process: nobody catches it."""


def test_a_kill_between_writing_and_renaming_leaves_the_old_map(path, monkeypatch):
    old = load_map(path)

    def killed(*_: object) -> None:
        raise Killed

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(Killed):
        save_map(grown(5), path)
    assert_same_map(load_map(path), old)


def test_what_a_kill_leaves_behind_does_not_hinder_the_next_save(path, monkeypatch):
    def killed(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", killed)
        patched.setattr("cl_localization.data.atomic.shutil.rmtree", lambda *_, **__: None)
        with pytest.raises(Killed):
            save_map(grown(5), path)
    map_code = grown(2)
    save_map(map_code, path)
    assert_same_map(load_map(path), map_code)
