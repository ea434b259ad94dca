"""Services that run in a worker, so that they do not block the executor."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from concurrent.futures import Future as TaskFuture
from typing import Any

from rclpy.task import Future

from cl_localization.errors import LocalizationError
from cl_localization.ros.nodes.managed_node import ManagedNode
from cl_localization.ros.workers.worker import Worker


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
        done: Future = Future(executor=node.executor)
        begin(request, response).add_done_callback(done.set_result)
        error = (await _settled(done)).exception()
        if error is not None:
            response.success, response.message = False, str(error)
            if not isinstance(error, LocalizationError):
                node.report(error)
        return response
    return callback


async def _settled(done: Future) -> Any:
    return await done
