"""Map files: safetensors with JSON metadata, written atomically, read without executing code."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from cl_localization import __version__
from cl_localization.config import MapCodeConfig
from cl_localization.data.atomic import written_file
from cl_localization.errors import DamagedMapError, LocalizationError, MapError
from cl_localization.map.map_code import MapCode
from cl_localization.map.map_delta import KEYFRAME_DESCRIPTOR_DIM, MapDelta
from cl_localization.map.tensor_file import LENGTH_BYTES, DamagedFile, Entry, read_header, read_tensor, write_tensors

FORMAT = "cl_localization_map"
FORMAT_TEXT = f'"format":"{FORMAT}"'.encode()
HEADER_BEGIN = b'{"__metadata__":{' + FORMAT_TEXT
SECTOR_BYTES = 512
FORMAT_VERSION = 4
READABLE_VERSIONS = (1, 2, 3, 4)
"""Codes of versions 1 to 3 are grown, not learned. Version 1 has no keyframe descriptors, so place recognition does not
work until the places are mapped again.
Versions 1 and 2 have a column `matched` of zeros, which is ignored."""

DROPPED_COLUMNS = ("matched",)

SCALARS = ("map_id", "encoder", "dim", "frame_id", "cell_size_m", "version", "scene_names")


def save_map(map_code: MapCode, path: str | Path, extra: dict[str, Any] | None = None) -> int:
    """Write a map to a file atomically and return its size in bytes.

    Args:
        extra: further JSON metadata (camera, configuration, ...).

    Raises:
        MapError: the file cannot be written.
    """
    try:
        with written_file(Path(path), force=True) as temporary, temporary.open("wb") as stream:
            return write_snapshot(map_code.delta_since(0), stream, extra)
    except (OSError, LocalizationError) as error:
        raise MapError(f"map {path}", "must be writable", str(error),
                       "nothing was changed; choose another path") from error


def write_snapshot(snapshot: MapDelta, stream: BinaryIO, extra: dict[str, Any] | None = None) -> int:
    """Write a snapshot of a map as a map file to a stream and return its size in bytes; see `save_map`.

    Raises:
        OSError: the stream cannot be written.
        MapError: too many or too long scene names.
    """
    metadata = {"format_version": FORMAT_VERSION, "software": f"cl_localization {__version__}",
                **{name: getattr(snapshot, name) for name in SCALARS}, "parent_id": snapshot.parent_id,
                "parent_version": snapshot.parent_version, "health": snapshot.health,
                "temperature": snapshot.temperature, "extra": extra or {}}
    arrays = {name: np.ascontiguousarray(values) for name, values in snapshot.arrays().items()}
    texts = {"format": FORMAT, "json": json.dumps(metadata)}
    return write_tensors(stream, arrays, {**texts, "sha256": _digest(texts["json"], arrays)})


def _digest(metadata: str, arrays: dict[str, np.ndarray]) -> str:
    """Return the SHA-256 of metadata and arrays, which detects bit errors on the disk."""
    digest = hashlib.sha256(metadata.encode())
    for name in sorted(arrays):
        digest.update(f"{name} {arrays[name].dtype} {arrays[name].shape}".encode())
        digest.update(arrays[name])
    return digest.hexdigest()


def is_map_file(path: str | Path) -> bool:
    """Return whether a path is a map file, of any version."""
    try:
        with _opened(path):
            return True
    except MapError:
        return False


def require_map_file(path: str | Path) -> None:
    """Raise MapError for what is no map file, of any version, not even a damaged one."""
    with suppress(DamagedMapError), _opened(path):
        pass


def read_map_info(path: str | Path) -> dict[str, Any]:
    """Return the metadata of a map file, with `codes`, `keyframes` and `file_bytes`, without reading its arrays.

    Raises:
        MapError: see `load_map`.
    """
    with _opened(path) as (_, header, entries):
        metadata = _metadata(path, header)
        try:
            codes, keyframes = (entries[name].shape[0] for name in ("ids", "keyframe_ids"))
            scalars = {name: metadata[name] for name in SCALARS}
        except (KeyError, IndexError) as error:
            raise DamagedMapError(f"map {path}", "must hold all its columns", str(error),
                                  "the file is damaged") from error
        return {**metadata, **scalars, "codes": codes, "keyframes": keyframes, "file_bytes": Path(path).stat().st_size}


def load_map(path: str | Path, encoder: str | None = None, config: MapCodeConfig | None = None) -> MapCode:
    """Read a map from a file.

    Args:
        encoder: name of the encoder to use the map with; None: any.
        config: options for extending the map; it keeps its own cell size.

    Raises:
        MapError: no such file, not a map, another format version, or made with another encoder.
        DamagedMapError: truncated or damaged.
    """
    with _opened(path) as (stream, header, entries):
        metadata = _metadata(path, header)
        arrays = {name: read_tensor(stream, entry) for name, entry in entries.items()}
    try:
        values: dict[str, Any] = {name: metadata[name] for name in SCALARS} | _columns_of_this_version(arrays)
        delta = MapDelta(parent_id=metadata.get("parent_id", ""), parent_version=metadata.get("parent_version", 0),
                         base_version=0, health=metadata.get("health", {}),
                         temperature=metadata.get("temperature", 0.0), **values)
    except (KeyError, TypeError) as error:
        raise DamagedMapError(f"map {path}", "must hold all its columns", str(error), "the file is damaged") from error
    if encoder is not None and delta.encoder != encoder:
        raise MapError(f"map {path}", f"must be made by the encoder in use, {encoder}", delta.encoder,
                       f"use the encoder {delta.encoder} or map again")
    try:
        map_code = MapCode.from_snapshot(delta, config or MapCodeConfig())
    except MapError as error:
        raise DamagedMapError(f"map {path}", "must be consistent", str(error)) from error
    # files of earlier versions have no digest
    if header.get("sha256", found := _digest(header["json"], arrays)) != found:
        raise DamagedMapError(f"map {path}", "must have the contents that were written", "another digest",
                              "the file is damaged")
    return map_code


def _columns_of_this_version(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the columns of a file of any readable version, converted to this version."""
    keyframes = np.size(arrays.get("keyframe_ids", ()))
    lacking: dict[str, np.ndarray] = {"keyframe_variance_factors": np.zeros(keyframes, np.float32),
               "keyframe_descriptors": np.zeros((keyframes, KEYFRAME_DESCRIPTOR_DIM), np.int8)}
    return {**lacking, **{name: values for name, values in arrays.items() if name not in DROPPED_COLUMNS}}


