"""The repository's own files, for the tests of structure and style."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGE = REPOSITORY / "cl_localization"
MADE = {".venv", ".git", "build", "install", "log", ".setup", "out", "__pycache__", ".pytest_cache", ".hypothesis",
        ".ruff_cache", ".mypy_cache"}
"""Folders that tools make."""


def python_files(*roots: str) -> list[Path]:
    """Return the Python files under folders of the repository; under all of it without arguments."""
    folders = [REPOSITORY / root for root in roots] or [REPOSITORY]
    return sorted(path for folder in folders for path in walk(folder) if path.suffix == ".py")


def walk(folder: Path) -> Iterator[Path]:
    """Yield all files below a folder that are not made by tools."""
    if not folder.is_dir():
        return
    for path in sorted(folder.iterdir()):
        if path.name in MADE or path.name.endswith(".egg-info") or path.is_symlink():
            continue
        if path.is_dir():
            yield from walk(path)
        else:
            yield path


@cache
def tree_of(path: Path) -> ast.Module:
    """Return the syntax tree of a Python file."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def shown(path: Path) -> str:
    """Return a path as it is seen from the repository's root."""
    return path.relative_to(REPOSITORY).as_posix()


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield all functions and methods of a file, nested ones too."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def lines_of(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the number of lines of a function, decorators left out."""
    return node.end_lineno - node.lineno + 1
