"""Every transition of every node, driven by services from another node as Nav2's lifecycle manager does."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest

pytest.importorskip("cl_localization.msg", reason="ROS 2 or the built messages are not here: run scripts/test")

from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.parameter import Parameter
from std_srvs.srv import Trigger

from cl_localization.ros.nodes.config import NodeConfig
from cl_localization.ros.nodes.localizer import LocalizerNode
from cl_localization.ros.nodes.managed_node import ManagedNode, answer_later
from cl_localization.ros.nodes.mapper import MapperNode
from cl_localization.ros.nodes.sequence_player import SequencePlayerNode
from ros_world import RosWorld, wait_until

SMALL = "sim:3?rooms=1&frames=2&size=64x64"
NODES: dict[str, tuple[type, dict[str, Any]]] = {
    "localizer": (LocalizerNode, {}), "mapper": (MapperNode, {}),
    "sequence_player": (SequencePlayerNode, {"sequence": SMALL, "loop": True, "rate": 0.01})}
WRONG: dict[str, dict[str, Any]] = {
    "localizer": {"map_file": "nowhere.safetensors"}, "mapper": {"encoder.weights": "nowhere.safetensors"},
    "sequence_player": {"sequence": "nowhere"}}
CONFIGURE, ACTIVATE, DEACTIVATE, CLEANUP = (Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE,
                                            Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_CLEANUP)


class Manager:
    """Drives one node from another."""

    def __init__(self, ros: RosWorld, name: str) -> None:
        self._ros, self._name = ros, name

    def change(self, transition: int) -> bool:
        """Ask for a transition; return whether it worked."""
        client = self._ros.node.create_client(ChangeState, f"/{self._name}/change_state")
        wait_until(client.service_is_ready)
        future = client.call_async(ChangeState.Request(transition=Transition(id=transition)))
        wait_until(future.done)
        return future.result().success

    def state(self) -> int:
        """The node's state."""
        return self._ros.call(GetState, f"/{self._name}/get_state").current_state.id


@pytest.fixture
def managed(ros: RosWorld) -> Callable[..., tuple[Any, Manager]]:
    """Makes a node that waits for its manager."""
    def make(name: str, **more: Any) -> tuple[Any, Manager]:
        node_class, parameters = NODES[name]
        overrides = [Parameter(key, value=value) for key, value in (parameters | {"autostart": False} | more).items()]
        node = ros.add(node_class(context=ros.context, parameter_overrides=overrides))
        assert node.bring_up()
        return node, Manager(ros, name)

    return make


def our_threads() -> set[str]:
    """Names of the threads that our nodes start."""
    return {thread.name for thread in threading.enumerate()} & {"localizer", "mapper", "playback"}


def all_joined() -> bool:
    """Whether none of them runs any more; one that renders a frame for longer than a process may take to end is given
    its time."""
    return bool(wait_until(lambda: not our_threads()))


@pytest.mark.parametrize("name", NODES)
def test_a_manager_drives_a_node_through_all_its_states_again_and_again(managed, name: str) -> None:
    _, manager = managed(name)
    assert manager.state() == State.PRIMARY_STATE_UNCONFIGURED
    for transition, state in ((CONFIGURE, State.PRIMARY_STATE_INACTIVE), (ACTIVATE, State.PRIMARY_STATE_ACTIVE),
                              (DEACTIVATE, State.PRIMARY_STATE_INACTIVE), (ACTIVATE, State.PRIMARY_STATE_ACTIVE),
                              (DEACTIVATE, State.PRIMARY_STATE_INACTIVE), (CLEANUP, State.PRIMARY_STATE_UNCONFIGURED),
                              (CONFIGURE, State.PRIMARY_STATE_INACTIVE),
                              (Transition.TRANSITION_INACTIVE_SHUTDOWN, State.PRIMARY_STATE_FINALIZED)):
        assert manager.change(transition), transition
        assert manager.state() == state


