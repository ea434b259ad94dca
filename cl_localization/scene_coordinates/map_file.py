"""Maps on disk: safetensors with JSON metadata, written whole or not at all, read without running anything."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from cl_localization import __version__
from cl_localization.config import MapCodeConfig
from cl_localization.data.atomic import written_file
from cl_localization.errors import LocalizationError, MapError
from cl_localization.scene_coordinates.map_code import MapCode
from cl_localization.scene_coordinates.map_delta import MapDelta

FORMAT = "cl_localization_map"
FORMAT_VERSION = 1
SCALARS = ("map_id", "encoder", "dim", "frame_id", "cell_size_m", "version", "scene_names")


def save_map(map_code: MapCode, path: str | Path, extra: dict[str, Any] | None = None) -> int:
    """Write a map to a file and return its size in bytes.

    The file is written beside its place, flushed and renamed: a crash leaves the old or the new map, whole.

    Args:
        extra: more metadata (camera, configuration, ...), JSON values.

    Raises:
        MapError: the file cannot be written.
    """
    snapshot = map_code.delta_since(0)
    metadata = {"format_version": FORMAT_VERSION, "software": f"cl_localization {__version__}",
                **{name: getattr(snapshot, name) for name in SCALARS}, "extra": extra or {}}
    arrays = {name: np.ascontiguousarray(values) for name, values in snapshot.arrays().items()}
    content = save(arrays, metadata={"format": FORMAT, "json": json.dumps(metadata)})
    try:
        with written_file(Path(path), force=True) as temporary:
            temporary.write_bytes(content)
    except (OSError, LocalizationError) as error:
        raise MapError(f"map {path}", "must be writable", str(error), "nothing was changed; choose another place") from error
    return len(content)


def read_map_info(path: str | Path) -> dict[str, Any]:
    """Return the metadata of a map file, with `codes`, `keyframes` and `file_bytes`, without reading its tables.

    Raises:
        MapError: see `load_map`.
    """
    with _opened(path) as (file, metadata):
        try:
            codes, keyframes = (file.get_slice(name).get_shape()[0] for name in ("ids", "keyframe_ids"))
            scalars = {name: metadata[name] for name in SCALARS}
        except (KeyError, IndexError, SafetensorError) as error:
            raise MapError(f"map {path}", "must hold all its columns", str(error), "the file is damaged") from error
    return {**metadata, **scalars, "codes": codes, "keyframes": keyframes, "file_bytes": Path(path).stat().st_size}


def load_map(path: str | Path, encoder: str | None = None, config: MapCodeConfig | None = None) -> MapCode:
    """Read a map from a file.

    Args:
        encoder: the name of the encoder the map is to be used with; any when None.
        config: options for learning on; a map keeps its own cell size.

    Raises:
        MapError: no such file, not a map, truncated or damaged, another format version, or made by another encoder.
    """
    with _opened(path) as (file, metadata):
        try:
            arrays = {name: file.get_tensor(name) for name in file.keys()}
            delta = MapDelta(**{name: metadata[name] for name in SCALARS}, base_version=0, **arrays)
        except (KeyError, TypeError, SafetensorError) as error:
            raise MapError(f"map {path}", "must hold all its columns", str(error), "the file is damaged") from error
    if encoder is not None and delta.encoder != encoder:
        raise MapError(f"map {path}", f"must be made by the encoder in use, {encoder}", delta.encoder,
                       f"use the encoder {delta.encoder} or map again")
    return MapCode.from_snapshot(delta, config or MapCodeConfig())


class _opened:
    """Context of an open map file and its metadata, with every failure told as a `MapError`."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def __enter__(self) -> tuple[Any, dict[str, Any]]:
        if not self.path.is_file():
            raise MapError(f"map {self.path}", "must be a file", "nothing there" if not self.path.exists() else "a folder")
        try:
            self.file = safe_open(self.path, framework="numpy")
            header = self.file.metadata() or {}
        except (SafetensorError, OSError) as error:
            raise MapError(f"map {self.path}", "must be a whole safetensors file", str(error),
                           "it is truncated, damaged or no map") from error
        return self.file, self._checked(header)

    def _checked(self, header: dict[str, str]) -> dict[str, Any]:
        if header.get("format") != FORMAT:
            raise MapError(f"map {self.path}", f"must be of format {FORMAT}", header.get("format"), "it is another kind of file")
        try:
            metadata = json.loads(header["json"])
            version = metadata["format_version"]
        except (KeyError, TypeError, ValueError) as error:
            raise MapError(f"map {self.path}", "must have readable metadata", str(error), "the file is damaged") from error
        if version != FORMAT_VERSION:
            raise MapError(f"map {self.path}", f"must have format version {FORMAT_VERSION}", version,
                           "use the version of cl_localization that wrote it")
        return metadata

    def __exit__(self, *_: object) -> None:
        del self.file
