"""Folders of trainings: made with the date in the name and a link to the latest, and found again by what users call
them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Protocol

from cl_localization.cli.outputs import require_folder
from cl_localization.config import Config, flatten
from cl_localization.errors import ConfigError

LATEST = "latest"
DATE = "????-??-??_??-??-??"
"""Of the names of run folders, as a pattern."""


class RunArguments(Protocol):
    """The arguments of a training that is kept in a folder."""

    out: Path | None
    exp_name: str
    runs_path: Path
    resume: Path | None


def run_folder(arguments: RunArguments) -> Path | None:
    """Return the folder of the run, made and with a link `latest` to it beside it; None when only a model file is asked
    for."""
    if arguments.resume is not None:
        found = found_run(arguments.resume)
        return found.parent if found.is_file() else found
    if arguments.out is not None and not arguments.exp_name:
        return None
    name = "_".join(part for part in (time.strftime("%Y-%m-%d_%H-%M-%S"), arguments.exp_name) if part)
    folder = require_folder(arguments.runs_path / name)
    link = arguments.runs_path / LATEST
    if link.is_symlink() or not link.exists():
        link.unlink(missing_ok=True)
        link.symlink_to(folder.name)
    return folder


def found_run(path: Path) -> Path:
    """Return a file or run folder as it is named; where there is nothing, the newest run of that name with its date."""
    dated = [] if path.exists() or not path.name else sorted(path.parent.glob(f"{DATE}_{path.name}"))
    return dated[-1] if dated else path


def model_in(path: Path, file_name: str) -> Path:
    """Return the model file that a path names: itself, or the one in a run folder; see `found_run`."""
    found = found_run(path)
    return found / file_name if found.is_dir() else found


def check_unchanged(given: Config, begun_with: Config, changeable: tuple[str, ...] = ()) -> None:
    """Raise ConfigError for an option that is given other than the run that is gone on with has it.

    Args:
        changeable: options that may change.
    """
    kept = {name: value for name, value, _ in flatten(begun_with)}
    defaults: Any = type(given)()
    for (name, value, _), (_, default, _) in zip(flatten(given), flatten(defaults)):
        if name not in changeable and value not in (default, kept[name]):
            raise ConfigError(f"option {name}", f"must be {kept[name]}, as the run was begun with", value,
                              "leave it out, or begin another run")
