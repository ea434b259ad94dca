"""Small files in the layout of SeqNet's and SeqMatchNet's data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import scipy.io

from place_makers import route_descriptors, seen_again


def struct_fields(first: int, count: int, radius: float = 1.0) -> dict[str, Any]:
    """The fields of a structure of `count` places, numbered from `first`."""
    names = np.array([[f"images-{number:05d}.png"] for number in range(first, first + count)], dtype=object)
    numbers = np.arange(first, first + count)[None]
    return {"whichSet": "test", "dataset": "nordland", "dbImageFns": names, "qImageFns": names, "numImages": count,
            "numQueries": count, "posDistThr": radius, "posDistSqThr": radius ** 2, "nonTrivPosDistSqThr": 1.0,
            "utmDb": numbers,
            "utmQ": numbers}


def write_struct(path: Path, fields: dict[str, Any]) -> Path:
    """Write a `.db` file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scipy.io.savemat(str(path), {"dbStruct": fields}, appendmat=False)
    return path


def write_nordland(folder: Path, count: int = 80) -> Path:
    """Write a data set of the name nordland-sw, of `count` places for each of training, validation and test."""
    structs, descriptors = folder / "structFiles", folder / "descData" / "netvlad-pytorch"
    for split, first, ending in (("train", 0, "d-40_d2-10"), ("val", count, "d-1_d2-1"),
                                 ("test", 2 * count, "d-1_d2-1")):
        write_struct(structs / f"nordland_{split}_{ending}.db",
                     struct_fields(first, count, 5.0 if split == "train" else 1.0))
    (structs / "imageNamesFiles").mkdir()
    names = "".join(f"images-{number:05d}.png\n" for number in range(3 * count))
    (structs / "imageNamesFiles" / "nordland_clean_imageNames.txt").write_text(names)
    descriptors.mkdir(parents=True)
    summer = route_descriptors(3 * count, 16)
    np.save(descriptors / "nordland-clean-summer.npy", summer)
    np.save(descriptors / "nordland-clean-winter.npy", seen_again(summer, noise=1.0, season=1.0))
    return folder
