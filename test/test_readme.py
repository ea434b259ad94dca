"""What README and docs tell people to type exists and parses; the quick ones run."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import fields
from pathlib import Path

from benchmarks import code_pretraining
from cl_localization.cli.flags import parse
from cl_localization.cli.main import COMMANDS, GROUPS, find_command, main
from cl_localization.config import flatten
from cl_localization.errors import LocalizationError
from cl_localization.research.hscnet.original_names import NAMES as HSCNET_NAMES
from cl_localization.research.hscnet.original_names import RUN_NAMES as HSCNET_RUN_NAMES
from cl_localization.research.nerf_cl.original_names import TEST_NAMES as NERF_TEST_NAMES
from cl_localization.research.nerf_cl.original_names import TRAIN_NAMES as NERF_NAMES
from cl_localization.research.seqmatchnet.original_names import TEST_NAMES as PLACE_TEST_NAMES
from cl_localization.research.seqmatchnet.original_names import TRAIN_NAMES as PLACE_NAMES
from source_files import REPOSITORY

README = REPOSITORY / "README.md"
DOCUMENTS = [README, *sorted((REPOSITORY / "docs").glob("*.md"))]
RUNNERS = (["scripts/run", "cl_localization"], ["cl_localization"], ["python3", "-m", "cl_localization"],
           ["scripts/run", "python3", "-m", "cl_localization"])
BENCHMARK = ["scripts/run", "python", "-m", "benchmarks.code_pretraining"]
"""A program of its own that takes arguments as the commands do."""
SHELLS = ("", "bash", "sh", "console", "shell")
QUICK = ("config", "--help", "--version")
OTHER_PROGRAMS_FLAGS = {"--help", "--version", "--debug", "--config", "--ros-args", "--symlink-install", "--cmake-args",
                        "--packages-select", "--packages-up-to", "--clock", "--remap", "--params-file", "--recursive",
                        "--from-paths", "--ignore-src", "--os", "--simulate", "--skip-keys", "--once", "--loop",
                        "--show-args", "--nproc_per_node", "--image_path", "--workspace_path",
                        "--long", "--build-arg", "--tag", "--default-yes", "--system-site-packages",
                        "--mode", "--normalize", "--num_iters_per_epoch", "--online_buffer_fill_mode"}


def code_lines(documents: Iterable[Path] = DOCUMENTS) -> Iterator[str]:
    """Yield the lines of the documents' code blocks, those that end in a backslash joined with the next."""
    for text in (document.read_text(encoding="utf-8") for document in documents):
        for language, block in re.findall(r"^ *```(\w*)\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE):
            if language in SHELLS:
                yield from (line.strip().removeprefix("$ ") for line in block.replace("\\\n", " ").splitlines())


def our_commands(documents: Iterable[Path] = DOCUMENTS) -> list[list[str]]:
    """Return the words after the program's name of every line that calls it, each once."""
    found = {}
    for line in code_lines(documents):
        if line.startswith(("scripts/run ", "cl_localization ", "python3 -m cl_localization ")):
            words = shlex.split(line, comments=True)
            if words[:3] == BENCHMARK[:3] and words[3].startswith("benchmarks."):
                continue
            found[line] = next(words[len(runner):] for runner in RUNNERS if words[:len(runner)] == runner)
    return list(found.values())


def flag_names() -> set[str]:
    """Return every flag of every command and the prefixes that they share, with hyphens, which may be underscores."""
    names = {f"--{spec.name}" for spec in fields(code_pretraining.Arguments)}
    commands = [[command] for command in COMMANDS if command not in GROUPS]
    commands += [[command, method] for command, methods in GROUPS.items() for method in methods]
    for words in commands:
        for spec in fields(find_command(words)[0].Arguments):
            if "settings" in spec.metadata:
                prefix = spec.metadata["settings"]
                leaves = [leaf for leaf, _, _ in flatten(spec.default_factory())]
                names |= {"--" + f"{prefix}.{leaf}".lstrip(".").replace("_", "-") for leaf in leaves}
            else:
                names.add(("--no-" if spec.default is True else "--") + spec.name.replace("_", "-"))
    sections = {name.rsplit(".", 1)[0] for name in names if "." in name}
    originals = {*NERF_NAMES, *NERF_TEST_NAMES, *HSCNET_NAMES, *HSCNET_RUN_NAMES, *PLACE_NAMES, *PLACE_TEST_NAMES}
    return {name.replace("_", "-") for name in names | sections | originals}


def test_the_readme_shows_our_commands() -> None:
    assert {"map", "evaluate"} <= {words[0] for words in our_commands([README])}


def test_every_command_in_the_documents_parses() -> None:
    faults = {}
    for words in our_commands():
        if words[0] not in ("--help", "--version"):
            try:
                module, rest, program = find_command(words)
                parse(module.Arguments, rest, program)
            except LocalizationError as error:
                faults[" ".join(words)] = str(error)
    assert faults == {}


def test_the_benchmark_in_the_documents_parses() -> None:
    lines = [shlex.split(line) for line in code_lines()]
    called = [words[len(BENCHMARK):] for words in lines if words[:len(BENCHMARK)] == BENCHMARK]
    assert called and all(parse(code_pretraining.Arguments, words, BENCHMARK[-1]) for words in called)


def test_quick_commands_in_the_documents_run(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    quick = [words for words in our_commands() if words[0] in QUICK or "--help" in words]
    assert quick and [words for words in quick if main(words) != 0] == []


def test_every_flag_that_the_documents_mention_exists() -> None:
    mentioned = {flag for document in DOCUMENTS
                 for flag in re.findall(r"(?<![\w-])--[a-zA-Z][\w.-]*\w", document.read_text(encoding="utf-8"))}
    known = flag_names()
    assert [flag for flag in sorted(mentioned - OTHER_PROGRAMS_FLAGS) if flag.replace("_", "-") not in known] == []


def test_every_test_that_the_documents_call_is_there() -> None:
    called = {word for line in code_lines() for word in line.split() if word.startswith("test/")}
    assert [word for word in called if not (REPOSITORY / word).exists()] == []


def test_every_script_that_the_documents_call_is_there_and_can_be_run() -> None:
    texts = [document.read_text(encoding="utf-8") for document in DOCUMENTS]
    scripts = {name for text in texts for name in re.findall(r"(?<![\w/.])scripts/\w+", text)}
    assert scripts
    assert [script for script in scripts if not os.access(REPOSITORY / script, os.X_OK)] == []
