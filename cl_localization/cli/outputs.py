"""Output files: checked before the work begins, and written atomically."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cl_localization.cli.flags import Writes
from cl_localization.errors import DataError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

EXTENDED = ("--update", "--ckpt-path", "--resume")
"""Arguments with a map or a training to go on from, the only inputs that `--out` may replace: by one with all of it."""


def check_files(arguments: DataclassInstance, option_file: Path | None = None) -> None:
    """Find out before the work whether every output of a command may be written; makes the folders above them.

    Args:
        arguments: its fields that `argument` marks with `writes` are outputs; other paths and sequences are inputs.
        option_file: a further input, the file of `--config`.

    Raises:
        DataError: two outputs are one; an output is an input, lies around it or would change it; a map would replace a
            file that is no map, or another output a map; or a place cannot be written.
    """
    outputs: dict[str, tuple[Path, Writes]] = {}
    inputs = [("--config", option_file)] if option_file is not None else []
    for spec in fields(arguments):
        if "argument" not in spec.metadata:
            continue
        _, metavar, positional = spec.metadata["argument"]
        metavar = (metavar or "").strip("[]").split(" ")[0]
        value, name = getattr(arguments, spec.name), metavar if positional else f"--{spec.name.replace('_', '-')}"
        if spec.metadata["writes"] and value is not None:
            outputs[name] = (value, spec.metadata["writes"])
        else:
            words = value if isinstance(value, tuple) else (value,)
            inputs += [(name, path) for word in words for path in _paths_read(word, "SEQ" in metavar)]
    for name, (path, writes) in outputs.items():
        for other, (other_path, _) in outputs.items():
            if other != name and other_path.resolve() == path.resolve():
                raise DataError(f"{name} {path}", f"must not be the same file as {other}", remedy="choose another name")
        for other, other_path in inputs:
            if name == "--out" and other in EXTENDED:
                continue
            if clash := _clash(path, writes, other_path):
                raise DataError(f"{name} {path}", f"must not {clash} {other} {other_path}, which is read",
                                remedy="choose another name")
        if writes == "folder":
            from cl_localization.data.atomic import check_folder

            check_folder(path, getattr(arguments, "force", False))
        elif writes == "files":
            require_folder(path)
        else:
            require_writable(path)
            _require_same_kind(name, path, writes)


def _paths_read(word: Any, is_sequence: bool) -> Iterator[Path]:
    """Yield the paths of an argument's word that exist: a path, or those in the spec of a sequence."""
    if is_sequence and isinstance(word, str) and word:
        from cl_localization.data.spec import parse_spec

        spec = parse_spec(word)
        paths = (Path(text).expanduser() for text in (spec.source, spec.listing, *spec.options.values()) if text)
        yield from (path for path in paths if os.path.exists(path))
    elif isinstance(word, Path):
        yield word


def _clash(path: Path, writes: Writes, read: Path) -> str:
    """Return what an output would do to an input that it must not: be, contain, ...; empty if nothing."""
    path, read = path.resolve(), read.resolve()
    if path == read:
        return "be"
    if writes == "folder" and path in read.parents:
        return "contain"
    if writes == "folder" and read in path.parents:
        return "lie in"
    return "replace a file in" if read in path.parents and writes == "file" and path.exists() else ""


def _require_same_kind(name: str, path: Path, writes: Writes) -> None:
    """Raise a DataError if a map would replace a file that is none, or another output a map."""
    if not path.is_file() or path.stat().st_size == 0:
        return
    from cl_localization.map.map_file import is_map_file

    if is_map_file(path) != (writes == "map"):
        raise DataError(f"{name} {path}", f"must not replace a file that is {'no' if writes == 'map' else 'a'} map",
                        remedy="choose another name, or remove that file")


def require_writable(path: Path) -> Path:
    """Return `path`, once its folder is made and a file can be written there; an old file will be replaced.

    Raises:
        DataError: it is a folder, device, pipe or socket, or its folder is not writable.
    """
    from cl_localization.data.atomic import check_file

    check_file(path, force=True)
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}."):
            pass
    except OSError as error:
        raise DataError(f"output {path}", "cannot be written", error.strerror, "choose another folder") from error
    return path


def require_folder(folder: Path) -> Path:
    """Return `folder`, created if missing; raises DataError if it cannot be created or written to."""
    require_writable(folder / "output")
    return folder


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically. Raises DataError if it cannot be written; an existing file then stays."""
    from cl_localization.data.atomic import written_file

    with written_file(path, force=True) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file atomically; NaN and infinity raise ValueError."""
    write_text(path, json.dumps(content, indent=1, allow_nan=False) + "\n")
