"""ruff and mypy find nothing; their settings are in pyproject.toml."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
import tomllib

import pytest

from source_files import REPOSITORY

SETTINGS = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
TYPED = ("mypy", "numpy", "opencv-python-headless", "torch")
"""What mypy finds depends on these."""


def run(*words: str) -> str:
    """Run a module in the folder of the repository and return what it says; empty when it finds nothing."""
    done = subprocess.run([sys.executable, "-m", *words], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr if done.returncode else ""


def other_versions() -> list[str]:
    """The libraries whose installed version is not that of constraints.txt."""
    lines = (REPOSITORY / "requirements" / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = dict(line.split("==") for line in lines if "==" in line and not line.startswith("#"))
    return [name for name in TYPED if importlib.metadata.version(name).partition("+")[0] != pinned[name]]


def test_ruff_finds_nothing() -> None:
    pytest.importorskip("ruff")
    assert run("ruff", "check", "--quiet", "--output-format", "concise", ".") == ""


def test_mypy_finds_nothing() -> None:
    pytest.importorskip("mypy")
    if others := other_versions():
        pytest.skip(f"mypy's findings depend on the versions of libraries; other ones are: {', '.join(others)}")
    assert run("mypy") == ""


def test_mypy_checks_the_package_without_the_research() -> None:
    settings = SETTINGS["mypy"]
    assert settings["files"] == ["cl_localization"] and settings["exclude"] == ["^cl_localization/research/"]
    assert settings["disallow_untyped_defs"] and settings["warn_unused_ignores"]


def test_ruff_and_mypy_see_a_mistake(tmp_path) -> None:
    pytest.importorskip("ruff")
    pytest.importorskip("mypy")
    (tmp_path / "wrong.py").write_text("import os\n\n\ndef half(count: int) -> int:\n    return count / 2\n")
    config = str(REPOSITORY / "pyproject.toml")
    assert "F401" in run("ruff", "check", "--config", config, str(tmp_path))
    assert "return-value" in run("mypy", "--config-file", config, "--cache-dir", str(tmp_path / "cache"),
                                 str(tmp_path / "wrong.py"))
