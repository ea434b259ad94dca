"""The nodes as processes, for tests that kill, freeze and restart them."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

END_S = 10.0
BORN_S = 60.0  # in which a process that starts has long locked its segment


class Processes:
    """Starts our nodes as processes and ends them after the test.

    Attributes:
        log: where the processes write what they say; None for pipes, which a process that says much fills and then
            waits at.
        folder: where the processes are started; None for the present one.
    """

    def __init__(self, domain: int) -> None:
        self.log: Path | None = None
        self.folder: Path | None = None
        self.environment = {**os.environ, "ROS_DOMAIN_ID": str(domain)}
        self.started: list[subprocess.Popen] = []
        self._commands: dict[int, tuple[str, tuple[str, ...]]] = {}

    def start(self, node: str, *arguments: str) -> subprocess.Popen:
        """Start a node with --ros-args arguments."""
        command = [sys.executable, "-m", f"cl_localization.ros.nodes.{node}", "--ros-args", *arguments]
        output = subprocess.PIPE if self.log is None else self.log.open("a")
        process = subprocess.Popen(command, cwd=self.folder, env=self.environment, stdout=output,
                                   stderr=subprocess.STDOUT, text=True)
        self.started.append(process)
        self._commands[process.pid] = node, arguments
        return process

    def kill(self, process: subprocess.Popen) -> None:
        """Kill -9, at whatever the node is doing."""
        self.started.remove(process)
        process.kill()
        process.communicate()

    def restart(self, process: subprocess.Popen) -> subprocess.Popen:
        """Kill -9 a node and start it anew with the same arguments."""
        self.kill(process)
        node, arguments = self._commands[process.pid]
        return self.start(node, *arguments)

    def freeze(self, process: subprocess.Popen) -> None:
        """Stop a node in the middle of what it does; `thaw` lets it go on."""
        process.send_signal(signal.SIGSTOP)

    def thaw(self, process: subprocess.Popen) -> None:
        """Let a frozen node go on."""
        process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """End what still runs, kill what will not end, and print what each said, for the report of a test that failed.

        A process that is killed leaves its shared memory behind.
        """
        for process in self.started:
            process.send_signal(signal.SIGTERM)
            process.send_signal(signal.SIGCONT)
        for process in self.started:
            print(f"{process.args}: {_ended(process)}")


def mapper_process(arguments: list[str]) -> None:
    """Run a mapper as its program does, in a process that a fork server has made."""
    from cl_localization.ros.nodes import mapper

    os._exit(mapper.main(["--ros-args", *arguments]))


def _ended(process: subprocess.Popen) -> str | None:
    """End a process that was told to, and return what it said; nothing where that was read before."""
    if process.stdout is not None and process.stdout.closed:
        return None
    try:
        return process.communicate(timeout=END_S)[0]
    except subprocess.TimeoutExpired:
        process.kill()
        return process.communicate()[0]


def memory_bytes(process: subprocess.Popen) -> int:
    """Resident memory of a running process."""
    pages = int(Path(f"/proc/{process.pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def remove_dead_segments(folder: Path = Path("/dev/shm")) -> int:
    """Remove the shared memory that killed processes of Fast DDS left behind, and return how many segments went.

    The owner of a segment `fastdds_ID` holds a lock on `fastdds_ID_el` as long as it lives (`fastdds shm clean` goes by
    that, too). A few hundred kills would else fill the memory of the machine. A young segment may be that of a process
    that another test is just starting: it stays for the next call.
    """
    removed = 0
    for lock in folder.glob("fastdds_*_el"):
        segment = lock.with_name(lock.name.removesuffix("_el"))
        if "port" in lock.name or not segment.exists() or time.time() - lock.stat().st_mtime < BORN_S:
            continue
        with lock.open("rb") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                continue
            segment.unlink(missing_ok=True)
            lock.unlink(missing_ok=True)
            removed += 1
    return removed
