"""Which rows of stored descriptors belong to a split: as SeqNet's and SeqMatchNet's programs have it, for data sets
whose lists of image names are not there.

Nordland's rows are fixed. Oxford's lie in `NAME_splitInds.npz` as pickled arrays of the database and the queries; their
bytes are taken out without unpickling, so nothing runs from the file.
"""

from __future__ import annotations

import pickletools
import zipfile
from pathlib import Path

import numpy as np

from cl_localization.errors import DataError

NORDLAND_ROWS = {"train": (0, 15000), "test": (15100, 18100), "val": (18200, 21200)}
MAX_BYTES = 10_000_000


def read_split_rows(path: Path, split: str) -> list[np.ndarray]:
    """Return the rows of the database and of the queries of a split.

    Raises:
        DataError: no such file, or another kind of file.
    """
    thing, rule = f"split rows {path}", "must be two arrays of whole numbers for each split"
    if not path.is_file():
        raise DataError(thing, "must be a file", "nothing there", "copy structFiles again")
    try:
        with zipfile.ZipFile(path) as archive, archive.open(f"{split}Inds.npy") as stream:
            content = stream.read(MAX_BYTES)
        parts = [argument for _, argument, _ in pickletools.genops(content[content.index(b"\n") + 1:])
                 if isinstance(argument, bytes) and len(argument) > 1]  # one byte is a name of numpy's
        rows = [np.frombuffer(part, "<i8") for part in parts]
    except (zipfile.BadZipFile, KeyError, ValueError, OSError, NotImplementedError) as error:
        raise DataError(thing, rule, error, "copy structFiles again") from None
    if len(rows) != 2 or not all(len(part) and part.min() >= 0 for part in rows):
        raise DataError(thing, rule, f"{len(rows)} arrays for {split}", "copy structFiles again")
    return rows
