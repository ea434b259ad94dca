from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cl_localization.errors import DataError
from cl_localization.research.seqmatchnet.datasets import open_pair, open_traverse
from cl_localization.research.seqmatchnet.options import PlaceDataConfig
from place_makers import route_descriptors, write_images
from struct_makers import struct_fields, write_nordland, write_struct


def test_two_folders_of_images_are_a_pair(tmp_path: Path) -> None:
    folders = [str(write_images(tmp_path / name, [1, 2, 3])) for name in ("a", "b")]
    pair = open_pair(PlaceDataConfig(database=folders[0], query=folders[1], tolerance=2.0), "test")
    assert len(pair.database) == 3 and pair.true_radius == pair.near_radius == 2.0


def test_a_traverse_is_a_file_of_descriptors_a_folder_or_a_posed_sequence(tmp_path: Path) -> None:
    np.save(tmp_path / "d.npy", route_descriptors(4))
    assert open_traverse(str(tmp_path / "d.npy")).descriptors.shape == (4, 24)
    assert open_traverse(str(write_images(tmp_path / "a", [1, 2, 3, 5, *range(6, 40)])),
                         split_at_gaps=True).bounds.shape == (2, 2)
    assert open_traverse("sim:3?frames=3&size=64x48").positions.shape == (3, 3)


def test_a_structure_says_where_stored_descriptors_belong(tmp_path: Path) -> None:
    struct = write_struct(tmp_path / "s.db", struct_fields(50, 6, 3.0))
    np.save(tmp_path / "d.npy", route_descriptors(6))
    path = str(tmp_path / "d.npy")
    pair = open_pair(PlaceDataConfig(database=path, query=path, dataset=str(struct)), "test")
    assert pair.true_radius == 3.0 and pair.near_radius == 1.0 and pair.queries.positions[0, 0] == 50


@pytest.mark.parametrize("split, first, radius", [("train", 0, 5.0), ("val", 20, 1.0), ("test", 40, 1.0)])
def test_the_splits_of_a_named_data_set_have_their_own_rows(tmp_path: Path, split: str, first: int,
                                                            radius: float) -> None:
    root = write_nordland(tmp_path / "data", 20)
    pair = open_pair(PlaceDataConfig(dataset="nordland-sw", data_path=str(root)), split)
    summer = np.load(root / "descData" / "netvlad-pytorch" / "nordland-clean-summer.npy")
    assert np.array_equal(pair.database.descriptors, summer[first:first + 20]) and pair.true_radius == radius


def test_structures_may_lie_beside_the_data_folder(tmp_path: Path) -> None:
    root = write_nordland(tmp_path / "data", 10)
    (root / "structFiles").rename(tmp_path / "structFiles")
    assert len(open_pair(PlaceDataConfig(dataset="nordland-sw", data_path=str(root)), "test").queries) == 10


@pytest.mark.parametrize("split, first, count", [("train", 0, 15000), ("test", 15100, 3000), ("val", 18200, 3000)])
def test_nordland_needs_no_lists_of_images(tmp_path: Path, split: str, first: int, count: int) -> None:
    ending = "d-40_d2-10" if split == "train" else "d-1_d2-1"
    write_struct(tmp_path / "structFiles" / f"nordland_{split}_{ending}.db", struct_fields(first, count))
    folder = tmp_path / "descData" / "netvlad-pytorch"
    folder.mkdir(parents=True)
    for season in ("summer", "winter"):
        np.save(folder / f"nordland-clean-{season}.npy", np.arange(27592.0)[:, None])
    pair = open_pair(PlaceDataConfig(dataset="nordland-sw", data_path=str(tmp_path)), split)
    assert np.array_equal(pair.queries.descriptors[:, 0], np.arange(first, first + count))


