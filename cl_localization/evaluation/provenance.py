"""Provenance of a result: version, commit and machine."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

from cl_localization import __version__


def provenance() -> dict[str, str | int]:
    """Return version, commit ("" outside a checkout), Python version, processor and its usable cores."""
    return {"version": __version__, "commit": commit(), "python": platform.python_version(),
            "processor": processor_name(), "cores": os.cpu_count() or 0}


def commit() -> str:
    """Return the commit of this checkout, with "+" if files were changed; "" if it is not a checkout."""
    folder = Path(__file__).resolve().parents[2]
    if not (folder / "package.xml").is_file():
        return ""
    command = ["git", "-C", str(folder), "describe", "--always", "--abbrev=12", "--exclude=*", "--dirty=+"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return found.stdout.strip() if found.returncode == 0 else ""


def processor_name() -> str:
    """Return the processor's model name if known, else its architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.machine()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()
