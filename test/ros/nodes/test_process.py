"""What the core logs comes in the log of ROS, with its severity, as long as that is wanted."""

from __future__ import annotations

import logging

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not here: run scripts/test")

from cl_localization.ros.nodes.process import forward_logs


def test_the_core_speaks_in_the_log_of_ros(capfd) -> None:
    logger = logging.getLogger("cl_localization.features")
    end = forward_logs()
    try:
        logger.debug("%d details", 3)
        logger.info("runs with %s", "onnx")
        logger.warning("does not work")
        logger.error("is lost")
    finally:
        end()
    logger.warning("nobody hears this")
    said = "".join(capfd.readouterr())
    assert "details" not in said
    assert [f"[{severity}]" in line and text in line for severity, text, line in zip(
        ("INFO", "WARN", "ERROR"), ("runs with onnx", "does not work", "is lost"),
        [line for line in said.splitlines() if "[cl_localization]" in line], strict=True)] == [True] * 3
