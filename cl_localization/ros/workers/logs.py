"""What the core logs, in the log of ROS."""

from __future__ import annotations

import logging
from collections.abc import Callable

import rclpy.logging

LOGGER = "cl_localization"


class RosLogHandler(logging.Handler):
    """Hands log records to ROS, with their severity."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log a record; each severity has a line of its own here, as ROS wants it."""
        logger = rclpy.logging.get_logger(LOGGER)
        if record.levelno >= logging.ERROR:
            logger.error(record.getMessage())
        elif record.levelno >= logging.WARNING:
            logger.warning(record.getMessage())
        else:
            logger.info(record.getMessage())


def forward_logs() -> Callable[[], None]:
    """Hand what the core logs, debugging aside, to ROS; return how to end that."""
    core, handler = logging.getLogger(LOGGER), RosLogHandler(logging.INFO)
    before = core.level
    core.addHandler(handler)
    core.setLevel(logging.INFO)

    def end() -> None:
        core.removeHandler(handler)
        core.setLevel(before)
    return end
