from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cl_localization import __version__
from cl_localization.cli import config as config_command
from cl_localization.cli.main import COMMANDS, main
from cl_localization.errors import DataError

REPOSITORY = Path(__file__).resolve().parents[2]
HEAVY = ("torch", "cv2", "matplotlib", "scipy", "faiss", "rclpy", "rosbags")


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["help"]])
def test_help_lists_every_command(words: list[str], capsys) -> None:
    assert main(words) == 0
    text = capsys.readouterr().out
    assert all(f"  {name} " in text for name in COMMANDS)


def test_no_command_prints_the_help_and_fails(capsys) -> None:
    assert main([]) == 1
    assert "usage: cl_localization COMMAND" in capsys.readouterr().out


def test_the_version_is_that_of_the_package(capsys) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"cl_localization {__version__}\n"


def test_every_command_has_help(capsys) -> None:
    def helps(name: str) -> bool:
        return main([name, "--help"]) == 0 and f"usage: cl_localization {name}" in capsys.readouterr().out

    assert [name for name in COMMANDS if not helps(name)] == []


def test_an_unknown_command_is_one_line_with_a_suggestion(capsys) -> None:
    assert main(["evalute"]) == 1
    streams = capsys.readouterr()
    assert streams.err == "error: command 'evalute' is unknown; did you mean evaluate?\n" and streams.out == ""
    assert main(["zzz"]) == 1
    assert "known are demo, map" in capsys.readouterr().err


def raising(error: BaseException):
    """A command's run that fails."""
    def run(arguments: object) -> int:
        raise error
    return run


def test_an_error_is_one_line_and_exit_code_1(monkeypatch, capsys) -> None:
    error = DataError("image [a].png", "is\ntruncated", remedy="copy it again " + "x" * 300)
    monkeypatch.setattr(config_command, "run", raising(error))
    assert main(["config", "mapper"]) == 1
    text = capsys.readouterr().err
    assert text.startswith("error: image [a].png is truncated; copy it again xxx") and text.count("\n") == 1


def test_a_bug_is_one_line_too_that_says_how_to_see_more(monkeypatch, capsys) -> None:
    monkeypatch.setattr(config_command, "run", raising(ZeroDivisionError("division by zero")))
    assert main(["config", "mapper"]) == 1
    text = capsys.readouterr().err
    assert text == "error: unexpected ZeroDivisionError: division by zero; run again with --debug for the traceback\n"


def test_a_package_that_is_missing_is_named_with_how_to_get_it(monkeypatch, capsys) -> None:
    error = ModuleNotFoundError("No module named 'torch'", name="torch.nn")
    monkeypatch.setattr(config_command, "run", raising(error))
    assert main(["config", "mapper"]) == 1
    assert "error: the Python package torch is missing; run scripts/setup and start" in capsys.readouterr().err


@pytest.mark.parametrize("program", ["localizer", "mapper", "composed", "sequence_player"])
def test_a_node_whose_packages_are_missing_says_so_in_one_line(program: str) -> None:
    code = f"import runpy, sys; sys.modules['rclpy'] = None; runpy.run_path({str(REPOSITORY / 'nodes' / program)!r})"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and done.stderr.startswith("error: the Python package rclpy is missing; run scripts/")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("words", [["--debug", "config", "mapper"], ["config", "mapper", "--debug"]])
def test_debug_shows_the_traceback(words: list[str], monkeypatch, capsys) -> None:
    monkeypatch.setattr(config_command, "run", raising(DataError("image", "is truncated")))
    assert main(words) == 1
    assert "Traceback" in capsys.readouterr().err


def test_an_interrupt_is_exit_code_130(monkeypatch, capsys) -> None:
    monkeypatch.setattr(config_command, "run", raising(KeyboardInterrupt()))
    assert main(["config", "mapper"]) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_quick_commands_load_nothing_heavy() -> None:
    commands = [["--help"], ["--version"], ["map", "--help"], ["demo", "--help"], ["bench", "--help"],
                ["config", "mapper"]]
    program = ("import sys\nfrom cl_localization.cli.main import main\n"
               f"for words in {commands!r}:\n"
               f"    print(words, main(words), [name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)")
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stderr.splitlines() == [f"{words} 0 []" for words in commands]


def test_the_package_runs_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cl_localization", "nothing"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: command 'nothing' is unknown")
