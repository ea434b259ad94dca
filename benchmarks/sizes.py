"""How large the product is: `scripts/run python -m benchmarks.sizes`. Counts lines of Python, docstrings and blank
lines included, and the files that one image goes through."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from pathlib import Path

from benchmarks.traversal import files_of_one_localization
from cl_localization.cli.tables import print_rows

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGE = REPOSITORY / "cl_localization"
COMMANDS = ("map", "localize", "evaluate", "info", "view")
NODES = ("localizer", "mapper", "sequence_player")
STARTS = (*(f"cl_localization.cli.{name}" for name in ("main", *COMMANDS)),
          *(f"cl_localization.ros.nodes.{name}" for name in NODES))
NERF = ("cl_localization.nerf", "cl_localization.ros.nerf")


def modules() -> dict[str, Path]:
    """Return all modules of the package by name."""
    names = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(path.relative_to(REPOSITORY).with_suffix("").parts)
        names[name.removesuffix(".__init__")] = path
    return names


def imported(path: Path, known: Iterable[str]) -> set[str]:
    """Return the modules of the package that a file imports, wherever in it, and the packages that they lie in."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    parents = {name.rsplit(".", level)[0] for name in found for level in range(1, name.count(".") + 1)}
    return (found | parents) & set(known)


def closure(starts: Iterable[str], known: dict[str, Path], left_out: tuple[str, ...] = ()) -> set[str]:
    """Return what some modules import, themselves included, without the rooms that are left out.

    Readers of sequences and the simulated house are plug-ins, named in a table and imported when a path asks for them:
    they do not count.
    """
    reached, ahead = set(), list(starts)
    while ahead:
        name = ahead.pop()
        if name in reached or name.startswith(left_out):
            continue
        reached.add(name)
        ahead += imported(known[name], known)
    return reached


def lines(names: Iterable[str], known: dict[str, Path]) -> int:
    """Return how many lines some modules have."""
    return sum(len(known[name].read_text(encoding="utf-8").splitlines()) for name in names)


def main() -> None:
    """Print the sizes."""
    known = modules()
    without_research = [name for name in known if not name.startswith("cl_localization.research")]
    product = closure(STARTS, known, NERF)
    localize = closure(["cl_localization.localizer"], known)
    rows = {"package": list(known), "package without research": without_research,
            "product: nodes and commands, without the radiance field": product, "what localizer.py needs": localize}
    print_rows("sizes", [(title, f"{lines(names, known):,}", str(len(names))) for title, names in rows.items()],
               ("what", "lines", "modules"))
    calls = files_of_one_localization()
    print_rows(f"{len(calls)} files that one Localizer.localize goes through",
               [(name, str(count)) for name, count in sorted(calls.items())], ("file", "calls"))


if __name__ == "__main__":
    main()
