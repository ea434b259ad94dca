"""Text, JSON, YAML and number files, read with a bound on their size and errors that name them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from cl_localization.errors import DataError

MAX_IMAGE_PIXELS = 100_000_000
"""Largest image, width times height."""

MAX_IMAGE_BYTES = 500_000_000
"""Largest encoded image file or message."""

MAX_TEXT_BYTES = 100_000_000
"""Largest text or JSON file."""

MAX_YAML_BYTES, MAX_YAML_DEPTH = 1_000_000, 30
"""Largest YAML file, and how far it may be nested: calibrations and metadata are small."""

MAX_FRAMES = 1_000_000
"""Most frames in one sequence."""


def is_file(path: Path) -> bool:
    """Return whether a path from an untrusted file names a file; names that the system cannot have do not."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def names_file(path: Path) -> bool:
    """Return whether an entry of a folder is to be read as a file: a folder, pipe or device is not; a link that leads
    nowhere is, and whoever reads it says so."""
    return is_file(path) or path.is_symlink()


def require_file(path: Path) -> None:
    """Raise a DataError for a folder, pipe or device: opening a pipe would wait for ever."""
    if not is_file(path) and os.path.exists(path):
        found, remedy = (("a folder", "name a file in it") if path.is_dir() else
                         ("a pipe or device", "write what it gives to a file first, and name that"))
        raise DataError(f"file {path}", "must be a regular file", found, remedy)


def read_bytes(path: Path, limit: int) -> bytes:
    """Return the content of a file of at most `limit` bytes.

    Raises:
        DataError: missing, no regular file, unreadable, empty or larger.
    """
    require_file(path)
    try:
        with path.open("rb") as stream:
            content = stream.read(limit + 1)
    except FileNotFoundError:
        raise DataError(f"file {path}", "is missing", remedy="check the path") from None
    except OSError as error:
        raise DataError(f"file {path}", "cannot be read", error.strerror, "check its type and permissions") from None
    if not content:
        raise DataError(f"file {path}", "must not be empty", "0 bytes", "copy it again")
    if len(content) > limit:
        raise DataError(f"file {path}", f"must not be larger than {limit} bytes", remedy="is it the right file?")
    return content


def read_text(path: Path, limit: int = MAX_TEXT_BYTES) -> str:
    """Return a UTF-8 text file of at most `limit` bytes. Raises DataError as `read_bytes`, or when it is no text."""
    try:
        return read_bytes(path, limit).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"file {path}", "must be UTF-8 text", error.reason, "is it the right file?") from None


def read_json_object(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file. Raises DataError when it is no JSON or holds something else."""
    text = read_text(path)
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"file {path}", "must be JSON", error, "copy or write it again") from None
    if not isinstance(content, dict):
        raise DataError(f"file {path}", "must hold a JSON object", type(content).__name__)
    return content


_SAFE_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _YamlLoader(_SAFE_LOADER):
    """Plain YAML, and OpenCV's matrices as mappings."""


_YamlLoader.add_constructor("tag:yaml.org,2002:opencv-matrix",
                            lambda loader, node: loader.construct_mapping(node, deep=True))


def read_yaml_mapping(path: Path) -> dict[str, Any]:
    """Return the mapping in a YAML file, also one that OpenCV wrote. Raises DataError when it is no YAML, too large or
    nested, uses aliases (a few lines of them fill any memory), or holds something else."""
    lines = read_text(path, MAX_YAML_BYTES).splitlines()
    text = "\n".join("" if line.startswith("%YAML") else line.replace("\t", "    ") for line in lines)
    try:
        _check_yaml(text, path)
        content = _YamlLoader(text).get_single_data()
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise DataError(f"file {path}", "must be YAML", " ".join(str(error).split()),
                        "mend or write it again") from None
    if not isinstance(content, dict):
        raise DataError(f"file {path}", "must hold a YAML mapping", type(content).__name__)
    return content


def _check_yaml(text: str, path: Path) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=_YamlLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if isinstance(event, yaml.AliasEvent) or depth > MAX_YAML_DEPTH:
            raise DataError(f"file {path}", f"must have no aliases and at most {MAX_YAML_DEPTH} levels",
                            f"line {event.start_mark.line + 1}", "write it out")


def read_rows(path: Path) -> list[list[str]]:
    """Return the words of each line that is neither empty nor a comment (#); commas separate words too."""
    return [line.split() for line in read_lines(path)]


def read_lines(path: Path) -> list[str]:
    """Return the lines that are neither empty nor a comment (#), commas replaced by spaces."""
    lines = map(str.strip, read_text(path).replace(",", " ").splitlines())
    return [line for line in lines if line and line[0] != "#"]


def to_float(word: str, thing: object) -> float:
    """Return the number that a word spells; "inf", "nan" and the "-1.#IND" of old Windows tools are not finite.

    Raises:
        DataError: the word is no number.
    """
    if "#" in word:
        return float("nan")
    try:
        return float(word)
    except ValueError:
        raise DataError(thing, "must hold numbers", repr(word[:40]), "is it the right file?") from None


def read_matrix(path: Path) -> np.ndarray:
    """Return the 4x4 matrix in a text file of 16 numbers, float64; numbers may be infinite or NaN.

    Raises:
        DataError: not 16 numbers.
    """
    words = [word for row in read_rows(path) for word in row]
    if len(words) != 16:
        raise DataError(f"pose file {path}", "must hold 16 numbers", len(words), "copy it again")
    return np.array([to_float(word, f"pose file {path}") for word in words]).reshape(4, 4)



