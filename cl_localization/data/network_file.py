"""Trained networks and the state of training on disk: safetensors with JSON metadata, whole or not at all, nothing run
from them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from safetensors import SafetensorError, safe_open

from cl_localization import __version__
from cl_localization.data.atomic import written_file
from cl_localization.errors import EncoderError, LocalizationError

if TYPE_CHECKING:
    from torch import Tensor

Value = TypeVar("Value")

FORMAT_VERSION = 1


@dataclass(frozen=True)
class NetworkFile:
    """One kind of file with tensors and metadata.

    Attributes:
        format: its name in the file.
        thing: what errors call it.
        error: what is raised.
        remedy: what to do where there is none.
    """

    format: str
    thing: str = "model"
    error: type[LocalizationError] = EncoderError
    remedy: str = "train one first"

    def write(self, path: Path, tensors: Mapping[str, Tensor], metadata: dict[str, Any]) -> None:
        """Write a file; a crash leaves the old or the new one, whole. Raises `error` when it cannot be written."""
        from safetensors.torch import save

        header = json.dumps({"format_version": FORMAT_VERSION, "software": f"cl_localization {__version__}",
                             **metadata})
        held = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
        content = save(held, metadata={"format": self.format, "json": header})
        try:
            with written_file(path, force=True) as temporary:
                temporary.write_bytes(content)
        except (OSError, LocalizationError) as error:
            raise self.error(f"{self.thing} {path}", "must be writable", str(error),
                             "nothing was changed; choose another place") from error

    def read(self, path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return the tensors and metadata of a file; raises `error` for none, another kind, a truncated one or another
        version."""
        return self._read(path, "pt")

    def read_arrays(self, path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Return the same as arrays, without PyTorch; see `read`."""
        return self._read(path, "np")

    def _read(self, path: Path, framework: str) -> tuple[dict[str, Any], dict[str, Any]]:
        name = f"{self.thing} {path}"
        if not path.is_file():
            raise self.error(name, "must be a file", "nothing there" if not path.exists() else "a folder", self.remedy)
        try:
            with safe_open(path, framework=framework) as file:
                header = file.metadata() or {}
                if header.get("format") != self.format:
                    raise self.error(name, f"must be of format {self.format}", header.get("format"),
                                     "it is another kind of file")
                metadata = json.loads(header["json"])
                if metadata["format_version"] != FORMAT_VERSION:
                    raise self.error(name, f"must have format version {FORMAT_VERSION}", metadata["format_version"],
                                     "use the version of cl_localization that wrote it")
                return {key: file.get_tensor(key) for key in file.keys()}, metadata
        except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
            raise self.error(name, "must be a whole safetensors file", str(error),
                             f"it is truncated, damaged or no {self.thing}") from error


def with_prefix(tensors: Mapping[str, Value], prefix: str) -> dict[str, Value]:
    """Return the tensors whose names begin with a prefix, without it."""
    return {name[len(prefix):]: value for name, value in tensors.items() if name.startswith(prefix)}
