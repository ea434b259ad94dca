"""Presets: names for sets of options. What a command line gives itself wins over them."""

from __future__ import annotations

from collections.abc import Mapping

PRESET = "--preset"


def with_preset(words: list[str], presets: Mapping[str, Mapping[str, object]]) -> list[str]:
    """Return the words of a command line with the options of the preset that it names, where it does not give them.

    Args:
        presets: options by their flag's name without dashes, by preset.
    """
    named = [word for place, word in enumerate(words) if place and words[place - 1] == PRESET]
    named += [word.partition("=")[2] for word in words if word.startswith(PRESET + "=")]
    given = {word.partition("=")[0].replace("_", "-") for word in words}
    chosen = presets.get(named[-1], {}) if named else {}
    flags = {f"--{name.replace('_', '-')}": str(value) for name, value in chosen.items()}
    return [*words, *(word for flag, value in flags.items() if flag not in given for word in (flag, value))]
