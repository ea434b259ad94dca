"""The base class of the nodes: parameters, lifecycle, cleanup, error logging, and services that run in a worker so that
they do not block the executor."""

from __future__ import annotations

import traceback
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future as TaskFuture
from contextlib import AbstractContextManager, ExitStack, nullcontext
from typing import Any

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile
from rclpy.service import Service
from rclpy.subscription import Subscription
from rclpy.task import Future
from rclpy.timer import Timer

from cl_localization.config import Config
from cl_localization.errors import LocalizationError
from cl_localization.ros.nodes.parameters import LiveConfig, declare
from cl_localization.ros.workers.worker import Worker

SUCCESS, FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE


class ManagedNode(LifecycleNode):
    """A lifecycle node whose subclasses implement `set_up` (configure) and `start` (activate).

    Resources are released in reverse order from two stacks: `configured` on cleanup, `active` on deactivation.

    Attributes:
        config: the current parameters.
        shares_process: whether the process has other nodes.
        turn: context manager entered for the work on each item, so that nodes of one process take turns.
        end_process: call to end the process; set by `run_nodes`.
        exit_code: that of the process, unless another node has a larger one; not 0 if something was lost.
    """

    def __init__(self, name: str, config: Config, beside: Sequence[Config] = (),
                 turn: Callable[[], AbstractContextManager] = nullcontext, **kwargs: Any) -> None:
        """Declare the parameters of `config`; `kwargs` go to rclpy's node.

        Args:
            beside: configs of the other nodes in the process; their parameters are ignored, not unknown.
            turn: see the attribute.

        Raises:
            ConfigError: a parameter that is unknown or outside its range.
        """
        super().__init__(name, automatically_declare_parameters_from_overrides=True, **kwargs)
        self.configured, self.active = ExitStack(), ExitStack()
        self._services_group = MutuallyExclusiveCallbackGroup()
        self._live = LiveConfig(self, declare(self, config, beside), self._apply)
        self.config: Any = self._live.config
        self.shares_process, self.turn = bool(beside), turn
        self.exit_code = 0
        self.end_process: Callable[[], None] = lambda: None

    def set_up(self) -> None:
        """Create what lives while the node is configured: models, publishers."""

    def start(self) -> None:
        """Create what lives while the node is active: threads, subscriptions, services, timers."""

    def reconfigure(self) -> None:
        """Use the new values of live parameters in `config`."""

    def publisher(self, message_type: type, topic: str, qos: QoSProfile | int = 10) -> Publisher:
        """Return a publisher that lives while the node is configured."""
        made: Publisher = self.create_publisher(message_type, topic, qos)
        self.configured.callback(self.destroy_publisher, made)
        return made

    def hear(self, message_type: type, topic: str, callback: Callable[[Any], None], qos: QoSProfile | int = 1,
             **kwargs: Any) -> None:
        """Call back with what is published on a topic while the node is active; `kwargs` go to rclpy."""
        made: Subscription = self.create_subscription(message_type, topic, callback, qos, **kwargs)
        self.active.callback(self.destroy_subscription, made)

    def service(self, service_type: type, name: str, callback: Callable[[Any, Any], Awaitable[Any]]) -> None:
        """Offer a service while the node is active, and then until what was asked before is answered; the callback
        group of services keeps slow ones off topics."""
        offered = OfferedService(self, callback)
        offered.service = self.create_service(service_type, name, offered.answer, callback_group=self._services_group)
        self.active.callback(offered.end)

    def every(self, period_s: float, callback: Callable[[], Any]) -> Timer:
        """Call periodically while the node is active, on a steady clock: simulated time may stop or jump back."""
        timer: Timer = self.create_timer(period_s, callback, clock=Clock(clock_type=ClockType.STEADY_TIME))
        self.active.callback(self.destroy_timer, timer)
        return timer

    def bring_up(self) -> bool:
        """Configure and activate the node if `autostart` is set; return whether that succeeded."""
        if not self.config.autostart:
            return True
        return self.trigger_configure() == SUCCESS and self.trigger_activate() == SUCCESS

    def close(self) -> None:
        """Stop working and release everything, in any state."""
        self.active.close()
        self.configured.close()

    def destroy_node(self) -> None:
        """Leave the network, with the state machine: rclpy leaves that to the garbage collector, and until it comes the
        node is still seen, and the participant of its context keeps threads, sockets and shared memory."""
        self._state_machine.destroy_when_not_in_use()
        super().destroy_node()

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Run `set_up`; release everything if it fails."""
        return self._guarded(self.set_up, self.configured)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Run `start`; release everything it created if it fails."""
        done = self._guarded(self.start, self.active)
        if done == SUCCESS:
            self.get_logger().info("active")
        return done

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop; models and map stay loaded."""
        return self._guarded(self.active.close, self.active)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release everything; also on shutdown and after an error, and the node can be configured again."""
        return self._guarded(self.close, self.configured)

    on_shutdown = on_error = on_cleanup

    def report(self, error: BaseException) -> None:
        """Log an error, at most one per second: a `LocalizationError` as one line, others with traceback."""
        if not self.context.ok():
            return
        known = isinstance(error, LocalizationError)
        text = str(error) if known else "".join(traceback.format_exception(error))
        self.get_logger().error(text, throttle_duration_sec=1.0)

    def _guarded(self, step: Callable[[], None], made: ExitStack) -> TransitionCallbackReturn:
        """Run a transition and log its exception, which rclpy would not."""
        try:
            step()
            return SUCCESS
        except Exception as error:
            self.report(error)
            made.close()
            return FAILURE

    def _apply(self, config: Config) -> None:
        self.config = config
        self.reconfigure()


