"""`view`: shows a map, or running nodes, in the browser."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from cl_localization.cli.flags import argument
from cl_localization.cli.tables import output_console, warn_of_parts
from cl_localization.errors import ConfigError

MAX_PORT = 65535
INSTALL_VISER = "scripts/run pip install -c requirements/constraints.txt -e '.[view]'"


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """Show a map in the browser: its codes, coloured by height, and its keyframes. Ctrl-C stops it.

    With --live, show what a running mapper and localizer publish: map, keyframes, robot, track, overlay and status; of
    a localizer without a mapper give its map, too.

    Needs the package viser, which is not installed by default. In the checkout: scripts/run pip install -c
    requirements/constraints.txt -e '.[view]'
    """

    map: Path | None = argument("Map file; needed without --live.", None, metavar="MAP", positional=True)
    live: bool = argument("Show running nodes; needs ROS 2.", False)
    namespace: str = argument("Namespace of the nodes.", "")
    host: str = argument("Address to listen on; 0.0.0.0 allows other machines.", "127.0.0.1")
    port: int = argument("Port to listen on, 1 to 65535; where it is taken, the next free one.", 8080)
    point_size_m: float = argument("Displayed size of a code [m].", 0.01)


def run(arguments: Arguments) -> int:
    """Serve the map or the nodes until Ctrl-C; return the exit code."""
    if arguments.map is None and not arguments.live:
        raise ConfigError("view", "needs a map file", "none", "give one, or --live for running nodes")
    if not 1 <= arguments.port <= MAX_PORT:
        raise ConfigError("--port", f"must lie in 1 to {MAX_PORT}", arguments.port)
    viser = import_viser()
    live_view = import_live_view() if arguments.live else None
    from cl_localization.map.map_file import load_map
    from cl_localization.viz.viewer import show_map

    map_code = None if arguments.map is None else load_map(arguments.map)
    if map_code is not None:
        warn_of_parts(arguments.map, map_code)
    server = viser.ViserServer(host=arguments.host, port=arguments.port)
    try:
        with contextlib.suppress(KeyboardInterrupt):
            if map_code is not None:
                show_map(server, map_code, arguments.point_size_m)
            with contextlib.nullcontext() if live_view is None else live_view(server, arguments):
                address = f"http://{arguments.host}:{server.get_port()}"  # the next one where it is taken
                output_console().print(f"{arguments.map or 'the nodes'} at {address}, Ctrl-C stops it")
                threading.Event().wait()
    finally:
        server.stop()
    return 0


def import_viser() -> ModuleType:
    """Return the module viser; raises ConfigError if it is not installed."""
    try:
        import viser
    except ImportError as error:
        raise ConfigError("view", "needs the package viser", error, f"in the checkout: {INSTALL_VISER}") from error
    return viser


def import_live_view() -> Any:
    """Return what shows running nodes on a server; raises ConfigError where ROS or our messages are missing."""
    try:
        from cl_localization.ros.live_view import LiveView
    except ImportError as error:
        raise ConfigError("view --live", "needs ROS 2 and the built messages of this package", error,
                          "start it with scripts/run, which sets both up") from error
    from cl_localization.viz.viewer import LiveScene

    return lambda server, arguments: LiveView(LiveScene(server, arguments.point_size_m), arguments.namespace)
