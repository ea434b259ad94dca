"""Replay buffer files: safetensors with JSON metadata and random state, written atomically."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from cl_localization.continual.admission import AdmissionPolicy, Seen, Traits
from cl_localization.continual.replay_buffer import ReplayBuffer
from cl_localization.data.atomic import written_file
from cl_localization.errors import DataError

FORMAT = "cl_localization_replay"
FORMAT_VERSION = 1
COLUMN, PACKED, ENDS = "column.", "packed.", "ends."
REGIONS = "regions"


def save_buffer(buffer: ReplayBuffer, path: str | Path) -> None:
    """Write a buffer with its random state atomically.

    Raises:
        DataError: the file cannot be written.
    """
    arrays = {"classes": buffer.traits.classes, "losses": buffer.traits.losses,
              **_packed(REGIONS, buffer.traits.regions)}
    for name, column in buffer.columns.rows(np.arange(len(buffer))).items():
        arrays |= _packed(COLUMN + name, [np.frombuffer(item, np.uint8) for item in column]) if column.dtype == object \
            else {COLUMN + name: np.ascontiguousarray(column)}
    metadata = {"format_version": FORMAT_VERSION, "policy": _described(buffer.policy), "capacity": buffer.capacity,
                "capacity_bytes": buffer.capacity_bytes, "seen": buffer.seen.total,
                "rng": buffer.rng.bit_generator.state,
                "seen_by_class": {str(name): count for name, count in buffer.seen.by_class.items()}}
    content = save(arrays, metadata={"format": FORMAT, "json": json.dumps(metadata)})
    with written_file(Path(path), force=True) as temporary:
        temporary.write_bytes(content)


def load_buffer(path: str | Path, policy: AdmissionPolicy) -> ReplayBuffer:
    """Read a buffer.

    Args:
        policy: the policy it was filled by.

    Raises:
        DataError: no such file, not a buffer, damaged, another format version or policy.
    """
    arrays, metadata = _read(Path(path))
    if metadata.get("format_version") != FORMAT_VERSION:
        raise DataError(f"replay buffer {path}", f"must have format version {FORMAT_VERSION}",
                        metadata.get("format_version"),
                        "use the version of cl_localization that wrote it, or start a new buffer")
    if metadata.get("policy") != _described(policy):
        raise DataError(f"replay buffer {path}", f"must be filled by {_described(policy)}", metadata.get("policy"),
                        "use that policy or start a new buffer")
    try:
        buffer = ReplayBuffer(policy, metadata["capacity"], metadata["capacity_bytes"])
        buffer.rng.bit_generator.state = metadata["rng"]
        buffer.seen = Seen(metadata["seen"], Counter({int(name): count for name,
                                                      count in metadata["seen_by_class"].items()}))
        traits = Traits.of(0, arrays["losses"], _unpacked(REGIONS, arrays, np.int64))
        traits.classes = arrays["classes"]
        columns = _columns(arrays)
        if buffer.columns.checked(columns) != len(traits) if columns else len(traits):
            raise DataError(f"replay buffer {path}", "must have as many items as traits", len(traits),
                            "the file is damaged")
        buffer.columns.put(np.arange(len(traits)), columns)
        buffer.traits = traits
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise DataError(f"replay buffer {path}", "must hold all its columns", repr(error),
                        "the file is damaged") from error
    return buffer


def _columns(arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    columns: dict[str, Any] = {name.removeprefix(COLUMN): values for name,
                               values in arrays.items() if name.startswith(COLUMN)}
    for name in arrays:
        if name.startswith(PACKED + COLUMN):
            stem = name.removeprefix(PACKED)
            columns[stem.removeprefix(COLUMN)] = [item.tobytes() for item in _unpacked(stem, arrays, np.uint8)]
    return columns


def _read(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    if not path.is_file():
        raise DataError(f"replay buffer {path}", "must be a file", "nothing there" if not path.exists() else "a folder")
    try:
        with safe_open(path, framework="numpy") as file:
            header = file.metadata() or {}
            if header.get("format") != FORMAT:
                raise DataError(f"replay buffer {path}", f"must be of format {FORMAT}", header.get("format"),
                                "it is another kind of file")
            metadata = json.loads(header["json"])
            arrays = {name: file.get_tensor(name) for name in file.keys()}
    except (SafetensorError, OSError, KeyError, ValueError, TypeError) as error:
        raise DataError(f"replay buffer {path}", "must be a whole safetensors file", str(error),
                        "it is truncated or damaged") from error
    if not isinstance(metadata, dict):
        raise DataError(f"replay buffer {path}", "must have metadata by name", type(metadata).__name__,
                        "the file is damaged")
    return arrays, metadata


def _described(policy: AdmissionPolicy) -> dict[str, Any]:
    return {"name": type(policy).__name__, **(asdict(policy) if is_dataclass(policy) else {})}


def _packed(name: str, pieces: Any) -> dict[str, np.ndarray]:
    """Return pieces of any length as one array and the end index of each."""
    empty = np.zeros(0, np.int64 if name == REGIONS else np.uint8)
    return {PACKED + name: np.concatenate([empty, *pieces]),
            ENDS + name: np.cumsum([len(piece) for piece in pieces], dtype=np.int64)}


def _unpacked(name: str, arrays: dict[str, np.ndarray], dtype: type) -> list[np.ndarray]:
    whole, ends = arrays[PACKED + name], arrays[ENDS + name]
    if whole.dtype != dtype or (len(ends) and (ends[-1] != len(whole) or np.any(np.diff(ends, prepend=0) < 0))):
        raise ValueError(f"{name} has ends that do not fit")
    return np.split(whole, ends)[:len(ends)]
