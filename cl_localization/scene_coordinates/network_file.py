"""Trained networks on disk: safetensors with JSON metadata, whole or not at all, nothing run from them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from cl_localization import __version__
from cl_localization.data.atomic import written_file
from cl_localization.errors import EncoderError

FORMAT_VERSION = 1


def write_network(path: Path, format: str, tensors: Mapping[str, Tensor], metadata: dict[str, Any]) -> None:
    """Write tensors with metadata; a crash leaves the old or the new file, whole.

    Args:
        format: what kind of file it is.

    Raises:
        DataError: the file cannot be written.
    """
    header = json.dumps({"format_version": FORMAT_VERSION, "software": f"cl_localization {__version__}", **metadata})
    held = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    content = save(held, metadata={"format": format, "json": header})
    with written_file(path, force=True) as temporary:
        temporary.write_bytes(content)


def read_network(path: Path, format: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors and metadata of a file.

    Raises:
        EncoderError: no such file, another kind of file, truncated, or of another version.
    """
    if not path.is_file():
        raise EncoderError(f"model {path}", "must be a file", "nothing there" if not path.exists() else "a folder", "train one first")
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            if header.get("format") != format:
                raise EncoderError(f"model {path}", f"must be of format {format}", header.get("format"), "it is another kind of file")
            metadata = json.loads(header["json"])
            if metadata["format_version"] != FORMAT_VERSION:
                raise EncoderError(f"model {path}", f"must have format version {FORMAT_VERSION}", metadata["format_version"],
                                   "use the version of cl_localization that wrote it")
            return {name: file.get_tensor(name) for name in file.keys()}, metadata
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise EncoderError(f"model {path}", "must be a whole safetensors file", str(error),
                           "it is truncated, damaged or no model") from error