@pytest.mark.parametrize("name", NODES)
def test_no_thread_of_ours_is_left_after_deactivation(managed, name: str) -> None:
    node, manager = managed(name)
    assert all_joined()
    assert manager.change(CONFIGURE) and manager.change(ACTIVATE)
    assert our_threads()
    assert manager.change(DEACTIVATE)
    assert all_joined()
    assert manager.change(CLEANUP)
    assert not list(node.timers) and all(topic.topic_name.startswith(("/parameter_events", "/clock"))
                                         for topic in node.subscriptions)


@pytest.mark.parametrize("name", NODES)
def test_a_node_can_be_shut_down_while_it_is_active(managed, name: str) -> None:
    _, manager = managed(name)
    assert manager.change(CONFIGURE) and manager.change(ACTIVATE)
    assert manager.change(Transition.TRANSITION_ACTIVE_SHUTDOWN)
    assert manager.state() == State.PRIMARY_STATE_FINALIZED and all_joined()


def test_a_node_that_is_destroyed_has_left_the_network_before_the_garbage_collector_comes(ros: RosWorld) -> None:
    node = ros.add(MapperNode(context=ros.context))
    wait_until(lambda: "mapper" in ros.node.get_node_names())
    gc.disable()
    try:
        ros.end(node)
        wait_until(lambda: "mapper" not in ros.node.get_node_names())
    finally:
        gc.enable()


@pytest.mark.parametrize("name", NODES)
def test_a_node_that_cannot_be_configured_stays_unconfigured_and_can_be_tried_again(managed, name: str) -> None:
    node, manager = managed(name, **WRONG[name])
    for _ in range(2):
        assert not manager.change(CONFIGURE)
        assert manager.state() == State.PRIMARY_STATE_UNCONFIGURED and all_joined()
    assert not manager.change(ACTIVATE)
    node.config = type(node.config)(**NODES[name][1])
    assert manager.change(CONFIGURE) and manager.change(ACTIVATE)
    assert manager.state() == State.PRIMARY_STATE_ACTIVE


def test_an_error_while_activating_leaves_the_node_inactive_and_nothing_of_it_behind(managed, monkeypatch) -> None:
    _node, manager = managed("localizer")
    assert manager.change(CONFIGURE)
    monkeypatch.setattr("cl_localization.ros.nodes.localizer.ImageSource", lambda *_: 1 / 0)
    assert not manager.change(ACTIVATE)
    assert manager.state() == State.PRIMARY_STATE_INACTIVE and all_joined()
    monkeypatch.undo()
    assert manager.change(ACTIVATE) and manager.state() == State.PRIMARY_STATE_ACTIVE


class Patient(ManagedNode):
    """Offers a service that answers when the test says so."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("patient", NodeConfig(), **kwargs)
        self.asked: list[Future] = []

    def start(self) -> None:
        """Offer it."""
        self.service(Trigger, "~/ask", answer_later(self, self._ask))

    def _ask(self, request: Trigger.Request, response: Trigger.Response) -> Future:
        self.asked.append(Future())
        return self.asked[-1]


def test_a_service_that_was_asked_before_the_deactivation_answers_after_it_and_is_gone_then(ros: RosWorld) -> None:
    node, manager = ros.start(Patient), Manager(ros, "patient")
    client = ros.node.create_client(Trigger, "/patient/ask")
    wait_until(client.service_is_ready)
    answer = client.call_async(Trigger.Request())
    wait_until(lambda: node.asked)
    assert manager.change(DEACTIVATE)
    node.asked[0].set_result(None)
    wait_until(answer.done)
    assert answer.result().success
    wait_until(lambda: not client.service_is_ready())
    assert manager.change(ACTIVATE)
    wait_until(client.service_is_ready)
    client.call_async(Trigger.Request())
    wait_until(lambda: len(node.asked) == 2)
