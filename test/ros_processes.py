"""The nodes as processes, for tests that kill them."""

from __future__ import annotations

import os
import subprocess
import sys

MODULES = {"localizer": "localizer_node", "mapper": "mapper_node", "sequence_player": "sequence_player_node"}


class Processes:
    """Starts our nodes as processes and ends them after the test."""

    def __init__(self, domain: int) -> None:
        self.environment = {**os.environ, "ROS_DOMAIN_ID": str(domain)}
        self.started: list[subprocess.Popen] = []

    def start(self, node: str, *arguments: str) -> subprocess.Popen:
        """Start a node with --ros-args arguments."""
        command = [sys.executable, "-m", f"cl_localization.ros.{MODULES[node]}", "--ros-args", *arguments]
        self.started.append(subprocess.Popen(command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
        return self.started[-1]

    def close(self) -> None:
        """Kill what still runs."""
        for process in self.started:
            process.kill()
            process.communicate()