def test_oxford_needs_no_lists_of_images(tmp_path: Path) -> None:
    drives, structs = ("2015-03-17-11-08-44", "2014-12-16-18-44-24"), tmp_path / "structFiles"
    write_struct(structs / f"oxford-v1.0_{'_'.join(drives)}_train_d-20_d2-5.db", struct_fields(0, 4))
    (tmp_path / "descData" / "netvlad-pytorch").mkdir(parents=True)
    for drive in drives:
        np.save(tmp_path / "descData" / "netvlad-pytorch" / f"oxford_{drive}_stereo_left.npy", np.arange(9.0)[:, None])
    options = PlaceDataConfig(dataset="oxford-v1.0", data_path=str(tmp_path))
    with pytest.raises(DataError, match="splitInds.npz must be a file"):
        open_pair(options, "train")
    rows = np.empty(2, object)
    rows[:] = [np.array([0, 1, 7, 8]), np.array([2, 3, 4, 5])]
    np.savez(structs / "oxford-v1.0_splitInds.npz", trainInds=rows)
    pair = open_pair(options, "train")
    assert pair.database.descriptors[:, 0].tolist() == [0, 1, 7, 8]
    assert pair.queries.descriptors[:, 0].tolist() == [2, 3, 4, 5]
    for wrong in (np.array([[0, 1]]), np.array(["a", None, {}], object)):
        np.savez(structs / "oxford-v1.0_splitInds.npz", trainInds=wrong)
        with pytest.raises(DataError, match="must be two arrays of whole numbers for each split"):
            open_pair(options, "train")


@pytest.mark.parametrize("name, part", [("oxford-v1.0", "test_d-10_d2-5"), ("oxford-pnv", "test_d-25_d2-5")])
def test_oxford_is_known_by_its_drives(tmp_path: Path, name: str, part: str) -> None:
    drives = ("2015-03-17-11-08-44", "2014-12-16-18-44-24")
    write_struct(tmp_path / "structFiles" / f"{name}_{'_'.join(drives)}_{part}.db", struct_fields(1, 4))
    folder = tmp_path / "structFiles" / "imageNamesFiles"
    folder.mkdir()
    (tmp_path / "descData" / "kind").mkdir(parents=True)
    for drive in drives:
        (folder / f"oxford_{drive}_imagenames_subsampled-2m.txt").write_text(
            "".join(f"a/images-{number:05d}.png\n" for number in range(6))
        )
        np.save(tmp_path / "descData" / "kind" / f"oxford_{drive}_stereo_left.npy", np.arange(6.0)[:, None])
    pair = open_pair(PlaceDataConfig(dataset=name, data_path=str(tmp_path), descriptor_type="kind"), "val")
    assert pair.database.descriptors[:, 0].tolist() == [1, 2, 3, 4]


def test_street_sequences_have_bounds(tmp_path: Path) -> None:
    write_struct(tmp_path / "structFiles" / "msls_amman_d-20_d2-5.db", struct_fields(0, 4))
    (tmp_path / "structFiles" / "seqBoundsFiles").mkdir()
    (tmp_path / "descData" / "netvlad-pytorch").mkdir(parents=True)
    for side in ("database", "query"):
        (tmp_path / "structFiles" / "seqBoundsFiles"
         / f"msls_amman_{side}_seqBounds.txt").write_text("0 2\n0 2\n2 4\n2 4\n")
        np.save(tmp_path / "descData" / "netvlad-pytorch" / f"msls_amman_{side}.npy", route_descriptors(4))
    pair = open_pair(PlaceDataConfig(dataset="msls", data_path=str(tmp_path), train_city="amman"), "train")
    assert pair.database.bounds.tolist() == pair.queries.bounds.tolist() == [[0, 2], [2, 4]]


@pytest.mark.parametrize("options, message", [
    ({}, "place data needs two traverses; give --database and --query, or --dataset NAME"),
    ({"database": "a"}, "place data needs two traverses"),
    ({"dataset": "paris"}, ("dataset must be a .db file, nordland-sw, nordland-sf, oxford-v1.0, oxford-pnv or msls, "
                            "found 'paris'")),
    ({"dataset": "nordland-sf", "data_path": "none"}, "nordland_test_d-1_d2-1.db is missing"),
    ({"database": "none", "query": "none"}, "sequence none is missing")])
def test_what_names_no_pair_is_refused(options: dict[str, str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        open_pair(PlaceDataConfig(**options), "test")