@contextmanager
def _opened(path: str | Path) -> Iterator[tuple[BinaryIO, dict[str, str], dict[str, Entry]]]:
    """Yield an open map file, its texts and the entries of its arrays; every failure becomes a `MapError`."""
    path = Path(path)
    if not os.path.isfile(path):  # unlike Path.is_file, it raises nothing for too long names or missing permissions
        raise MapError(f"map {path}", "must be a file", "a folder or device" if os.path.exists(path)
                       else "nothing there", "choose another name")
    begin = b""
    try:
        with path.open("rb") as stream:
            begin = stream.peek()
            texts, entries = read_header(stream)
            if texts.get("format") != FORMAT:
                raise MapError(f"map {path}", f"must be of format {FORMAT}", texts.get("format"),
                               "it is another kind of file, and left alone: choose another name")
            yield stream, texts, entries
    except DamagedFile as error:
        if not _may_be_damaged_map(begin):
            raise MapError(f"map {path}", "must be a whole safetensors file", f"one that begins with {begin[:20]!r}",
                           "it is truncated, damaged or no map, and left alone: choose another name") from error
        raise DamagedMapError(f"map {path}", "must be a whole safetensors file", str(error),
                              "it is truncated, damaged or no map") from error
    except PermissionError as error:
        raise MapError(f"map {path}", "must be readable", str(error), "check its permissions") from error
    except OSError as error:
        raise DamagedMapError(f"map {path}", "must be readable", str(error), "check the disk") from error


def _may_be_damaged_map(begin: bytes) -> bool:
    """Return whether an unreadable file was a map, from its first bytes: they name the format, end before it, or are
    gone or zeros, as after a power cut. Where they were overwritten, a map is not told from another kind of file."""
    header = begin[LENGTH_BYTES:]
    return FORMAT_TEXT in begin or not any(begin[:SECTOR_BYTES]) or (header != b"" and HEADER_BEGIN.startswith(header))


def _metadata(path: str | Path, header: dict[str, str]) -> dict[str, Any]:
    """Return the JSON metadata of a map file's header."""
    try:
        metadata = json.loads(header["json"])
        version = metadata["format_version"]
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise DamagedMapError(f"map {path}", "must have readable metadata", str(error)[:200],
                              "the file is damaged") from error
    if version not in READABLE_VERSIONS:
        raise MapError(f"map {path}", f"must have format version {' or '.join(map(str, READABLE_VERSIONS))}", version,
                       "use the version of cl_localization that wrote it")
    return metadata
