"""What the documents say of the code is there: paths, names of functions, rooms, and the places that links lead to."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from source_files import PACKAGE, REPOSITORY, python_files, tree_of, walk
from test_layers import LEVELS

DOCUMENTS = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
ARCHITECTURE = REPOSITORY / "docs" / "architecture.md"
SUFFIXES = "py|yaml|xml|msg|srv|png|safetensors"
PATH = re.compile(rf"(?<![\w/.~$<*-])((?:\w[\w.*-]*/)*[\w*][\w.*-]*\.(?:{SUFFIXES}))\b(?!/)")
MODULE = re.compile(r"\b((?:cl_localization|benchmarks)(?:\.(?!md\b|py\b)\w+)+)\b")
MAX_README_LINES = 150
EXAMPLES = {"data/zed.py", "cli_train.py", "cli_eval.py", "camera.yaml", "nerf_*.png", "NAME.yaml", "camchain.yaml",
            "calib.yaml", "frame-NNNNNN.color.png", "metadata.yaml", "phone.yaml", "sensor.yaml", "sensors.yaml",
            "trans_matrix.yaml"}
"""Paths that a document gives as an example, that a user has, that a command makes, or that several rooms have."""


def without_urls(text: str) -> str:
    """Return a document without the targets of its links, which have a test of their own."""
    return re.sub(r"\]\([^)]*\)", "]", text)


def code_spans(text: str) -> list[str]:
    """Return the inline code of a document."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"^ *```.*?^ *```", "", text, flags=re.DOTALL | re.MULTILINE))


def written_by_commands(text: str) -> set[str]:
    """Return the files that the commands of a document are told to read or write: its readers make them."""
    blocks = "\n".join(re.findall(r"^ *```.*?^ *```", text, re.DOTALL | re.MULTILINE))
    return set(re.findall(r"[\w.-]+\.(?:safetensors|json|png|txt|html|yaml|mp4)", blocks))


@cache
def all_names() -> frozenset[str]:
    """Return the names of all files of the repository, and of what a map is saved as."""
    return frozenset(path.name for path in walk(REPOSITORY))


def is_there(name: str) -> bool:
    """Return whether a path, or one that fits a pattern, lies in the package, the repository or docs/."""
    if "/" not in name:
        return name in all_names() or any(Path(other).match(name) for other in all_names())
    return any(next(root.glob(name), None) is not None for root in (PACKAGE, REPOSITORY, REPOSITORY / "docs"))


def missing_paths(document: Path) -> Iterator[str]:
    """Yield the paths that a document names and that are nowhere."""
    text = document.read_text(encoding="utf-8")
    known = EXAMPLES | written_by_commands(text)
    for name in sorted(set(PATH.findall(without_urls(text))) - known):
        if not name.endswith(".safetensors") and not is_there(name):
            yield f"{document.name}: {name}"


def module_exists(name: str) -> bool:
    """Return whether a dotted name is a module or a package, or a name in one."""
    parts = name.split(".")
    return any((REPOSITORY / "/".join(parts[:count])).with_suffix(".py").is_file()
               or (REPOSITORY / "/".join(parts[:count])).is_dir() for count in {len(parts), max(2, len(parts) - 1)})


@cache
def defined_names() -> frozenset[str]:
    """Return the functions and classes of the package and the benchmarks, and their methods as Class.method."""
    names = set()
    for path in python_files("cl_localization", "benchmarks"):
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                names.add(node.name)
            if isinstance(node, ast.ClassDef):
                names |= {f"{node.name}.{part}" for item in node.body for part in names_in(item)}
    return frozenset(names)


def names_in(item: ast.stmt) -> list[str]:
    """Return what one statement of a class defines."""
    if isinstance(item, ast.FunctionDef):
        return [item.name]
    return [item.target.id] if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name) else []


def anchors_of(document: Path) -> set[str]:
    """Return the anchors that GitHub makes of a document's headings."""
    headings = re.findall(r"^#+ +(.*)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}


def test_every_path_that_a_document_names_is_there() -> None:
    assert [name for document in DOCUMENTS for name in missing_paths(document)] == []


def test_every_module_that_a_document_names_is_there() -> None:
    names = {name for document in DOCUMENTS for name in MODULE.findall(document.read_text(encoding="utf-8"))}
    assert [name for name in sorted(names) if not module_exists(name)] == []


def test_every_class_and_method_that_the_architecture_names_is_defined() -> None:
    spans = code_spans(ARCHITECTURE.read_text(encoding="utf-8"))
    named = {span for span in spans if re.fullmatch(r"[A-Z]\w*[a-z]\w*(\.\w+)?", span)} - {"Jazzy"}
    assert len(named) > 20 and sorted(named - defined_names() - generated_names()) == []


def test_every_name_beside_a_path_is_defined_in_that_file() -> None:
    text = " ".join(ARCHITECTURE.read_text(encoding="utf-8").split())
    pairs = re.findall(r"[\[`]([\w/]+\.py)(?:`|\]\([^)]*\)),? `(\w+)(?:\.\w+)?`", text)
    roots = {name: next((root / name for root in (PACKAGE, REPOSITORY) if (root / name).is_file()), None)
             for name, _ in pairs}
    assert len(pairs) > 20
    assert [pair for pair in pairs if roots[pair[0]] is None or pair[1] not in names_of(roots[pair[0]])] == []


def names_of(path: Path) -> set[str]:
    """Return the functions, classes and constants that a file defines."""
    return {name for node in ast.walk(tree_of(path)) for name in defined_by(node)}


def defined_by(node: ast.AST) -> list[str]:
    """Return the names that a node of a syntax tree defines."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    return [node.id] if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) else []


def generated_names() -> set[str]:
    """Return the names of messages and services."""
    return {path.stem for folder in ("msg", "srv") for path in (REPOSITORY / folder).iterdir()}


def test_every_link_leads_somewhere() -> None:
    broken = []
    for document in DOCUMENTS:
        for target, anchor in re.findall(r"\]\((?!https?://|mailto:)([^)#\s]*)#?([^)\s]*)\)",
                                         document.read_text(encoding="utf-8")):
            path = document.parent / target if target else document
            if not path.exists() or (anchor and anchor not in anchors_of(path)):
                broken.append(f"{document.name}: {target}#{anchor}")
    assert broken == []


def test_the_table_of_rooms_is_the_order_of_imports() -> None:
    rows = re.findall(r"^\| (\d+) \| ([^|]+) \|", ARCHITECTURE.read_text(encoding="utf-8"), re.MULTILINE)
    assert {room: int(level) for level, rooms in rows for room in re.findall(r"`(\w+)`", rooms)} == LEVELS


def test_the_readme_fits_on_a_few_screens() -> None:
    assert len((REPOSITORY / "README.md").read_text(encoding="utf-8").splitlines()) <= MAX_README_LINES
