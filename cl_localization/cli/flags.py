"""Makes command-line flags from dataclasses: every option of a config is a flag with its help, range and default.

The fields of a command's `Arguments` are made by `argument`, or by `settings` for a whole config. Flags override the
YAML file given with `--config`, which overrides the defaults.
"""

from __future__ import annotations

import contextlib
import io
import re
import sys
from argparse import ArgumentParser
from collections.abc import Iterable
from dataclasses import MISSING, field, fields
from functools import partial
from inspect import getdoc
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, get_type_hints

import tyro
from tyro.constructors import ConstructorRegistry, StructConstructorSpec, StructFieldSpec, StructTypeInfo

from cl_localization.config import Config, Option, flatten, with_values
from cl_localization.errors import ConfigError, did_you_mean
from cl_localization.option_names import present_name, with_present_names
from cl_localization.option_text import range_text

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Parsed = TypeVar("Parsed", bound="DataclassInstance")

_PARSER_MARKERS = (tyro.conf.FlagCreatePairsOff,)


Writes = Literal["file", "map", "folder", "files"]
"""What an output is: "folder" is one that is written as a whole, "files" one that gets files; see
`cl_localization.cli.outputs.check_files`."""


def argument(help: str, default: Any = MISSING, metavar: str | None = None, positional: bool = False,
             writes: Writes | None = None) -> Any:
    """Return a dataclass field that is a flag, or a positional word, of a command.

    Args:
        help: one sentence.
        default: default value; without one it is required.
        metavar: placeholder of its value in the help.
        positional: whether it is a positional word.
        writes: what the command writes to this path; None: nothing, a path is read.
    """
    return field(default=default, metadata={"argument": (help, metavar, positional), "writes": writes})


def settings(config_class: type[Config], prefix: str = "") -> Any:
    """Return a dataclass field whose leaf options are all flags: `--prefix.section.option-name`."""
    return field(default_factory=config_class, metadata={"settings": prefix})


def parse(arguments_class: type[Parsed], argv: list[str], program: str) -> Parsed | None:
    """Return the parsed arguments of a command, or None after printing its help.

    Args:
        arguments_class: dataclass of `argument` and `settings` fields; its docstring is the command's help.
        argv: the words after the command.
        program: the command as shown in the help.

    Raises:
        ConfigError: an unknown flag or key, a missing word, or a value of the wrong type or outside its range.
    """
    argv = _with_present_flags(argv)
    configs = {spec.name: spec.default_factory() for spec in fields(arguments_class)  # type: ignore[operator]
               if "settings" in spec.metadata}
    prefixes = {spec.name: spec.metadata["settings"] for spec in fields(arguments_class) if spec.name in configs}
    if configs and not {"-h", "--help"} & set(argv):
        configs = _with_file(configs, prefixes, argv)
    registry = ConstructorRegistry()
    registry.struct_rule(_config_flags)
    registry.struct_rule(partial(_command_flags, arguments_class, configs, prefixes))
    return _run_parser(arguments_class, registry, argv, program)


def _with_present_flags(argv: list[str]) -> list[str]:
    """Return the words with old option names replaced; removed options are dropped with their values."""
    words, rest = [], iter(argv)
    for word in rest:
        flag, equals, value = word.partition("=")
        name = flag.removeprefix("--").replace("-", "_")
        now = present_name(name) if flag.startswith("--") else name
        if now is None and not equals:
            next(rest, None)
        elif now is not None:
            words.append(word if now == name else f"--{now}{equals}{value}")
    return words


def _with_file(defaults: dict[str, Config], prefixes: dict[str, str], argv: list[str]) -> dict[str, Config]:
    """Return the configs with the values of the `--config` file, if there is one."""
    path = option_file(argv)
    if path is None:
        return defaults
    known = {prefixes[name] + ("." if prefixes[name] else "") + leaf: (name, leaf)
             for name, config in defaults.items() for leaf, _, _ in flatten(config)}
    values: dict[str, dict[str, Any]] = {name: {} for name in defaults}
    for key, value in read_option_file(path, known).items():
        name, leaf = known[key]
        values[name][leaf] = value
    return {name: with_values(config, values[name]) for name, config in defaults.items()}


def option_file(argv: list[str]) -> Path | None:
    """Return the file that `--config` names among the words of a command."""
    finder = ArgumentParser(add_help=False, allow_abbrev=False)
    finder.add_argument("--config", type=Path, nargs="?")  # where the file is missing, tyro says so later
    path: Path | None = finder.parse_known_args(argv)[0].config
    return path


