"""What the README tells people to type exists and parses; the quick ones run."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from dataclasses import fields

import pytest

from cl_localization.cli.flags import parse
from cl_localization.cli.main import COMMANDS, GROUPS, find_command, main
from cl_localization.config import flatten
from cl_localization.errors import LocalizationError
from cl_localization.research.seqmatchnet.original_names import TEST_NAMES, TRAIN_NAMES
from source_files import REPOSITORY

README = REPOSITORY / "README.md"
RUNNERS = (["scripts/run", "cl_localization"], ["cl_localization"], ["python3", "-m", "cl_localization"],
           ["scripts/run", "python3", "-m", "cl_localization"])
QUICK = ("config", "--help", "--version")
OTHER_PROGRAMS_FLAGS = {"--help", "--version", "--debug", "--config", "--ros-args", "--symlink-install", "--cmake-args",
                        "--packages-select", "--packages-up-to", "--clock", "--remap", "--params-file", "--recursive",
                        "--from-paths", "--ignore-src", "--once", "--loop", "--show-args"}

pytestmark = pytest.mark.skipif(not README.is_file(), reason="there is no README.md yet")


def code_lines() -> Iterator[str]:
    """Yield the lines of the README's code blocks, those that end in a backslash joined with the next."""
    text = README.read_text(encoding="utf-8") if README.is_file() else ""
    for block in re.findall(r"^ *```(?:bash|sh|console|shell)?\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE):
        yield from (line.strip().removeprefix("$ ") for line in block.replace("\\\n", " ").splitlines())


def our_commands() -> list[list[str]]:
    """Return the words after the program's name of every line that calls it."""
    found = []
    for line in code_lines():
        if not line.startswith(("scripts/run ", "cl_localization ", "python3 -m cl_localization ")):
            continue
        words = shlex.split(line, comments=True)
        found += [words[len(runner):] for runner in RUNNERS if words[:len(runner)] == runner]
    return found


def flag_names() -> set[str]:
    """Return every flag of every command."""
    names = set()
    commands = [[command] for command in COMMANDS if command not in GROUPS]
    commands += [[command, method] for command, methods in GROUPS.items() for method in methods]
    for words in commands:
        for spec in fields(find_command(words)[0].Arguments):
            if "settings" in spec.metadata:
                prefix = spec.metadata["settings"]
                leaves = [leaf for leaf, _, _ in flatten(spec.default_factory())]
                names |= {"--" + f"{prefix}.{leaf}".lstrip(".").replace("_", "-") for leaf in leaves}
            else:
                names.add("--" + spec.name.replace("_", "-"))
    return names | set(TRAIN_NAMES) | set(TEST_NAMES)


def test_the_readme_shows_our_commands() -> None:
    assert {"map", "evaluate"} <= {words[0] for words in our_commands()}


def test_every_command_in_the_readme_parses() -> None:
    faults = {}
    for words in our_commands():
        if words[0] not in ("--help", "--version"):
            try:
                module, rest, program = find_command(words)
                parse(module.Arguments, rest, program)
            except LocalizationError as error:
                faults[" ".join(words)] = str(error)
    assert faults == {}


def test_quick_commands_in_the_readme_run(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    quick = [words for words in our_commands() if words[0] in QUICK or "--help" in words]
    assert [words for words in quick if main(words) != 0] == []


def test_every_flag_that_the_readme_mentions_exists() -> None:
    mentioned = set(re.findall(r"(?<![\w-])--[a-z][\w.-]*\w", README.read_text(encoding="utf-8")))
    assert mentioned - OTHER_PROGRAMS_FLAGS <= flag_names()


def test_every_script_that_the_readme_calls_is_there_and_can_be_run() -> None:
    scripts = set(re.findall(r"(?<![\w/.])scripts/\w+", README.read_text(encoding="utf-8")))
    assert scripts
    assert [script for script in scripts if not os.access(REPOSITORY / script, os.X_OK)] == []


def test_every_file_that_the_readme_links_to_is_there() -> None:
    links = re.findall(r"\]\((?!https?://|#|mailto:)([^)#\s]+)", README.read_text(encoding="utf-8"))
    assert [link for link in links if not (REPOSITORY / link).exists()] == []
