"""What the nodes have in common: parameters, lifecycle, and a process that ends cleanly."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from typing import Any

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile

from cl_localization.config import Config
from cl_localization.errors import LocalizationError
from cl_localization.ros.nodes.parameters import LiveConfig, declare

SUCCESS, FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE


class ManagedNode(LifecycleNode):
    """A lifecycle node whose subclasses say how they `set_up` (configure) and `start` (activate).

    What they make is pushed on one of two stacks and released from them in reverse order, whatever happened:
    `configured` on cleanup, `active` on deactivation.

    Attributes:
        config: the parameters in force.
        shares_process: whether there are other nodes in the process; `turn` surrounds the work on an item there.
        end_process: asks the process to end; set by who runs the node.
    """

    def __init__(self, name: str, config: Config, beside: Sequence[Config] = (),
                 turn: Callable[[], AbstractContextManager] = nullcontext, **kwargs: Any) -> None:
        """Declare the parameters of `config`; `kwargs` go to rclpy's node.

        Args:
            beside: configs of the other nodes of the process, whose parameters may be given without saying which node
                is meant.
            turn: gives what surrounds the work on an item, where nodes of a process take turns.

        Raises:
            ConfigError: a parameter that is unknown or outside its range.
        """
        super().__init__(name, automatically_declare_parameters_from_overrides=True, **kwargs)
        self.configured, self.active = ExitStack(), ExitStack()
        self._services_group = MutuallyExclusiveCallbackGroup()
        self._live = LiveConfig(self, declare(self, config, beside), self._changed)
        self.config: Any = self._live.config
        self.shares_process, self.turn = bool(beside), turn
        self.end_process: Callable[[], None] = lambda: None

    def set_up(self) -> None:
        """Make what the node needs before it works: models, publishers, services."""

    def start(self) -> None:
        """Begin to work: threads, subscriptions, timers."""

    def reconfigured(self) -> None:
        """React to new values of live parameters in `config`."""

    def publisher(self, message_type: type, topic: str, qos: QoSProfile | int = 10) -> Publisher:
        """Return a publisher that lives while the node is configured."""
        made: Publisher = self.create_publisher(message_type, topic, qos)
        self.configured.callback(self.destroy_publisher, made)
        return made

    def service(self, service_type: type, name: str, callback: Callable) -> None:
        """Offer a service while the node is active, in a group of its own: a slow one holds up only the others."""
        made = self.create_service(service_type, name, callback, callback_group=self._services_group)
        self.active.callback(self.destroy_service, made)

    def every(self, period_s: float, callback: Callable[[], Any]) -> None:
        """Call back periodically while the node is active, by the wall clock: simulated time may stand still or go
        back."""
        timer = self.create_timer(period_s, callback, clock=Clock(clock_type=ClockType.STEADY_TIME))
        self.active.callback(self.destroy_timer, timer)

    def bring_up(self) -> bool:
        """Configure and activate if the parameter autostart says so; return whether that worked."""
        if not self.config.autostart:
            return True
        return self.trigger_configure() == SUCCESS and self.trigger_activate() == SUCCESS

    def close(self) -> None:
        """Stop working and release everything, in any state."""
        self.active.close()
        self.configured.close()

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Set up; what was made is released when that fails."""
        return self._guarded(self.set_up, self.configured)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Start; what was made is released when that fails."""
        return self._guarded(self.start, self.active)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop working; models and map stay."""
        return self._guarded(self.active.close, self.active)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release everything."""
        return self._guarded(self.close, self.configured)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release everything, for good."""
        return self._guarded(self.close, self.configured)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release everything; the node can be configured again."""
        return self._guarded(self.close, self.configured)

    def report(self, error: BaseException) -> None:
        """Log an error: one line for one raised on purpose, a traceback for any other; at most one a second."""
        if not self.context.ok():
            return
        known = isinstance(error, LocalizationError)
        text = str(error) if known else "".join(traceback.format_exception(error))
        self.get_logger().error(text, throttle_duration_sec=1.0)

    def _guarded(self, step: Callable[[], None], made: ExitStack) -> TransitionCallbackReturn:
        """Run a transition. rclpy would turn an exception into ERROR without a word."""
        try:
            step()
            return SUCCESS
        except Exception as error:
            self.report(error)
            made.close()
            return FAILURE

    def _changed(self, config: Config) -> None:
        self.config = config
        self.reconfigured()

