"""Options that are given but do nothing under the others: they are named, so that nobody tunes them in vain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cl_localization.config import Config, flatten

Uses = Mapping[str, tuple[str, tuple[Any, ...]]]
"""By the beginning of an option's name: the option that decides whether it is used, and the values with which it is."""


def idle_options(config: Config, uses: Uses) -> list[str]:
    """Return a sentence for each option that differs from its default although another leaves it without effect."""
    values = {name: value for name, value, _ in flatten(config)}
    defaults = {name: value for name, value, _ in flatten(type(config)())}
    return [f"option {name} has no effect with {deciding} {values[deciding]}"
            for name, value in values.items() if value != defaults[name]
            for beginning, (deciding, used_with) in uses.items()
            if name.startswith(beginning) and values[deciding] not in used_with]
