"""One door to every kind of sequence: `open_sequence` recognises the layout and applies the spec's selection."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cl_localization.data.frame import Sequence
from cl_localization.data.spec import SequenceSpec, parse_spec, selected
from cl_localization.errors import DataError

TRUE_WORDS, FALSE_WORDS = ("true", "yes", "1"), ("false", "no", "0")
SHOWN_ENTRIES = 8


@dataclass(frozen=True)
class Format:
    """One kind of sequence: the module that reads it and what it looks like to a user.

    Attributes:
        module: of `cl_localization.data`, imported when needed; has `is_NAME(path)` and `open_NAME(path, name,
            **options)`.
        function: NAME above.
        looks_like: one phrase for messages and help.
    """

    module: str
    function: str
    looks_like: str

    def recognises(self, path: Path) -> bool:
        """Return whether a path looks like this format."""
        return self._find("is")(path)

    @property
    def open(self) -> Callable[..., Sequence]:
        """The reader."""
        return self._find("open")

    def _find(self, verb: str) -> Callable[..., Any]:
        return getattr(importlib.import_module(f"cl_localization.data.{self.module}"), f"{verb}_{self.function}")


FORMATS = {
    "7scenes": Format("seven_scenes", "7scenes",
                      "frame-NNNNNN.color.png|jpg, .depth.png, .pose.txt, or a folder of such seq-NN"),
    "12scenes": Format("twelve_scenes", "12scenes", "info.txt and data/frame-NNNNNN.color.jpg, .depth.png, .pose.txt"),
    "transforms": Format("transforms_json", "transforms_json", "transforms.json, in a folder or given as a file"),
    "tum": Format("tum", "tum", "rgb.txt, depth.txt, groundtruth.txt"),
    "bag": Format("bag_reader", "bag", "metadata.yaml with .mcap or .db3 of rosbag2"),
    "images": Format("image_folder", "image_folder", "images with camera.yaml and optionally poses.txt"),
}
"""In the order in which they are tried; `sim` is known by its prefix."""


def open_sequence(spec: str | Path, format: str = "auto", **options: Any) -> Sequence:
    """Open what `spec` names: a path or `sim:SEED`, then reader options, then a selection of frames.

    `PATH?key=value&key=value` gives options of the reader, `PATH@FILE` takes the frames listed in a text file and
    `PATH[start:stop:step]` a part by index; see `cl_localization.data.spec`.

    Args:
        format: a key of `FORMATS`, "sim", or "auto" to recognise it.
        options: keyword arguments of the reader; they win over those in the spec.

    Raises:
        DataError: nothing there, an unknown layout, format or option, a selection without frames, or what the reader
            finds.
        GeometryError: poses or cameras that make no sense.
    """
    if format not in ("auto", "sim", *FORMATS):
        raise DataError("format", f"must be one of auto, sim, {', '.join(FORMATS)}", repr(format))
    parsed = parse_spec(str(spec))
    if parsed.source.startswith("sim:") or format == "sim":
        sequence = _open_simulation(parsed, options)
        folder = Path()
    else:
        path = Path(parsed.source).expanduser()
        reader = FORMATS[_recognised(path) if format == "auto" else format].open
        sequence = reader(path, parsed.text, **_typed_options(reader, {**parsed.options, **options}))
        folder = path if path.is_dir() else path.parent
    return selected(sequence, parsed, folder)


def _open_simulation(parsed: SequenceSpec, options: dict[str, Any]) -> Sequence:
    """The simulated house reads its own options from the spec."""
    simulation = importlib.import_module("cl_localization.simulation")
    merged = {**parsed.options, **{key: str(value) for key, value in options.items()}}
    query = "&".join(f"{key}={value}" for key, value in merged.items())
    source = parsed.source if parsed.source.startswith("sim:") else f"sim:{parsed.source}"
    return simulation.open_simulation(f"{source}?{query}" if query else source)


def _recognised(path: Path) -> str:
    if not path.exists():
        raise DataError(f"sequence {path}", "is missing",
                        remedy="give a file or folder, or sim:SEED for the simulated house")
    for name, candidate in FORMATS.items():
        if candidate.recognises(path):
            return name
    entries = sorted(entry.name for entry in path.iterdir()) if path.is_dir() else [path.name]
    found = ", ".join(entries[:SHOWN_ENTRIES]) + (f" and {len(entries) - SHOWN_ENTRIES} more"
                                                  if len(entries) > SHOWN_ENTRIES else "")
    known = "; ".join(f"{name}: {candidate.looks_like}" for name, candidate in FORMATS.items())
    raise DataError(f"sequence {path}", "has no layout that is recognised", found or "an empty folder",
                    f"recognised are {known}")


def _typed_options(reader: Callable[..., Sequence], options: dict[str, Any]) -> dict[str, Any]:
    """Return options with text turned into the type of the reader's default. Raises DataError for unknown ones."""
    known = {key: parameter.default for key, parameter in inspect.signature(reader).parameters.items()
             if parameter.kind is inspect.Parameter.KEYWORD_ONLY}
    for key in options:
        if key not in known:
            raise DataError(f"option {key} of the sequence", f"must be one of {', '.join(known) or 'none'}")
    return {key: _typed(key, value, known[key]) for key, value in options.items()}


def _typed(key: str, value: Any, default: Any) -> Any:
    if not isinstance(value, str) or isinstance(default, str):
        return value
    if isinstance(default, bool):
        if value.lower() not in TRUE_WORDS + FALSE_WORDS:
            raise DataError(f"option {key} of the sequence", "must be true or false", repr(value))
        return value.lower() in TRUE_WORDS
    try:
        return type(default)(value)
    except ValueError:
        raise DataError(f"option {key} of the sequence", f"must be a {type(default).__name__}", repr(value)) from None