def _command_flags(arguments_class: type, configs: dict[str, Config], prefixes: dict[str, str],
                   info: StructTypeInfo) -> StructConstructorSpec | None:
    """Tell tyro the flags and words of a command; None for another type."""
    if info.type is not arguments_class:
        return None
    hints, flags = get_type_hints(arguments_class), []
    kind: Any
    for spec in fields(arguments_class):
        if spec.name in configs:
            config = configs[spec.name]
            kind = Annotated[type(config), tyro.conf.arg(name=prefixes[spec.name], prefix_name=True)]
            flags.append(StructFieldSpec(spec.name, kind, config))
        else:
            help_text, metavar, positional = spec.metadata["argument"]
            kind = Annotated[hints[spec.name], tyro.conf.arg(metavar=metavar)]
            word: Any = tyro.conf.Positional
            default = tyro.MISSING if spec.default is MISSING else spec.default
            flags.append(StructFieldSpec(spec.name, word[kind] if positional else kind, default, helptext=help_text))
    if configs:
        help_text = "YAML file of options, which flags override; `cl_localization config` writes one."
        kind = Annotated[Path | None, tyro.conf.arg(metavar="FILE")]
        flags.append(StructFieldSpec("config", kind, None, helptext=help_text))
    return StructConstructorSpec(lambda config=None, **values: arguments_class(**values), tuple(flags))


def _config_flags(info: StructTypeInfo) -> StructConstructorSpec | None:
    """Tell tyro the flags of a config's options, with its values as defaults; None for another type."""
    if not isinstance(info.default, Config):
        return None
    flags = []
    for spec in fields(info.default):
        value = getattr(info.default, spec.name)
        if isinstance(value, Config):
            flags.append(StructFieldSpec(spec.name, type(value), value))
            continue
        given: Option = spec.metadata["option"]
        kind: Any = Literal[given.choices] if given.choices else type(value)
        flags.append(StructFieldSpec(spec.name, kind, value, helptext=given.help + range_text(given)))
    return StructConstructorSpec(type(info.default), tuple(flags))


def _run_parser(arguments_class: type[Parsed], registry: ConstructorRegistry, argv: list[str],
                program: str) -> Parsed | None:
    """Return the parsed arguments, or None after printing the help."""
    errors = io.StringIO()
    try:
        with contextlib.redirect_stderr(errors):
            return tyro.cli(arguments_class, args=argv, prog=program, config=_PARSER_MARKERS, registry=registry,
                            description=getdoc(arguments_class))
    except SystemExit as stop:
        if stop.code in (0, None):
            return None
    sys.stderr.flush()
    rule = _first_words(errors.getvalue())
    raise ConfigError(program, rule, remedy=f"see `{program} --help`")


def _first_words(report: str) -> str:
    """Return tyro's boxed error report, a title and sections between lines, as one line: message and suggestion."""
    sections: list[list[str]] = [[]]
    for line in report.splitlines():
        words = line.strip("│╭╮╰╯─ \t")
        if line.startswith("╭") or not words.strip("-"):
            sections.append([])
        if words.strip("-"):
            sections[-1].append(re.sub(r"\s+", " ", words))
        if line.startswith("╭"):
            sections.append([])
    facts = [section for section in sections if section][1:]
    kept = [section for section in facts if not section[0].startswith(("Argument helptext", "For full"))]
    return "cannot be run: " + "; ".join(" ".join(_gist(section)) for section in kept)


def _gist(section: list[str]) -> list[str]:
    """Return the lines of a report's section without the help of the flags it names."""
    if section[0].startswith("Missing from"):
        return ["Missing", *(line for line in section[1:] if line.startswith("--") or line.isupper())]
    return section[:2] if section[0].startswith("Perhaps") else section


def read_option_file(path: Path, known: Iterable[str]) -> dict[str, Any]:
    """Return the values of a YAML file by dotted name.

    Args:
        path: the file; `map_code: {cell_size_m: 0.03}` and `map_code.cell_size_m: 0.03` are equivalent.
        known: known names.

    Raises:
        DataError: the file cannot be read, or is no mapping.
        ConfigError: it contains an unknown name.
    """
    from cl_localization.data.files import read_yaml_mapping

    known = set(known)
    values = with_present_names(_flattened(read_yaml_mapping(path), ""), known)
    for name in values:
        if name not in known:
            raise ConfigError(f"option file {path}", f"contains the unknown option {name}",
                              remedy=did_you_mean(name, sorted(known)))
    return values


def _flattened(content: dict[Any, Any], prefix: str) -> dict[str, Any]:
    """Return nested mappings as one with dotted names."""
    values: dict[str, Any] = {}
    for key, value in content.items():
        if isinstance(value, dict):
            values.update(_flattened(value, f"{prefix}{key}."))
        else:
            values[f"{prefix}{key}"] = value
    return values
