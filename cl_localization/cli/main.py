"""The program `cl_localization`: finds and runs the module of a command, and prints errors as one line.

A command's module is imported only for that command, and heavy packages only when it runs, so that help is fast.
"""

from __future__ import annotations

import importlib
import logging
import sys
from pathlib import Path
from types import ModuleType

from rich.console import Console
from rich.logging import RichHandler
from rich.markup import escape

import cl_localization
from cl_localization import __version__
from cl_localization.cli.flags import option_file, parse
from cl_localization.cli.interrupts import EXIT_INTERRUPTED
from cl_localization.cli.outputs import check_files
from cl_localization.cli.tables import error_console
from cl_localization.errors import ConfigError, LocalizationError, did_you_mean, missing_package

COMMANDS = {
    "demo": "map online and relocalize a kidnapped robot, with the real nodes: table and plot",
    "map": "build or extend a map from posed sequences",
    "compress": "make a map few kilobytes small: learned codes in place of grown ones",
    "localize": "write the trajectory of a sequence in a map (TUM format)",
    "evaluate": "compare a sequence's poses with ground truth: table and JSON",
    "info": "show the contents of a map",
    "view": "show a map in the browser",
    "plot": "plot maps, trajectories and evaluations",
    "bag": "convert a sequence to rosbag2, and back",
    "export": "a sequence or a map for other tools: COLMAP, transforms.json, TUM",
    "train": "train a network: seqmatchnet, hscnet, ace, attention, nerf",
    "test": "test a trained network: seqmatchnet, hscnet, ace, attention, nerf",
    "bench": "measure the tables of docs/benchmarks.md on this machine",
    "config": "write a file with every option, its default and its help",
}
"""Every command with its one-line help."""

GROUPS = {
    "train": {"seqmatchnet": "image descriptors for sequence matching, from two traverses of the same places",
              "hscnet": "scene coordinates with HSCNet or SCRNet, for scenes in order or all at once",
              "ace": "scene coordinates with ACE: a small head on encoder features, from images with poses",
              "attention": "the ACE-G regressor shared by all scenes, on many scenes",
              "nerf": "a radiance field of posed images, offline, in tasks or online"},
    "test": {"seqmatchnet": "place recognition recall with image sequences",
             "hscnet": "poses of test images with HSCNet or SCRNet", "ace": "poses of test images with ACE",
             "attention": "poses in a scene that the shared regressor was not trained on",
             "nerf": "quality of a radiance field's renders of held-out views"},
}
"""Commands that are followed by a method."""

METHOD_ROOMS = {"seqmatchnet": "seqmatchnet", "hscnet": "hscnet", "ace": "ace", "attention": "ace_g", "nerf": "nerf_cl"}
GROUP_MODULES = {"train": "cli_train", "test": "cli_eval"}
OTHER_MODULES = {"demo": "cl_localization.demo.command", "bench": "benchmarks.bench"}
"""Modules of the commands that are neither in `cli/` nor methods in `research/`."""

PROGRAM = "cl_localization"
EXIT_ERROR = 1


def main(argv: list[str] | None = None) -> int:
    """Run one command and return the exit code: 0, 1 after an error, 130 after Ctrl-C.

    Args:
        argv: the words after the program's name; None: those of the process.
    """
    argv = sys.argv[1:] if argv is None else list(argv)
    debug = "--debug" in argv
    argv = [word for word in argv if word != "--debug"]
    show_log(debug)
    try:
        return dispatch(argv)
    except KeyboardInterrupt:
        error_console().print("[red]interrupted[/red]")
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()  # else Python reports the broken pipe again at exit
        return EXIT_ERROR
    except Exception as error:  # users get one line, developers the traceback with --debug
        return report(error, debug)


def dispatch(argv: list[str]) -> int:
    """Run the command named by the first word of `argv`.

    Raises:
        ConfigError: an unknown command or method; the nearest one is suggested.
        DataError: an output that cannot be written, or that would replace what must be kept.
    """
    if not argv or argv[0] in ("-h", "--help", "help"):
        Console().print(overview(), highlight=False, soft_wrap=True)
        return 0 if argv else EXIT_ERROR
    if argv[0] == "--version":
        Console().print(f"{PROGRAM} {__version__}", highlight=False)
        return 0
    if argv[0] in GROUPS and (len(argv) < 2 or argv[1] in ("-h", "--help")):
        Console().print(group_overview(argv[0]), highlight=False, soft_wrap=True)
        return 0 if len(argv) > 1 else EXIT_ERROR
    module, words, program = find_command(argv)
    arguments = parse(module.Arguments, words, program)
    if arguments is None:
        return 0
    check_files(arguments, option_file(words))
    return int(module.run(arguments))


