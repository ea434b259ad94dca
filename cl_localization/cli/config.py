"""`config`: writes a file with every option, for `--config`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cl_localization.cli.flags import argument
from cl_localization.cli.outputs import write_text
from cl_localization.cli.tables import output_console
from cl_localization.config import LocalizerConfig, MapperConfig
from cl_localization.option_text import options_yaml

KINDS = {"mapper": MapperConfig, "localizer": LocalizerConfig}


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """Write a YAML file with every option of the mapper or the localizer: default, help and range.

    Edit it and pass it to `map`, `localize` or `evaluate` with --config FILE; flags override the file.
    """

    kind: Literal["mapper", "localizer"] = argument("Which options.", positional=True)
    out: Path | None = argument("File to write; default: print it.", None, metavar="FILE", writes="file")


def run(arguments: Arguments) -> int:
    """Print or write the file; return the exit code."""
    text = options_yaml(KINDS[arguments.kind]())
    if arguments.out is None:
        output_console().print(text, end="", markup=False, soft_wrap=True)
        return 0
    write_text(arguments.out, text)
    return 0
