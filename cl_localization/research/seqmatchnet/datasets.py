"""Pairs of traverses by what the user calls them: two folders or sequences, a `.db` structure with descriptors, or a
data set's name.

The named data sets are those of SeqNet and SeqMatchNet, in the folders that their authors distribute:
`structFiles/*.db` (with `seqBoundsFiles`; `imageNamesFiles` may be missing) and `descData/TYPE/*.npy`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cl_localization.data.open import open_sequence
from cl_localization.errors import DataError
from cl_localization.research.seqmatchnet.descriptor_file import descriptor_traverse, read_descriptors
from cl_localization.research.seqmatchnet.options import PlaceDataConfig
from cl_localization.research.seqmatchnet.place_struct import PlaceStruct, read_place_struct, struct_traverse
from cl_localization.research.seqmatchnet.split_rows import NORDLAND_ROWS, read_split_rows
from cl_localization.research.seqmatchnet.traverse import (
    Traverse,
    TraversePair,
    is_image_traverse,
    open_image_traverse,
    paired,
    posed_traverse,
)

SPLITS = ("train", "val", "test")
OXFORD_DATABASE, OXFORD_QUERIES = "2015-03-17-11-08-44", "2014-12-16-18-44-24"


def open_pair(config: PlaceDataConfig, split: str) -> TraversePair:
    """Return the pair of traverses that the options name.

    Args:
        split: "train", "val" or "test"; means something for data sets by name only.

    Raises:
        DataError: too little or contradictory is given, or what is named cannot be read.
    """
    if config.dataset and not config.dataset.endswith(".db"):
        return open_named_pair(config, split)
    if not (config.database and config.query):
        raise DataError("place data", "needs two traverses", remedy="give --database and --query, or --dataset NAME")
    if config.dataset:
        place_struct = read_place_struct(Path(config.dataset))
        arrays = [read_descriptors(Path(path)) for path in (config.database, config.query)]
        database = struct_traverse(config.database, place_struct.database_names, place_struct.database_positions,
                                   arrays[0])
        queries = struct_traverse(config.query, place_struct.query_names, place_struct.query_positions, arrays[1])
        return paired(database, queries, place_struct.true_radius, place_struct.near_radius)
    database, queries = (open_traverse(spec, config.split_at_gaps) for spec in (config.database, config.query))
    return paired(database, queries, config.tolerance)


def open_traverse(spec: str, split_at_gaps: bool = False) -> Traverse:
    """Return the traverse that a text names: a .npy file, a folder of images, or a posed sequence.

    Raises:
        DataError: none of these.
    """
    path = Path(spec)
    if path.suffix == ".npy":
        return descriptor_traverse(path)
    if is_image_traverse(path):
        return open_image_traverse(path, split_at_gaps)
    return posed_traverse(open_sequence(spec))


@dataclass(frozen=True)
class NamedPart:
    """Files of one split of a data set, below structFiles and descData; lists, bounds and rows may be empty."""

    struct: str
    descriptors: tuple[str, str]
    names: tuple[str, str] = ("", "")
    bounds: tuple[str, str] = ("", "")
    split_rows: str = ""


def named_part(config: PlaceDataConfig, split: str) -> NamedPart:
    """Return the files of a data set's split.

    Raises:
        DataError: no such data set.
    """
    name = config.dataset
    if name in ("nordland-sw", "nordland-sf"):
        seasons = ("summer", "winter") if name.endswith("sw") else ("spring", "fall")
        struct = {"train": "nordland_train_d-40_d2-10.db"}.get(split, f"nordland_{split}_d-1_d2-1.db")
        return NamedPart(struct, tuple(f"nordland-clean-{season}.npy" for season in seasons),
                         ("nordland_clean_imageNames.txt",) * 2)
    drives = (OXFORD_DATABASE, OXFORD_QUERIES)
    radii = {"oxford-v1.0": "d-10_d2-5", "oxford-pnv": "d-25_d2-5"}
    if name in radii:
        # the test part is also for validation
        ending = "train_d-20_d2-5" if split == "train" else f"test_{radii[name]}"
        return NamedPart(f"{name}_{'_'.join(drives)}_{ending}.db",
                         tuple(f"oxford_{drive}_stereo_left.npy" for drive in drives),
                         tuple(f"oxford_{drive}_imagenames_subsampled-2m.txt" for drive in drives),
                         split_rows=f"{name}_splitInds.npz")
    if name == "msls":
        city = {"train": config.train_city, "val": config.validation_city}.get(split, "amman")
        sides = ("database", "query")
        return NamedPart(f"msls_{city}_d-20_d2-5.db", tuple(f"msls_{city}_{side}.npy" for side in sides),
                         bounds=tuple(f"msls_{city}_{side}_seqBounds.txt" for side in sides))
    raise DataError("dataset", "must be a .db file, nordland-sw, nordland-sf, oxford-v1.0, oxford-pnv or msls",
                    repr(name))


def open_named_pair(config: PlaceDataConfig, split: str) -> TraversePair:
    """Return a split of a data set by name. Raises DataError when its files are missing or do not fit together."""
    part, root = named_part(config, split), Path(config.data_path)
    structs = next((folder for folder in (root / "structFiles", root.parent / "structFiles") if folder.is_dir()),
                   root / "structFiles")
    found = read_place_struct(structs / part.struct)
    sides = [_named_side(found, part, side, structs, root / "descData" / config.descriptor_type, split)
             for side in (0, 1)]
    return paired(*sides, found.true_radius, found.near_radius)


def _named_side(found: PlaceStruct, part: NamedPart, side: int, structs: Path, descriptors: Path,
                split: str) -> Traverse:
    names, positions = ((found.database_names, found.database_positions),
                        (found.query_names, found.query_positions))[side]
    listed = structs / "imageNamesFiles" / part.names[side] if part.names[side] else None
    bounds = structs / "seqBoundsFiles" / part.bounds[side] if part.bounds[side] else None
    rows = None
    if listed is not None and not listed.is_file():
        listed, rows = None, (read_split_rows(structs / part.split_rows, split)[side] if part.split_rows
                              else np.arange(*NORDLAND_ROWS[split]))
    path = descriptors / part.descriptors[side]
    return struct_traverse(str(path), names, positions, read_descriptors(path), listed, bounds, rows)