def find_command(argv: list[str]) -> tuple[ModuleType, list[str], str]:
    """Return the module of the command in `argv`, its remaining words, and its name for the help.

    Raises:
        ConfigError: an unknown command or method.
    """
    name, words = argv[0], argv[1:]
    if name not in COMMANDS:
        raise ConfigError(f"command {name!r}", "is unknown", remedy=did_you_mean(name, COMMANDS))
    parts = [name]
    module_name = OTHER_MODULES.get(name, f"cl_localization.cli.{name}")
    if name in GROUPS:
        method, words = (words[0], words[1:]) if words else ("", [])
        if method not in GROUPS[name]:
            raise ConfigError(f"method {method!r} of {name}", "is unknown", remedy=did_you_mean(method, GROUPS[name]))
        parts.append(method)
        module_name = f"cl_localization.research.{METHOD_ROOMS[method]}.{GROUP_MODULES[name]}"
    module = importlib.import_module(module_name) if name != "bench" else benchmarks_module(module_name)
    understood = getattr(module, "understood", list)  # some commands accept other names of their options
    return module, understood(words), " ".join([PROGRAM, *parts])


def benchmarks_module(name: str) -> ModuleType:
    """Return a module of the benchmarks, which exist only in a checkout of the repository.

    Raises:
        ConfigError: the package is installed without a checkout.
    """
    checkout = Path(cl_localization.__file__).resolve().parents[1]
    if not (checkout / "benchmarks" / "__init__.py").is_file():
        raise ConfigError("command 'bench'", "needs a checkout of the repository",
                          remedy="run it there, with scripts/run cl_localization bench")
    if str(checkout) not in sys.path:
        sys.path.append(str(checkout))
    return importlib.import_module(name)


def group_overview(name: str) -> str:
    """Return the help of a command that is followed by a method, as rich markup."""
    methods = "\n".join(f"  [bold]{method}[/bold]  {text}" for method, text in GROUPS[name].items())
    return f"usage: {PROGRAM} {name} METHOD ...\n\n{methods}\n\n  {PROGRAM} {name} METHOD --help   its options"


def overview() -> str:
    """Return the help of the program as rich markup."""
    width = max(map(len, COMMANDS))
    commands = "\n".join(f"  [bold]{name:<{width}}[/bold]  {text}" for name, text in COMMANDS.items())
    return (
        f"usage: {PROGRAM} COMMAND ...\n\n"
        "Continual visual localization: online mapping, camera poses without a prior.\n\n"
        f"{commands}\n\n"
        f"  {PROGRAM} COMMAND --help   the options of a command, with their defaults and units\n"
        f"  {PROGRAM} --version\n"
        "  --debug                          with any command: log everything, show the traceback of an error\n\n"
        "examples:\n"
        f"  {PROGRAM} map sim:7 --out house.map\n"
        f"  {PROGRAM} evaluate house.map 'sim:7?path=tracking' --json result.json"
    )


def report(error: BaseException, debug: bool) -> int:
    """Print an error as one red line on stderr, or with its traceback, and return the exit code."""
    console = error_console()
    if debug:
        console.print_exception()
    console.print(f"[bold red]error:[/bold red] [red]{escape(one_line(error))}[/red]", soft_wrap=True)
    return EXIT_ERROR


def one_line(error: BaseException) -> str:
    """Return an error's text on one line; with its type if it is no `LocalizationError`."""
    text = " ".join(str(error).split())
    if isinstance(error, LocalizationError):
        return text
    if isinstance(error, ModuleNotFoundError):
        return missing_package(error)
    return f"unexpected {type(error).__name__}: {text}; run again with --debug for the traceback"


def show_log(debug: bool) -> None:
    """Show the package's log on stderr: warnings and errors, or everything with `debug`."""
    logger = logging.getLogger("cl_localization")
    logger.handlers = [RichHandler(console=error_console(), show_path=debug, show_time=debug, markup=False)]
    logger.setLevel(logging.DEBUG if debug else logging.WARNING)
    logger.propagate = False
    notes = logging.getLogger("cl_localization.data.notes")
    notes.handlers, notes.level, notes.propagate = [NoteHandler()], logging.INFO, False


class NoteHandler(logging.Handler):
    """Prints what the reader of a sequence assumed, one line each, on stderr."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print one note."""
        error_console().print(f"[yellow]note:[/yellow] {escape(record.getMessage())}", soft_wrap=True)
