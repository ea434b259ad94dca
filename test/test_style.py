"""The sizes and habits that keep the code readable and safe, checked on every file."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from source_files import PACKAGE, REPOSITORY, functions, lines_of, python_files, shown, tree_of, walk

MAX_FILE_LINES, MAX_FUNCTION_LINES, LONG_FUNCTION_LINES, LONG_SHARE = 400, 60, 40, 0.05
MAX_STORY_LINES, MAX_LINE_LENGTH = 150, 120

ALL_FILES = python_files()
SOURCE_FILES = python_files("cl_localization", "benchmarks", "underlay", "launch")
PACKAGE_FILES = python_files("cl_localization", "benchmarks")
STORIES = [
    path
    for path in PACKAGE_FILES
    if path in [PACKAGE / f"{folder}{name}.py" for folder in ("", "ros/nodes/")
                for name in ("localizer", "mapper", "sequence_player")]
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


def test_a_file_fits_in_the_head() -> None:
    texts = {shown(path): path.read_text(encoding="utf-8").splitlines() for path in ALL_FILES}
    assert {name: len(lines) for name, lines in texts.items() if len(lines) > MAX_FILE_LINES} == {}
    assert [f"{name}:{number}" for name, lines in texts.items()
            for number, line in enumerate(lines, 1) if len(line) > MAX_LINE_LENGTH] == []


def test_a_story_fits_on_a_few_screens() -> None:
    sizes = {shown(path): len(path.read_text(encoding="utf-8").splitlines()) for path in STORIES}
    assert len(sizes) >= 5 and {name: size for name, size in sizes.items() if size > MAX_STORY_LINES} == {}


def test_no_function_is_too_long() -> None:
    sizes = {f"{shown(path)}:{node.name}": lines_of(node) for path in SOURCE_FILES for node in functions(path)}
    assert {name: size for name, size in sizes.items() if size > MAX_FUNCTION_LINES} == {}


def test_few_functions_are_long() -> None:
    sizes = {f"{shown(path)}:{node.name}": lines_of(node) for path in PACKAGE_FILES for node in functions(path)}
    long = [name for name, size in sizes.items() if size > LONG_FUNCTION_LINES]
    assert len(long) <= LONG_SHARE * len(sizes), long


def test_no_assert_checks_input() -> None:
    assert [f"{shown(path)}:{node.lineno}" for path in SOURCE_FILES for node in ast.walk(tree_of(path))
            if isinstance(node, ast.Assert)] == []


def test_nothing_prints_past_the_command_line() -> None:
    assert [f"{shown(path)}:{node.lineno}" for path in PACKAGE_FILES for node in ast.walk(tree_of(path))
            if called(node) == "print"] == []


def test_no_code_comes_from_data() -> None:
    found = []
    for path in SOURCE_FILES:
        for node in ast.walk(tree_of(path)):
            name = called(node)
            wrong = name in FORBIDDEN_CALLS or (name == "torch.load" and not is_true(node, "weights_only"))
            wrong |= any(is_true(node, keyword) for keyword in ("shell", "allow_pickle"))
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if wrong or FORBIDDEN_MODULES & {name.split(".")[0] for name in names}:
                found.append(f"{shown(path)}:{node.lineno}")
    assert found == []


def test_what_is_public_is_documented_and_annotated() -> None:
    missing = [f"{shown(path)} has no docstring" for path in PACKAGE_FILES if tree_of(path).body
               and not ast.get_docstring(tree_of(path))]
    for path in PACKAGE_FILES:
        missing += [f"{shown(path)}:{node.lineno} {node.name} has no docstring"
                    for node in public_definitions(tree_of(path)) if not ast.get_docstring(node)
                    and not (isinstance(node, ast.FunctionDef) and overrides_by_name(node))]
        missing += [f"{shown(path)}:{node.lineno} {node.name} is not annotated" for node in functions(path)
                    if not annotated(node)]
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