class OfferedService:
    """A service that ends once what was asked of it is answered: rclpy sends an answer after the callback has returned
    it, and raises InvalidHandle in the executor if the service is gone by then."""

    def __init__(self, node: Node, callback: Callable[[Any, Any], Awaitable[Any]]) -> None:
        """Offer nothing yet; `callback` answers a request."""
        self._node, self._callback = node, callback
        self._unanswered, self._ending = 0, False
        self.service: Service | None = None

    async def answer(self, request: Any, response: Any) -> Any:
        """Answer a request; the callback of the service."""
        self._unanswered += 1
        try:
            return await self._callback(request, response)
        finally:
            self._unanswered -= 1
            if self._ending and self._node.executor is not None:
                self._node.executor.create_task(self.end)

    def end(self) -> None:
        """Destroy the service, now or once nothing is unanswered."""
        self._ending = True
        if not self._unanswered and self.service is not None:
            self._node.destroy_service(self.service)


def worker_service(
    node: ManagedNode, worker: Worker, work: Callable[[Any, Any], None]
) -> Callable[[Any, Any], Awaitable[Any]]:
    """Return the callback of a service that runs `work(request, response)` in the worker; see `answer_later`."""
    return answer_later(node, lambda request, response: worker.run(lambda: work(request, response)))


def answer_later(node: ManagedNode, begin: Callable[[Any, Any], TaskFuture]) -> Callable[[Any, Any], Awaitable[Any]]:
    """Return the callback of a service that answers when the future of `begin(request, response)` is done.

    An error sets `success` and `message` of the response; one that is no `LocalizationError` is also logged.
    """
    async def callback(request: Any, response: Any) -> Any:
        response.success, response.message = True, "ok"
        executor = node.executor
        done: Future = Future(executor=executor)

        def settle(settled: Any) -> None:
            done.set_result(settled)
            if executor is not None:
                executor.wake()  # else it goes on when something else is ready: an inactive node has no timers

        begin(request, response).add_done_callback(settle)
        settled: Any = await done
        error = settled.exception()
        if error is not None:
            response.success, response.message = False, str(error)
            if not isinstance(error, LocalizationError):
                node.report(error)
        return response
    return callback
