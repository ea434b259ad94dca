"""`view`: shows a map in the browser."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from cl_localization.cli.flags import argument
from cl_localization.cli.tables import output_console
from cl_localization.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """Show a map in the browser: its codes, coloured by height, and its keyframes. Ctrl-C stops it.

    Needs the package viser, which is not installed by default: pip install viser
    """

    map: Path = argument("Map file.", metavar="MAP", positional=True)
    host: str = argument("Address to listen on; 0.0.0.0 allows other machines.", "127.0.0.1")
    port: int = argument("Port to listen on.", 8080)
    point_size_m: float = argument("Displayed size of a code [m].", 0.01)


def run(arguments: Arguments) -> int:
    """Serve the map until Ctrl-C; return the exit code."""
    viser = import_viser()
    from cl_localization.map.map_file import load_map
    from cl_localization.viz.viewer import show_map

    map_code = load_map(arguments.map)
    server = viser.ViserServer(host=arguments.host, port=arguments.port)
    try:
        with contextlib.suppress(KeyboardInterrupt):
            show_map(server, map_code, arguments.point_size_m)
            output_console().print(f"{arguments.map} at http://{arguments.host}:{arguments.port}, Ctrl-C stops it")
            threading.Event().wait()
    finally:
        server.stop()
    return 0


def import_viser() -> ModuleType:
    """Return the module viser; raises ConfigError if it is not installed."""
    try:
        import viser
    except ImportError as error:
        raise ConfigError("view", "needs the package viser", error, "pip install viser") from error
    return viser
