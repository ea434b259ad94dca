"""Options as text: their ranges in words, and YAML with a comment for each."""

from __future__ import annotations

import json
from typing import Any

from cl_localization.config import Config, Option, flatten


def range_text(given: Option) -> str:
    """Return an option's range for its help, with a leading space; empty without a range."""
    if given.minimum is not None and given.maximum is not None:
        return f" From {given.minimum:.10g} to {given.maximum:.10g}."
    if given.minimum is not None:
        return f" At least {given.minimum:.10g}."
    return "" if given.maximum is None else f" At most {given.maximum:.10g}."


def options_yaml(config: Config, indent: str = "", says_live: bool = False) -> str:
    """Return YAML of all options, nested by dotted name, each below its help, range and choices; the options of the
    config itself come before those of its sections.

    Args:
        indent: put before each line.
        says_live: whether options that a node takes while it runs are marked.
    """
    lines, open_sections = list[str](), list[str]()
    for name, value, given in sorted(flatten(config), key=lambda leaf: "." in leaf[0]):
        *sections, leaf = name.split(".")
        shared = next((depth for depth, pair in enumerate(zip(open_sections, sections)) if pair[0] != pair[1]),
                      min(len(open_sections), len(sections)))
        lines += [f"{indent}{'  ' * depth}{sections[depth]}:" for depth in range(shared, len(sections))]
        open_sections, place = sections, indent + "  " * len(sections)
        choices = f" One of {', '.join(given.choices)}." if given.choices else ""
        live = " (live)" if says_live and given.live else ""
        lines += [f"{place}# {given.help}{range_text(given)}{choices}{live}", f"{place}{leaf}: {_yaml_value(value)}"]
    return "\n".join(lines) + "\n"


def _yaml_value(value: Any) -> str:
    """Return a value as YAML 1.1 that keeps its type: floats with a point, strings quoted."""
    if type(value) is float:
        mantissa, _, exponent = repr(value).partition("e")
        return mantissa if not exponent else f"{mantissa if '.' in mantissa else mantissa + '.0'}e{int(exponent):+d}"
    return json.dumps(value)
