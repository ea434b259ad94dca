"""Output that is there whole or not at all: written beside its place, flushed, then renamed."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cl_localization.errors import DataError


@contextmanager
def written_file(path: Path, force: bool = False) -> Iterator[Path]:
    """Give a temporary path to write; when the block ends well it becomes the file `path`, else it vanishes.

    Args:
        force: whether an existing file may be replaced.

    Raises:
        DataError: `path` is there without `force`, is no file, or the folder cannot be written.
    """
    with _beside(path, force) as temporary:
        yield temporary
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        if path.is_dir():
            raise DataError(f"output {path}", "must not be a folder", remedy="name a file in it")
        if path.exists() and not path.is_file():  # a renamed file would take the place of a device
            raise DataError(f"output {path}", "must not be a device, pipe or socket", remedy="name a file")
        os.replace(temporary, path)
        sync_folder(path.parent)


@contextmanager
def written_folder(path: Path, force: bool = False) -> Iterator[Path]:
    """Give an empty temporary folder of the same name to fill; when the block ends well it becomes `path`, else it
    vanishes.

    Args:
        force: whether an existing folder may be replaced; it is kept until the new one is whole.

    Raises:
        DataError: `path` is there without `force`, or the folder above cannot be written.
    """
    with _beside(path, force) as temporary:
        temporary.mkdir()
        yield temporary
        for file in temporary.rglob("*"):
            if file.is_file():
                with file.open("rb") as stream:
                    os.fsync(stream.fileno())
        if path.exists() or path.is_symlink():
            os.replace(path, temporary.with_name("replaced"))
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
def _beside(path: Path, force: bool) -> Iterator[Path]:
    """Give a path of the same name in a new folder beside `path`, and remove that folder at the end."""
    check_output(path, force)
    try:
        workplace = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    except OSError as error:
        raise DataError(f"output {path}", "cannot be written", error.strerror,
                        "choose a folder you may write") from None
    try:
        yield workplace / path.name
    except OSError as error:
        raise DataError(f"output {path}", "cannot be written", error.strerror, "check space and permissions") from error
    finally:
        shutil.rmtree(workplace, ignore_errors=True)


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
