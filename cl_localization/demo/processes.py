"""The demo's node processes: started in a domain of their own, their output in files, and ended whatever happens."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from cl_localization.errors import RosError

ENDING_S = 3.0


class NodeProcesses:
    """A group of node processes; leaving the context ends them all."""

    def __init__(self, domain: int, folder: Path) -> None:
        """Start nodes in a ROS domain, with one log file each in `folder`."""
        self._environment = {**os.environ, "ROS_DOMAIN_ID": str(domain)}
        self._environment.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
        self._folder = folder
        self._started: dict[str, tuple[subprocess.Popen, IO[bytes]]] = {}

    def __enter__(self) -> NodeProcesses:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.end(*self._started)

    def start(self, module: str, name: str, parameters: dict[str, Any], remaps: dict[str, str] | None = None) -> None:
        """Start `python -m cl_localization.ros.nodes.MODULE` as the node `name`, or several nodes in one process as
        they are named."""
        arguments = ["--ros-args", *(() if module == "composed" else ("-r", f"__node:={name}"))]
        for topic, other in (remaps or {}).items():
            arguments += ["-r", f"{topic}:={other}"]
        for parameter, value in parameters.items():
            arguments += ["-p", f"{parameter}:={_yaml(value)}"]
        log = (self._folder / f"{name}.log").open("wb")
        # a process group of its own: Ctrl-C in the terminal is for the demo, which then ends its nodes itself. Not a
        # session: Linux shares the CPU out between sessions first, and a niceness would then not count between nodes.
        process = subprocess.Popen([sys.executable, "-m", f"cl_localization.ros.nodes.{module}", *arguments],
                                   env=self._environment,
                                   stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, process_group=0)
        self._started[name] = process, log

    def process_id(self, name: str) -> int:
        """Return the number of the process of a node."""
        return self._started[name][0].pid

    def check(self) -> None:
        """Raise RosError with the end of its log if a node has ended by itself."""
        for name, (process, _) in self._started.items():
            if process.poll() is not None:
                lines = (self._folder / f"{name}.log").read_text(errors="replace").splitlines()[-3:]
                raise RosError(f"node {name}", "must run to the end of the demo", f"exit code {process.returncode}",
                               f"its log {self._folder / name}.log ends: {' | '.join(lines)}")

    def end(self, *names: str) -> None:
        """End nodes: SIGINT first, SIGKILL for who does not heed it."""
        ending = [self._started.pop(name) for name in names if name in self._started]
        for process, _ in ending:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
        deadline_s = time.monotonic() + ENDING_S
        for process, log in ending:
            try:
                process.wait(max(0.1, deadline_s - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            log.close()


def _yaml(value: Any) -> str:
    """Return a value as --ros-args reads it; texts are quoted, so that `on` stays a text."""
    if isinstance(value, bool):
        return str(value).lower()
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else repr(value)
