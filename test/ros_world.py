"""What the ROS tests share: nodes in a domain of their own, spun in a thread; waiting with deadlines, never a fixed
sleep."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")

WAIT_S = 120.0  # for a machine that is very busy: what is waited for comes within seconds on a quiet one
POLL_S = 0.01
ASK_AGAIN_S = 30.0


def wait_until(condition: Callable[[], Any], timeout_s: float = WAIT_S) -> Any:
    """Wait until a condition holds and return it; fail at the deadline."""
    pause, deadline_s = threading.Event(), time.monotonic() + timeout_s
    while not (value := condition()):
        assert time.monotonic() < deadline_s, "deadline passed"
        pause.wait(POLL_S)
    return value


def participants() -> int:
    """Number of DDS participants of this process: each has a thread for its events."""
    names = []
    for name in Path("/proc/self/task").glob("*/comm"):
        with suppress(OSError):  # the thread has ended
            names.append(name.read_text(encoding="ascii"))
    return sum(name.startswith("dds.ev.") for name in names)


class RosWorld:
    """A context with nodes that are spun in a thread, alone in its domain."""

    def __init__(self, domain: int) -> None:
        import rclpy
        from rclpy.context import Context
        from rclpy.executors import SingleThreadedExecutor
        from rclpy.signals import SignalHandlerOptions

        self.domain = domain
        self.context = Context()
        rclpy.init(context=self.context, domain_id=domain, signal_handler_options=SignalHandlerOptions.NO)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.nodes: list[Any] = []
        self.node = self.add(rclpy.create_node("test", context=self.context))
        self.thread = threading.Thread(target=self._spin, daemon=True)
        self.thread.start()

    def _spin(self) -> None:
        """Spin until the end; what a test destroys meanwhile, the executor may still have been about to wait for."""
        from rclpy._rclpy_pybind11 import InvalidHandle

        spinning = True
        while spinning:
            with suppress(InvalidHandle):
                self.executor.spin()
                spinning = False

    def add(self, node: Any) -> Any:
        """Spin a node until the end of the test."""
        self.nodes.append(node)
        self.executor.add_node(node)
        return node

    def start(self, node_class: type, name: str = "", **parameters: Any) -> Any:
        """Make one of our nodes, bring it up and spin it; `a__b` is the parameter a.b."""
        from rclpy.parameter import Parameter

        overrides = [Parameter(key.replace("__", "."), value=value) for key, value in parameters.items()]
        arguments = ["--ros-args", "-r", f"__node:={name}"] if name else None
        node = self.add(node_class(context=self.context, parameter_overrides=overrides, cli_args=arguments))
        assert node.bring_up()
        return node

    def end(self, node: Any) -> None:
        """End a node before the test does."""
        self.nodes.remove(node)
        self.executor.remove_node(node)
        if hasattr(node, "close"):
            node.close()
        node.destroy_node()

    def heard(self, message_type: type, topic: str, qos: Any = 10) -> list[Any]:
        """Return a list that grows with what is published on a topic."""
        messages: list[Any] = []
        self.node.create_subscription(message_type, topic, messages.append, qos)
        return messages

    def call(self, service_type: Any, name: str, request: Any = None) -> Any:
        """Call a service and return its response; again while none comes, since DDS drops an answer to a client that
        the server has not discovered yet."""
        client = self.node.create_client(service_type, name)
        wait_until(client.service_is_ready)
        began_s, futures = time.monotonic(), []

        def answer() -> Any:
            if time.monotonic() - began_s >= ASK_AGAIN_S * len(futures):
                futures.append(client.call_async(request or service_type.Request()))
            return next((future for future in futures if future.done()), None)

        return wait_until(answer).result()

    def close(self) -> None:
        """End all nodes."""
        import rclpy

        self.executor.shutdown(timeout_sec=WAIT_S)
        self.thread.join(WAIT_S)
        for node in list(self.nodes):
            self.end(node)
        rclpy.try_shutdown(context=self.context)
