"""The one exception family of the package.

Every error names the thing that is wrong, states the rule it broke, shows the value found and says what to do, so that
a user who reads one line can mend it. The command line prints that line and ends with exit code 1; nodes log it.
"""

from __future__ import annotations

import difflib
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAX_TEXT = 1000
"""Characters of a value that an error shows."""


class LocalizationError(Exception):
    """Base of every error that the package raises on purpose.

    Args:
        thing: what is wrong: a file, topic, parameter, flag or argument, by its name.
        rule: what holds for it: "must be ...", "is missing", ...
        value: what was found instead; left out of the text when None.
        remedy: what the user can do about it.
    """

    def __init__(self, thing: object, rule: str, value: object = None, remedy: str = "") -> None:
        found = "" if value is None else f", found {_short(value)}"
        advice = f"; {remedy}" if remedy else ""
        super().__init__(f"{_short(thing)} {rule}{found}{advice}")
        self.thing, self.rule, self.value, self.remedy = thing, rule, value, remedy


def _short(value: object) -> str:
    """Return a value as text that fits a log, whatever a message or file has put into it."""
    text = str(value)
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}... ({len(text)} characters)"


class ConfigError(LocalizationError):
    """An option, ROS parameter or flag with an unknown name or a value outside its range."""


class DataError(LocalizationError):
    """A sequence, image, depth image, pose or calibration that cannot be read or makes no sense."""


class GeometryError(LocalizationError):
    """Numbers that are no rotation, camera or pose."""


class MapError(LocalizationError):
    """A map that cannot be read, written, or used with this encoder or version."""


class DamagedMapError(MapError):
    """A map file that is cut short or holds other than what was written."""


class EncoderError(LocalizationError):
    """An encoder that cannot be loaded or was given an image it cannot use."""


class RosError(LocalizationError):
    """A message, tf frame or ROS environment that cannot be used."""


@contextmanager
def named(thing: str) -> Iterator[None]:
    """Let errors about numbers say in which file or topic they are."""
    try:
        yield
    except GeometryError as error:
        inside = str(error.thing) if thing in str(error.thing) else f"{error.thing} of {thing}"
        raise GeometryError(inside, error.rule, error.value, error.remedy) from None


def of_type(kind: type) -> str:
    """Return a type with its article, for rules: "an int"."""
    return f"{'an' if kind is int else 'a'} {kind.__name__}"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return the remedy for an unknown name: the nearest of those that are known, else all of them."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1)
    return f"did you mean {near[0]}?" if near else f"known are {', '.join(names)}"


def missing_package(error: ModuleNotFoundError) -> str:
    """Return what to say, on one line, of a package that Python does not find."""
    name = (error.name or str(error)).split(".")[0]
    return (f"the Python package {name} is missing; run scripts/setup and start this with scripts/run, or install "
            "it: pip install -c requirements/constraints.txt -e .")
