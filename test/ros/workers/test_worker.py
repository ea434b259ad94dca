"""The worker: newest item, every task, clean end."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from cl_localization.errors import RosError
from cl_localization.ros.workers.worker import Worker
from ros_world import WAIT_S


class Gate:
    """Work that waits to be let through."""

    def __init__(self) -> None:
        self.entered, self.open, self.done = threading.Event(), threading.Event(), []

    def __call__(self, item: int) -> None:
        self.entered.set()
        assert self.open.wait(WAIT_S)
        self.done.append(item)


def fail(error: Exception) -> None:
    raise AssertionError(error)


def test_only_the_newest_of_waiting_items_is_worked_on_and_drops_are_counted() -> None:
    gate = Gate()
    worker = Worker(gate, fail)
    worker.offer(0)
    assert gate.entered.wait(WAIT_S)
    for item in (1, 2, 3):
        worker.offer(item)
    gate.open.set()
    worker.run(lambda: None).result(WAIT_S)
    assert worker.dropped == 2
    while worker.processed < 2:
        worker.run(lambda: None).result(WAIT_S)
    assert gate.done == [0, 3]
    assert worker.stop()


def test_tasks_are_done_though_the_item_before_them_is_dropped_while_it_waits_for_its_turn() -> None:
    waits, may_go = threading.Event(), threading.Event()

    @contextmanager
    def turn() -> Iterator[None]:
        waits.set()
        assert may_go.wait(WAIT_S)
        yield

    worker = Worker(lambda item: None, fail, turn=turn)
    worker.offer(0)
    assert waits.wait(WAIT_S)
    task = worker.run(lambda: "done")
    worker.stop(timeout_s=0.0)
    may_go.set()
    assert task.result(WAIT_S) == "done" and worker.stop() and worker.processed == 0


def test_tasks_are_done_in_order_before_the_next_item_and_give_their_results() -> None:
    gate, order = Gate(), []
    worker = Worker(lambda item: (gate(item), order.append("item")), fail)
    worker.offer(0)
    assert gate.entered.wait(WAIT_S)
    worker.offer(1)
    futures = [worker.run(lambda number=number: order.append(number) or number) for number in range(3)]
    gate.open.set()
    assert [future.result(WAIT_S) for future in futures] == [0, 1, 2]
    assert order[:4] == ["item", 0, 1, 2]
    assert worker.stop()


def test_an_item_that_raises_is_reported_and_the_worker_goes_on() -> None:
    errors, worked = [], threading.Event()

    def work(item: int) -> None:
        if item == 0:
            raise ValueError("bad item")
        worked.set()

    worker = Worker(work, errors.append)
    worker.offer(0)
    worker.run(lambda: None).result(WAIT_S)
    while worker.processed < 1:
        worker.run(lambda: None).result(WAIT_S)
    worker.offer(1)
    assert worked.wait(WAIT_S)
    assert [str(error) for error in errors] == ["bad item"]
    assert worker.stop()


def test_a_task_that_raises_gives_its_error_to_who_asked() -> None:
    worker = Worker(lambda item: None, fail)
    with pytest.raises(ZeroDivisionError):
        worker.run(lambda: 1 / 0).result(WAIT_S)
    assert worker.stop()


def test_stopping_finishes_waiting_tasks_and_refuses_new_ones() -> None:
    gate = Gate()
    worker = Worker(gate, fail)
    worker.offer(0)
    assert gate.entered.wait(WAIT_S)
    waiting = worker.run(lambda: "done")
    gate.open.set()
    assert worker.stop(WAIT_S)
    assert waiting.result(0) == "done"
    with pytest.raises(RosError, match="has stopped"):
        worker.run(lambda: None).result(0)


def test_too_many_tasks_are_refused() -> None:
    gate = Gate()
    worker = Worker(gate, fail, max_tasks=1)
    worker.offer(0)
    assert gate.entered.wait(WAIT_S)
    worker.run(lambda: None)
    with pytest.raises(RosError, match="takes at most 1 tasks"):
        worker.run(lambda: None).result(0)
    gate.open.set()
    assert worker.stop(WAIT_S)


def test_a_worker_that_hangs_is_given_up_at_the_deadline() -> None:
    gate = Gate()
    worker = Worker(gate, fail)
    worker.offer(0)
    assert gate.entered.wait(WAIT_S)
    assert not worker.stop(0.05)
    gate.open.set()
    assert worker.stop(WAIT_S)


def test_errors_of_a_worker_that_did_not_end_in_time_are_not_reported() -> None:
    gate, errors = Gate(), []

    def work(item: int) -> None:
        gate(item)
        raise RosError("publisher", "must live")

    worker = Worker(work, errors.append)
    worker.offer(0)
    assert gate.entered.wait(WAIT_S)
    assert not worker.stop(0.01)
    gate.open.set()
    assert worker.stop(WAIT_S) and errors == []
