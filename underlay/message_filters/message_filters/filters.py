"""What can be joined: something with messages that calls back."""

from __future__ import annotations

from typing import Any, Callable

from rclpy.node import Node


class SimpleFilter:
    """Something with output: calls every registered callback with each."""

    def __init__(self) -> None:
        self.callbacks: dict[int, tuple[Callable[..., None], tuple[Any, ...]]] = {}

    def registerCallback(self, callback: Callable[..., None], *args: Any) -> int:  # noqa: N802, the real name
        """Call `callback` with each output, followed by `args`; return the connection's number."""
        connection = len(self.callbacks)
        self.callbacks[connection] = (callback, args)
        return connection

    def signalMessage(self, *messages: Any) -> None:  # noqa: N802, the real name
        """Hand an output to all callbacks."""
        for callback, args in self.callbacks.values():
            callback(*messages, *args)


class Subscriber(SimpleFilter):
    """A subscription as a filter: node, message type, topic, and keywords of `create_subscription` (qos_profile: 10)."""

    def __init__(self, node: Node, msg_type: Any, topic: str, **kwargs: Any) -> None:
        super().__init__()
        self.node, self.topic = node, topic
        kwargs.setdefault("qos_profile", 10)
        self.sub = node.create_subscription(msg_type, topic, self.callback, **kwargs)

    def callback(self, message: Any) -> None:
        """Pass a message on."""
        self.signalMessage(message)

    def getTopic(self) -> str:  # noqa: N802, the real name
        """Return the topic's name as it was given."""
        return self.topic
