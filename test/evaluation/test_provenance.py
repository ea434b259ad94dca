from __future__ import annotations

import subprocess
from types import SimpleNamespace

from cl_localization import __version__
from cl_localization.evaluation import provenance


def test_provenance_names_version_and_machine() -> None:
    found = provenance.provenance()
    assert found["version"] == __version__
    assert found["processor"] and found["cores"] >= 1


def test_there_is_no_commit_where_git_is_not(monkeypatch) -> None:
    def missing(*arguments: object, **options: object) -> None:
        raise FileNotFoundError("git")

    monkeypatch.setattr(subprocess, "run", missing)
    assert provenance.commit() == ""


def test_a_failing_git_gives_no_commit(monkeypatch) -> None:
    monkeypatch.setattr(
        subprocess, "run", lambda *arguments, **options: SimpleNamespace(returncode=128, stdout="fatal")
    )
    assert provenance.commit() == ""
