"""Continuous integration, hooks and the pages for contributors name what is there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

import cl_localization
from source_files import PACKAGE, REPOSITORY, python_files

WORKFLOW = yaml.safe_load((REPOSITORY / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
HOOKS = yaml.safe_load((REPOSITORY / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
CONTRIBUTING = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
CHANGELOG = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
SYSTEM_PROGRAMS = {"apt-get", "rosdep", "source", "python", "colcon"}
GONE = {"setup.py"}
FOLDERS_MADE = ("out/", ".venv/", "$PWD/.venv/")


def commands_of(job: dict[str, Any]) -> Iterator[list[str]]:
    """The words of every command that a job runs."""
    for step in job["steps"]:
        text = re.sub(r"\$\{\{.*?\}\}", "jazzy", step.get("run", "")).replace("\\\n", " ")
        for line in text.splitlines():
            yield from (shlex.split(part) for part in line.split("&&"))


COMMANDS = [words for job in WORKFLOW["jobs"].values() for words in commands_of(job)]


def test_the_three_jobs_are_core_wheels_and_distributions() -> None:
    jobs = WORKFLOW["jobs"]
    assert list(jobs) == ["core", "wheels", "distribution"]
    assert jobs["distribution"]["strategy"]["matrix"]["distribution"] == ["jazzy", "kilted"]
    assert jobs["distribution"]["container"].startswith("ros:")


def test_every_program_that_ci_runs_is_in_the_repository_or_of_the_system() -> None:
    programs = {words[0] for words in COMMANDS}
    own = {program for program in programs if "/" in program}
    assert own and [program for program in own if not (REPOSITORY / program).is_file()] == []
    assert programs - own - SYSTEM_PROGRAMS == set()


def test_every_path_that_ci_names_is_in_the_repository() -> None:
    named = [word.rpartition("=")[2] for words in COMMANDS for word in words[1:] if "/" in word]
    own = [path for path in named if not path.startswith(("/opt/", *FOLDERS_MADE))]
    assert "test/ros" in own and [path for path in own if not (REPOSITORY / path).exists()] == []


def test_ci_builds_with_tests_and_looks_at_their_results() -> None:
    lines = [" ".join(words) for words in COMMANDS]
    assert any("colcon build" in line and "-DBUILD_TESTING=ON" in line for line in lines)
    assert any("colcon test " in line and "--return-code-on-test-failure" in line for line in lines)


def test_the_hooks_run_what_the_tests_run_and_name_no_host() -> None:
    assert [repository["repo"] for repository in HOOKS["repos"]] == ["local"]
    assert [hook["entry"].split()[0] for hook in HOOKS["repos"][0]["hooks"]] == ["ruff", "mypy"]


@pytest.mark.parametrize("page", [CONTRIBUTING, CHANGELOG], ids=["CONTRIBUTING", "CHANGELOG"])
def test_every_file_and_module_that_a_page_names_is_there(page: str) -> None:
    words = re.findall(r"`([\w./]+)`", page.split("\n## 0.1.0\n")[0])
    files = [word for word in words if word.endswith((".py", ".md", ".txt", ".toml")) and word not in GONE]
    missing = [name for name in files if not any((root / name).is_file() for root in (REPOSITORY, PACKAGE))]
    assert files and missing == []


def test_what_has_moved_is_where_the_changelog_says() -> None:
    now = [line.split("|")[2] for line in CHANGELOG.splitlines() if line.startswith("| `cl_localization")]
    cells = [found for cell in now for found in re.findall(r"`((?:cl_localization|benchmarks)[\w.…]*)`", cell)]
    names = [name.rstrip(".…") for name in cells]
    paths = [REPOSITORY / name.replace(".", "/") for name in names]
    assert names and [str(path) for path in paths if not path.is_dir() and not path.with_suffix(".py").is_file()] == []


def test_what_a_contributor_is_pointed_to_exists() -> None:
    architecture = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = architecture.split("## Where does a new part go")[1].split("\n## ")[0]
    sources = "\n".join(path.read_text(encoding="utf-8") for path in python_files("cl_localization", "benchmarks"))
    names = re.findall(r"`([A-Z]\w+|make_\w+)`", table)
    assert {"AdmissionPolicy", "FORMATS", "POLICIES", "make_encoder", "make_regressor"} <= set(names)
    assert [name for name in names if not re.search(rf"(?:class|def) {name}\b|^{name}\b", sources, re.MULTILINE)] == []


def test_the_changelog_has_the_version_of_the_package() -> None:
    versions = re.findall(r"^## (.+)$", CHANGELOG, re.MULTILINE)
    assert versions[0] == "Unreleased" and cl_localization.__version__ in versions
