"""Option files: YAML whose keys are the names of options, dotted or nested."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cl_localization.errors import ConfigError, did_you_mean
from cl_localization.option_names import with_present_names


def read_option_file(path: Path, known: Iterable[str]) -> dict[str, Any]:
    """Return the values of a YAML file by dotted name.

    Args:
        path: the file; `map_code: {cell_size_m: 0.03}` and `map_code.cell_size_m: 0.03` are equivalent.
        known: known names.

    Raises:
        DataError: the file cannot be read, or is no mapping.
        ConfigError: it contains an unknown name.
    """
    from cl_localization.data.files import read_yaml_mapping

    known = set(known)
    values = with_present_names(_flattened(read_yaml_mapping(path), ""), known)
    for name in values:
        if name not in known:
            raise ConfigError(f"option file {path}", f"contains the unknown option {name}",
                              remedy=did_you_mean(name, sorted(known)))
    return values


def _flattened(content: dict[Any, Any], prefix: str) -> dict[str, Any]:
    """Return nested mappings as one with dotted names."""
    values: dict[str, Any] = {}
    for key, value in content.items():
        if isinstance(value, dict):
            values.update(_flattened(value, f"{prefix}{key}."))
        else:
            values[f"{prefix}{key}"] = value
    return values
