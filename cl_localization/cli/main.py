"""The command `cl_localization`: finds the module of a command, runs it, and turns errors into one line.

Commands are imported only when they are asked for, and import what is heavy only when they run: help is quick.
"""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

from rich.console import Console
from rich.logging import RichHandler
from rich.markup import escape

import cl_localization
from cl_localization import __version__
from cl_localization.cli.flags import parse
from cl_localization.errors import ConfigError, LocalizationError

COMMANDS = {
    "demo": "map online, be kidnapped, find the pose again: real nodes, a table, a plot",
    "map": "build or grow a map from posed sequences",
    "localize": "write the trajectory of a sequence in a map (TUM format)",
    "evaluate": "compare a sequence's poses with the truth: table and JSON",
    "info": "what is in a map",
    "view": "look at a map in the browser",
    "plot": "figures of maps, trajectories and evaluations",
    "bag": "sequence to rosbag2, and back",
    "export": "a sequence or a map for other tools: COLMAP, transforms.json, TUM",
    "train": "train a network: seqmatchnet, hscnet, ace, attention, nerf",
    "test": "test a trained network: seqmatchnet, hscnet, ace, attention, nerf",
    "bench": "make the tables of docs/benchmarks.md again on this machine",
    "config": "write a file with every option, its default and its help",
}
"""Every command with its one-line help."""

GROUPS = {
    "train": {"seqmatchnet": "descriptors for matching sequences of images, from two traverses of the same places",
              "hscnet": "scene coordinates by HSCNet or SCRNet, of scenes one after the other or at once",
              "ace": "scene coordinates by a small head on an encoder's features, from poses alone",
              "attention": "the regressor of ACE-G that all scenes share, over many scenes",
              "nerf": "a radiance field of posed images, in one go, in tasks or online"},
    "test": {"seqmatchnet": "recall of places by sequences of images",
             "hscnet": "poses of test images by HSCNet or SCRNet", "ace": "poses of test images by ACE's head",
             "attention": "poses in a scene that the shared regressor never saw",
             "nerf": "how well a radiance field renders views it did not learn"},
}
"""Commands that are followed by a method."""

METHOD_ROOMS = {"seqmatchnet": "seqmatchnet", "hscnet": "hscnet", "ace": "ace", "attention": "ace_g", "nerf": "nerf_cl"}
GROUP_MODULES = {"train": "cli_train", "test": "cli_eval"}
OTHER_MODULES = {"demo": "cl_localization.demo.command", "bench": "benchmarks.bench"}
"""Where a command's `Arguments` and `run` are: those of methods in `research/`, the others in `cli/` unless they are
named here."""

PROGRAM = "cl_localization"
EXIT_ERROR, EXIT_INTERRUPTED = 1, 130


def main(argv: list[str] | None = None) -> int:
    """Run one command and return the exit code: 0, 1 after an error, 130 after Ctrl-C.

    Args:
        argv: the words after the program's name; None takes them from the process.
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
        sys.stderr.close()  # the reader of our output has gone; Python would complain of that once more at exit
        return EXIT_ERROR
    except Exception as error:  # the last one to see it: users get a line, developers the traceback with --debug
        return report(error, debug)


def dispatch(argv: list[str]) -> int:
    """Run the command that `argv` begins with.

    Raises:
        ConfigError: there is no such command or method; the nearest one is suggested.
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
    return 0 if arguments is None else module.run(arguments)


def find_command(argv: list[str]) -> tuple[ModuleType, list[str], str]:
    """Return the module of the command that `argv` begins with, the words that are left for it, and how it is called.

    Raises:
        ConfigError: there is no such command or method.
    """
    name, words = argv[0], argv[1:]
    if name not in COMMANDS:
        raise ConfigError(f"command {name!r}", "is unknown", remedy=suggestion(name, COMMANDS))
    parts = [name]
    module_name = OTHER_MODULES.get(name, f"cl_localization.cli.{name}")
    if name in GROUPS:
        method, words = (words[0], words[1:]) if words else ("", [])
        if method not in GROUPS[name]:
            raise ConfigError(f"method {method!r} of {name}", "is unknown", remedy=suggestion(method, GROUPS[name]))
        parts.append(method)
        module_name = f"cl_localization.research.{METHOD_ROOMS[method]}.{GROUP_MODULES[name]}"
    module = importlib.import_module(module_name) if name != "bench" else benchmarks_module(module_name)
    understood = getattr(module, "understood", list)  # some commands know other names for their options
    return module, understood(words), " ".join([PROGRAM, *parts])


def benchmarks_module(name: str) -> ModuleType:
    """Return a module of the benchmarks, which lie beside the package in a checkout and are not installed with it.

    Raises:
        ConfigError: this is an installed package without a checkout.
    """
    checkout = Path(cl_localization.__file__).resolve().parents[1]
    if not (checkout / "benchmarks" / "__init__.py").is_file():
        raise ConfigError("command 'bench'", "needs a checkout of the repository",
                          remedy="run it there, with scripts/run cl_localization bench")
    if str(checkout) not in sys.path:
        sys.path.append(str(checkout))
    return importlib.import_module(name)


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return what to do about an unknown command or method."""
    import difflib

    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"


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
        "Continual visual localization: maps that learn online, poses without a guess.\n\n"
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
    """Return an error's text on one line; one that is none of our own is named by its kind."""
    text = " ".join(str(error).split())
    if isinstance(error, LocalizationError):
        return text
    return f"unexpected {type(error).__name__}: {text}; run again with --debug for the traceback"


def error_console() -> Console:
    """Return a console on the present stderr."""
    return Console(stderr=True, highlight=False, emoji=False)


def show_log(debug: bool) -> None:
    """Send the package's log to stderr: warnings and worse, or everything."""
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
