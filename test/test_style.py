"""The sizes and habits that keep the code readable and safe, checked on every file."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from source_files import PACKAGE, REPOSITORY, functions, lines_of, python_files, shown, tree_of, walk

MAX_FILE_LINES, MAX_FUNCTION_LINES, LONG_FUNCTION_LINES, LONG_SHARE = 400, 60, 40, 0.05
MAX_STORY_LINES, MAX_LINE_LENGTH = 150, 140

ALL_FILES = python_files()
SOURCE_FILES = python_files("cl_localization", "underlay", "launch")
PACKAGE_FILES = python_files("cl_localization")
STORIES = [
    path
    for path in PACKAGE_FILES
    if path.name.endswith("_node.py") or path in (PACKAGE / "localizer.py", PACKAGE / "mapper.py")
]
TEXT_SUFFIXES = {
    ".py",
    ".md",
    ".txt",
    ".toml",
    ".cfg",
    ".yaml",
    ".yml",
    ".xml",
    ".msg",
    ".srv",
    ".cmake",
    ".rviz",
    ".json",
    "",
}

FORBIDDEN_CALLS = {"eval", "exec", "yaml.load", "yaml.unsafe_load", "yaml.full_load", "os.system", "os.popen",
                   "np.random.seed", "numpy.load"}
FORBIDDEN_MODULES = {"pickle", "dill", "shelve", "marshal", "cloudpickle"}
MACHINE_PATHS = re.compile(r"(?<![\w.])/(?:home/\w+|root/|work/|Users/\w+)")
REGISTRIES = re.compile(r"--(?:extra-)?index-url|--find-links|--trusted-host")


@pytest.mark.parametrize("path", ALL_FILES, ids=shown)
def test_a_file_fits_in_the_head(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= MAX_FILE_LINES
    assert [number for number, line in enumerate(lines, 1) if len(line) > MAX_LINE_LENGTH] == []


@pytest.mark.parametrize("path", STORIES, ids=shown)
def test_a_story_fits_on_a_few_screens(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_STORY_LINES


@pytest.mark.parametrize("path", SOURCE_FILES, ids=shown)
def test_no_function_is_too_long(path: Path) -> None:
    assert [node.name for node in functions(path) if lines_of(node) > MAX_FUNCTION_LINES] == []


def test_few_functions_are_long() -> None:
    sizes = {f"{shown(path)}:{node.name}": lines_of(node) for path in PACKAGE_FILES for node in functions(path)}
    long = [name for name, size in sizes.items() if size > LONG_FUNCTION_LINES]
    assert len(long) <= LONG_SHARE * len(sizes), long


@pytest.mark.parametrize("path", SOURCE_FILES, ids=shown)
def test_no_assert_checks_input(path: Path) -> None:
    assert [node.lineno for node in ast.walk(tree_of(path)) if isinstance(node, ast.Assert)] == []


@pytest.mark.parametrize("path", PACKAGE_FILES, ids=shown)
def test_nothing_prints_past_the_command_line(path: Path) -> None:
    assert [node.lineno for node in ast.walk(tree_of(path)) if called(node) == "print"] == []


@pytest.mark.parametrize("path", SOURCE_FILES, ids=shown)
def test_no_code_comes_from_data(path: Path) -> None:
    for node in ast.walk(tree_of(path)):
        name = called(node)
        assert name not in FORBIDDEN_CALLS, f"line {node.lineno}: {name}"
        assert name != "torch.load" or is_true(
            node, "weights_only"
        ), f"line {node.lineno}: torch.load of arbitrary objects"
        for keyword in ("shell", "allow_pickle"):
            assert not is_true(node, keyword), f"line {node.lineno}: {keyword}=True"
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert not FORBIDDEN_MODULES & {name.split(".")[0] for name in names}, f"line {node.lineno}"


@pytest.mark.parametrize("path", PACKAGE_FILES, ids=shown)
def test_what_is_public_is_documented_and_annotated(path: Path) -> None:
    assert ast.get_docstring(tree_of(path)) or not tree_of(path).body, "module without docstring"
    missing = []
    for node in public_definitions(tree_of(path)):
        if not ast.get_docstring(node) and not (isinstance(node, ast.FunctionDef) and overrides_by_name(node)):
            missing.append(f"{node.name} (line {node.lineno}) has no docstring")
    missing += [f"{node.name} (line {node.lineno}) is not annotated" for node in functions(path) if not annotated(node)]
    assert missing == []


def test_no_file_knows_the_machine_it_was_written_on() -> None:
    found = [
        f"{shown(path)}:{number}"
        for path in walk(REPOSITORY)
        if path.suffix in TEXT_SUFFIXES and path != Path(__file__)
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1)
        if MACHINE_PATHS.search(line) or REGISTRIES.search(line)
    ]
    assert found == []


def called(node: ast.AST) -> str:
    """Return the dotted name that a call calls, or an empty text."""
    return (
        ast.unparse(node.func) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute) else ""
    )


def is_true(node: ast.AST, keyword: str) -> bool:
    """Whether a node is a call that passes the constant True for a keyword."""
    given = {one.arg: one.value for one in node.keywords}.get(keyword) if isinstance(node, ast.Call) else None
    return isinstance(given, ast.Constant) and given.value is True


def public_definitions(tree: ast.Module) -> Iterator[ast.ClassDef | ast.FunctionDef]:
    """Yield public classes and functions of a module, and the public methods of those classes."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from (
                    inner
                    for inner in node.body
                    if isinstance(inner, ast.FunctionDef) and not inner.name.startswith("_")
                )


def overrides_by_name(node: ast.FunctionDef) -> bool:
    """Whether a method is a lifecycle transition or setter, documented where it is first made."""
    return node.name.startswith("on_") or any(
        ast.unparse(mark).endswith((".setter", "overload")) for mark in node.decorator_list
    )


def annotated(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether the return and all arguments but self and cls have a type."""
    arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs, node.args.vararg, node.args.kwarg]
    bare = [
        one.arg for one in arguments if one is not None and one.annotation is None and one.arg not in ("self", "cls")
    ]
    return not bare and node.returns is not None
