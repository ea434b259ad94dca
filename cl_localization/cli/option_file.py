"""Option files: YAML whose keys are the names of options, dotted or nested."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cl_localization.config import Config, Option, flatten
from cl_localization.errors import ConfigError
from cl_localization.option_names import with_present_names

MAX_BYTES = 1_000_000


def read_option_file(path: Path, known: Iterable[str]) -> dict[str, Any]:
    """Return the values of a YAML file by dotted name.

    Args:
        path: the file; `map_code: {cell_size_m: 0.03}` and `map_code.cell_size_m: 0.03` are equivalent.
        known: known names.

    Raises:
        ConfigError: the file cannot be read, is no mapping, or contains an unknown name.
    """
    import yaml

    thing = f"option file {path}"
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigError(thing, f"must be smaller than {MAX_BYTES} bytes", path.stat().st_size)
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(thing, "must be a readable text file", getattr(error, "strerror", error)) from error
    except yaml.YAMLError as error:
        raise ConfigError(thing, "must be YAML", " ".join(str(error).split())) from error
    if not isinstance(content, dict):
        raise ConfigError(thing, "must hold option names with values", type(content).__name__, "see `config`")
    known = set(known)
    return _checked_names(thing, with_present_names(_flattened(content, ""), known), known)


def _flattened(content: dict[Any, Any], prefix: str) -> dict[str, Any]:
    """Return nested mappings as one with dotted names."""
    values: dict[str, Any] = {}
    for key, value in content.items():
        if isinstance(value, dict):
            values.update(_flattened(value, f"{prefix}{key}."))
        else:
            values[f"{prefix}{key}"] = value
    return values


def _checked_names(thing: str, values: dict[str, Any], known: set[str]) -> dict[str, Any]:
    """Return `values` if every name is known."""
    for name in values:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            raise ConfigError(thing, f"contains the unknown option {name}",
                              remedy=f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(known))}")
    return values


def option_file_text(config: Config, describe: Any) -> str:
    """Return a YAML file with every option's value, help and range; `describe` returns the range of an `Option`."""
    import json

    lines: list[str] = []
    open_sections: list[str] = []
    for name, value, given in flatten(config):
        *sections, leaf = name.split(".")
        for depth, section in enumerate(sections):
            if open_sections[depth:depth + 1] != [section]:
                lines.append(f"{'  ' * depth}{section}:")
        open_sections = sections
        indent = "  " * len(sections)
        lines += [f"{indent}# {comment(given, describe(given))}", f"{indent}{leaf}: {json.dumps(value)}"]
    return "\n".join(lines) + "\n"


def comment(given: Option, range_words: str) -> str:
    """Return the comment of an option: help, range, choices."""
    choices = f" One of {', '.join(given.choices)}." if given.choices else ""
    return given.help + range_words + choices
