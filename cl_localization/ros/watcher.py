"""A node that only watches others, with a context and a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile
from rclpy.signals import SignalHandlerOptions

from cl_localization.errors import LocalizationError

QUEUE = 100
REPORT_PERIOD_S = 5.0


class Watcher:
    """Hears topics until it is closed; a context manager."""

    def __init__(self, name: str, domain: int | None = None, namespace: str = "") -> None:
        """Open a node in a ROS domain, None for that of the environment, and spin it in a thread."""
        self._context = Context()
        rclpy.init(context=self._context, domain_id=domain, signal_handler_options=SignalHandlerOptions.NO)
        self._node = rclpy.create_node(name, context=self._context, namespace=namespace)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._thread = threading.Thread(target=self._executor.spin, name=name, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._executor.shutdown(timeout_sec=1.0)
        self._thread.join(1.0)
        self._node.destroy_node()
        rclpy.try_shutdown(context=self._context)

    def hear(self, kind: type, topic: str, callback: Callable[[Any], None], qos: QoSProfile | int = QUEUE) -> None:
        """Call back, in the watcher's thread, with what is published on a topic; what cannot be read is logged."""
        def guarded(message: Any) -> None:
            try:
                callback(message)
            except LocalizationError as error:
                self._node.get_logger().warning(f"{topic}: {error}", throttle_duration_sec=REPORT_PERIOD_S)
        self._node.create_subscription(kind, topic, guarded, qos)
