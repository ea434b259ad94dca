"""The README's five commands, one after the other, on a made capture of a phone."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cl_localization.cli.main import main
from cl_localization.data import open_sequence
from cl_localization.data.trajectory import read_trajectory
from cl_localization.geometry.se3 import pose_error
from data.layout_makers import r3d, without_symmetry
from source_files import REPOSITORY

CAPTURE = "sim:7?rooms=1&size=336x248[80:120]"
HEADING = "## Without ROS: a capture of your own in five commands"


def five_commands() -> list[list[str]]:
    """Return the words of the commands that stand under the heading of the README."""
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    block = re.search(r"```bash\n(.*?)```", text[text.index(HEADING):], re.DOTALL)[1]
    return [shlex.split(line, comments=True) for line in block.splitlines()][:5]


def run(words: list[str]) -> None:
    assert words[0] == "cl_localization" and main(words[1:]) == 0


def test_the_first_command_installs_this_package_with_what_the_others_need() -> None:
    program, *words = five_commands()[0]
    offline = ["--dry-run", "--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--report", "-"]
    done = subprocess.run([sys.executable, "-m", program, *words, *offline], cwd=REPOSITORY, capture_output=True,
                          text=True, check=False)
    assert done.returncode == 0, done.stderr
    ours, = json.loads(done.stdout)["install"]
    assert ".[phone,view]" in words and {"phone", "view"} <= set(ours["metadata"]["provides_extra"])


def test_the_others_make_a_map_a_trajectory_a_report_and_a_view_of_a_capture(tmp_path: Path, monkeypatch, capsys,
                                                                            fake_viser: list) -> None:
    pytest.importorskip("lzfse")
    _, mapping, localizing, evaluating, viewing = five_commands()
    monkeypatch.chdir(tmp_path)
    truth = without_symmetry(open_sequence(CAPTURE))
    r3d(tmp_path / "walk", truth)

    run(mapping)
    assert Path("walk.safetensors").is_file()

    run(localizing)
    found = read_trajectory(Path("poses.txt"))
    errors_m = [pose_error(found.at(frame.stamp_ns, 0), frame.world_T_cam)[0] for frame in truth[1::2]]
    assert len(found.stamps_ns) == 20 and np.median(errors_m) < 0.01

    run(evaluating)
    assert "median translation" in Path("report.html").read_text()

    run(viewing)
    assert "at http://127.0.0.1:8080" in capsys.readouterr().out and fake_viser[-1].stopped
