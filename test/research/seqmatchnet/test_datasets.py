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
