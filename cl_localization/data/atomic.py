"""Output that is there whole or not at all: written beside its place, flushed, then renamed."""

from __future__ import annotations

import fcntl
import glob
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cl_localization.data.own_folders import foreign_file
from cl_localization.errors import DataError

REPLACED = "replaced"
"""Name of the old folder while a new one takes its place."""


@contextmanager
def written_file(path: Path, force: bool = False) -> Iterator[Path]:
    """Give a temporary path to write; when the block ends well it becomes the file `path`, else it vanishes.

    Args:
        force: whether an existing file may be replaced.

    Raises:
        DataError: `path` is there without `force`, is no file, or the folder cannot be written.
    """
    check_file(path, force)
    with _beside(path) as temporary:
        yield temporary
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        os.replace(temporary, path)
        sync_folder(path.parent)


@contextmanager
def written_folder(path: Path, force: bool = False) -> Iterator[Path]:
    """Give an empty temporary folder of the same name to fill; when the block ends well it becomes `path`, else it
    vanishes.

    Args:
        force: whether an earlier result of this package may be replaced; it is kept until the new one is whole.

    Raises:
        DataError: see `check_folder`.
    """
    check_folder(path, force)
    with _beside(path) as temporary:
        temporary.mkdir()
        yield temporary
        for file in temporary.rglob("*"):
            if file.is_file():
                with file.open("rb") as stream:
                    os.fsync(stream.fileno())
        check_folder(path, force)  # again: the work may have taken hours
        if path.exists() or path.is_symlink():
            os.replace(path, temporary.with_name(REPLACED))
        os.replace(temporary, path)


def sync_folder(folder: Path) -> None:
    """Have what was renamed in a folder survive a loss of power, where the file system can."""
    with suppress(OSError):  # some file systems cannot; the files themselves are whole all the same
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """Give a path of the same name in a new folder beside `path`, and remove that folder at the end; if all went well,
    also those that were left behind by processes that were killed."""
    try:
        workplace = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    except OSError as error:
        raise DataError(f"output {path}", "cannot be written", error.strerror,
                        "choose a folder you may write") from None
    try:
        with _locked(workplace):
            yield workplace / path.name
        _remove_leftovers(path)
    except OSError as error:
        raise DataError(f"output {path}", "cannot be written", error.strerror, "check space and permissions") from error
    finally:
        shutil.rmtree(workplace, ignore_errors=True)


@contextmanager
def _locked(folder: Path) -> Iterator[bool]:
    """Try to hold the lock of a folder, which a process loses when it ends; gives whether it is held."""
    opened = os.open(folder, os.O_RDONLY)
    held = False
    with suppress(OSError):  # another process holds it, or the file system has no locks
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        held = True
    try:
        yield held
    finally:
        os.close(opened)


def _remove_leftovers(path: Path) -> None:
    """Remove the folders of `_beside` whose processes are gone, so that hidden copies do not pile up."""
    for folder in path.parent.glob(f".{glob.escape(path.name)}.{'[a-z0-9_]' * 8}"):
        with suppress(OSError), _locked(folder) as gone:
            inside = {entry.name for entry in folder.iterdir()}
            if gone and inside and inside <= {path.name, REPLACED}:
                shutil.rmtree(folder, ignore_errors=True)


def check_file(path: Path, force: bool = False) -> None:
    """Find out before the work whether the file `path` may be written; makes the folder above it.

    Raises:
        DataError: see `check_output`; or it is a folder, device, pipe or socket.
    """
    check_output(path, force)
    if path.is_dir():
        raise DataError(f"output {path}", "must be a file", "a folder", "name a file in it")
    if path.exists() and not path.is_file():  # a renamed file would take the place of a device
        raise DataError(f"output {path}", "must not be a device, pipe or socket", remedy="name a file")


def check_folder(path: Path, force: bool = False) -> None:
    """Find out before the work whether the folder `path` may be written; makes the folder above it.

    Raises:
        DataError: see `check_output`; or it is no folder, or holds anything but an earlier result of this package.
    """
    check_output(path, force)
    if path.exists() and not path.is_dir():
        raise DataError(f"output {path}", "must be a folder", "a file", "choose another name")
    foreign = foreign_file(path)
    if foreign is not None:
        raise DataError(f"output {path}", "must hold nothing but an earlier result to be replaced", foreign,
                        "choose another name, or move away what you want to keep and remove the folder")


def check_output(path: Path, force: bool = False) -> None:
    """Find out before the work whether `path` may be written; makes the folder above it.

    Raises:
        DataError: it is there and `force` is not set, or the folder cannot be made or written.
    """
    if (path.exists() or path.is_symlink()) and not force:
        raise DataError(f"output {path}", "must not be there yet",
                        remedy="choose another name, remove it, or use --force")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"output {path}", "cannot be written", error.strerror,
                        "choose a folder you may write") from None
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise DataError(f"output {path}", "cannot be written", f"no permission in {path.parent}",
                        "choose a folder you may write")
