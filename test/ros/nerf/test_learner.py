"""The thread that learns a radiance field: its share of the time, what it does first, and how it ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("cl_localization.msg", reason="ROS 2 or the built messages are not here: run scripts/test")

from cl_localization.errors import RosError
from cl_localization.nerf.live import LiveField
from cl_localization.ros.nerf.learner import SAVED_UP_S, WAITING, Keyframe, Life, NerfLearner, TimeBudget
from cl_localization.ros.nodes.config import NerfNodeConfig
from live_makers import SMALL, room_frames
from ros_world import WAIT_S, wait_until


class Node:
    """As much of a node as the learner needs; `tick` is its timer."""

    shares_process = False

    def __init__(self) -> None:
        self.config = SimpleNamespace(nerf=NerfNodeConfig(seconds_per_second=1.0), niceness=0, threads=1)
        self.active, self.errors, self.turn = ExitStack(), [], nullcontext
        self.report = self.errors.append

    def every(self, period_s: float, callback: Any) -> None:
        self.tick = callback


@pytest.fixture
def node() -> Iterator[Node]:
    node = Node()
    yield node
    node.active.close()


def test_time_is_earned_in_its_share_saved_up_for_a_while_and_spent() -> None:
    now_s = 0.0
    budget = TimeBudget(0.2, lambda: now_s)
    assert budget.earn() == 0.0
    now_s = 2.0
    assert budget.earn() == pytest.approx(0.4)
    with budget.spend():
        now_s = 3.0
    assert budget.left_s == pytest.approx(-0.6) and budget.earn() == pytest.approx(-0.4)
    now_s = 1000.0
    assert budget.earn() == SAVED_UP_S
    with budget.spend(price=4.0):
        now_s += 0.5
    assert budget.left_s == pytest.approx(SAVED_UP_S - 2.0)


def test_of_too_many_keyframes_every_second_one_waits_on_and_the_newest_is_first() -> None:
    life, frame = Life(LiveField(SMALL)), room_frames(1)[0]
    for stamp in range(WAITING + 1):
        life.offer(Keyframe(replace(frame, stamp_ns=stamp)))
    assert [life.newest().frame.stamp_ns for _ in range(len(life))] == [WAITING, *range(WAITING - 1, 0, -2)]


def test_each_keyframe_is_learned_for_some_steps_before_the_next_is_taken(node: Node) -> None:
    life = Life(LiveField(SMALL))
    NerfLearner(node, life, lambda: True)
    for frame in room_frames(5):
        life.offer(Keyframe(frame))
    early = []

    def done() -> bool:
        node.tick()
        keyframes, steps = life.field.keyframes, life.field.steps  # in this order: the thread goes on in between
        early.extend([(keyframes, steps)] * (steps < SMALL.settle_steps * (keyframes - 1)))
        return keyframes == 3

    wait_until(done)
    assert early == []
    assert life.size_bytes > 0 and not node.errors


def test_nothing_is_learned_when_it_may_not(node: Node) -> None:
    life = Life(LiveField(SMALL))
    learner = NerfLearner(node, life, lambda: False)
    life.offer(Keyframe(room_frames(1)[0]))
    done: list[bool] = []
    for _ in range(3):
        node.tick()
    learner.ask("look", lambda: done.append(True))
    wait_until(lambda: done)
    assert life.field.keyframes == 0 and len(life) == 1


def test_failures_are_reported_and_the_thread_goes_on(node: Node) -> None:
    learner = NerfLearner(node, Life(LiveField(SMALL)), lambda: True)

    def fail() -> None:
        raise RosError("view", "must be known", "nowhere")

    learner.ask("show", fail)
    wait_until(lambda: node.errors)
    assert learner.problem == "radiance field: view must be known, found nowhere"
    learner.ask("show", lambda: None)
    wait_until(lambda: not learner.problem)


def test_a_waiting_task_is_queued_once_per_name(node: Node) -> None:
    import threading
    learner, go_on, done = NerfLearner(node, Life(LiveField(SMALL)), lambda: True), threading.Event(), []
    learner.ask("first", lambda: go_on.wait(WAIT_S))
    for number in range(5):
        learner.ask("show", lambda number=number: done.append(number))
    go_on.set()
    wait_until(lambda: done)
    assert done == [0]


def test_no_piece_of_work_begins_once_the_thread_is_to_end(node: Node) -> None:
    learner = NerfLearner(node, Life(LiveField(SMALL)), lambda: True)
    with learner.turn():
        pass
    learner.stop()
    with pytest.raises(RosError, match="radiance field must be in use"), learner.turn():
        pass
    learner.ask("show", lambda: None)
    assert not node.errors
