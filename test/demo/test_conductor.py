"""The demo: its plan, its processes, its verdict; and all of it once, small, with real nodes."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("cl_localization.msg", reason="ROS 2 or the built messages are not here: run scripts/test")

from cl_localization.msg import MappingStatus
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.node import Node

from cl_localization.data import open_sequence
from cl_localization.demo import command
from cl_localization.demo.conductor import Demo, run_demo
from cl_localization.demo.config import DemoConfig
from cl_localization.demo.observer import DemoObserver
from cl_localization.demo.plan import Segment, plan
from cl_localization.demo.processes import NodeProcesses
from cl_localization.demo.result import DemoResult, Estimate, Place
from cl_localization.errors import DataError, RosError
from ros_world import WAIT_S, RosWorld, wait_until


def at(x_m: float) -> np.ndarray:
    """A pose on the x axis."""
    pose = np.eye(4)
    pose[0, 3] = x_m
    return pose


def result(places: list[Place], estimates: list[Estimate]) -> DemoResult:
    """A demo with these outcomes."""
    return DemoResult(mapping_path=np.zeros((0, 4, 4)), places=places, tracking_truth=np.zeros((0, 4, 4)),
                      tracking=estimates,
                      estimates=estimates, images=len(estimates), latencies_ms=[10.0, 30.0, 20.0], map_bytes=1, codes=1,
                      keyframes=1,
                      map_points_m=np.zeros((0, 3)), map_path=Path("map"), overlay=None, duration_s=1.0)


FOUND, MISSED = Place(at(0), at(0), 0.3), Place(at(0), None, None)
RIGHT, WRONG, INEXACT = Estimate(1, at(0), at(0.02)), Estimate(2, at(0), at(0.6)), Estimate(3, at(0), at(0.2))


@pytest.mark.parametrize("places, estimates, worked", [
    ([FOUND] * 5, [RIGHT, RIGHT], True), ([FOUND, MISSED], [RIGHT], False),
    ([FOUND], [RIGHT, RIGHT, RIGHT, WRONG], False),
    ([FOUND], [INEXACT], False), ([FOUND], [], False), ([], [RIGHT], False)])
def test_a_demo_worked_only_if_every_place_was_recovered_and_no_wrong_pose_trusted(places, estimates, worked) -> None:
    assert result(places, estimates).worked is worked


@pytest.mark.parametrize("loops, parts, worked", [(None, 1, True), (2, 1, True), (0, 1, False), (2, 2, False)])
def test_a_demo_with_own_poses_worked_only_if_a_loop_closed_and_the_map_is_one(loops: int | None, parts: int,
                                                                               worked: bool) -> None:
    assert replace(result([FOUND] * 5, [RIGHT]), loops=loops, parts=parts).worked is worked


def test_the_figures_of_a_demo_are_medians_of_what_was_trusted() -> None:
    found = result([FOUND, MISSED, Place(at(0), at(0), 0.5)], [RIGHT, INEXACT, WRONG])
    assert (found.recovered, found.wrong_accepted, found.median_latency_ms) == (2, 1, 20.0)
    assert found.median_translation_cm == pytest.approx(20) and found.median_rotation_deg == 0
    assert found.median_seconds_to_recover == pytest.approx(0.4) and found.max_seconds_to_recover == 0.5
    assert np.isnan(result([], []).median_translation_cm) and np.isnan(result([], []).max_seconds_to_recover)


def test_a_recorded_sequence_is_split_so_that_nothing_shown_later_was_mapped(kitchen_folder: Path,
                                                                             tmp_path: Path) -> None:
    segments = plan(DemoConfig(data=str(kitchen_folder)), tmp_path)
    assert [segment.kind for segment in segments] == ["mapping", *["place"] * 5, "tracking"]
    names = [set(open_sequence(segment.sequence).names) for segment in segments]
    assert all(not names[0] & later for later in names[1:])
    assert len(names[0]) == 225 and all(len(later) >= 10 for later in names[1:])


class Recording:
    """A sequence of 80 frames with poses, but for some."""

    def __init__(self, without_pose: int = -1) -> None:
        self.names, self.without_pose = [f"frame{index}" for index in range(80)], without_pose

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> SimpleNamespace:
        return SimpleNamespace(stamp_ns=index * 10**8, name=self.names[index])

    def pose(self, index: int) -> np.ndarray | None:
        """Return the pose of a frame."""
        return None if index == self.without_pose else np.eye(4)


def test_what_a_recorded_demo_shows_later_is_not_mapped_and_named_without_the_selection(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cl_localization.demo.plan.open_sequence", lambda data: Recording())
    segments = plan(DemoConfig(data="a?depth=no[:80]"), tmp_path)
    sources, lists = zip(*(segment.sequence.split("@") for segment in segments))
    mapped, *later = (set(Path(one).read_text().split()) for one in lists)
    assert set(sources) == {"a?depth=no"} and len(mapped) > 50
    assert all(names and not names & mapped for names in later)


def test_frames_without_poses_are_no_use_for_a_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cl_localization.demo.plan.open_sequence", lambda data: Recording(without_pose=70))
    with pytest.raises(DataError, match="must have at least 60 frames, all with poses, found 80 frames"):
        plan(DemoConfig(data="a"), tmp_path)


def test_a_simulated_demo_names_sequences_of_one_house(tmp_path: Path) -> None:
    segments = plan(DemoConfig(places=2, seed=4), tmp_path)
    assert [segment.name for segment in segments] == ["mapping", "place_0", "place_1", "tracking"]
    assert all(segment.sequence.startswith("sim:4?rooms=2&size=320x240") for segment in segments)


@pytest.mark.parametrize("data, match", [("sim:3?rooms=1&frames=20", "must have at least 60 frames, all with poses"),
                                         ("nowhere", "nowhere")])
def test_a_sequence_that_is_no_use_for_a_demo_is_named(data: str, match: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=match):
        plan(DemoConfig(data=data), tmp_path)


def test_a_folder_that_cannot_be_made_is_an_error() -> None:
    with pytest.raises(DataError, match="output /dev/null/demo/output cannot be written, found Not a directory"):
        command.run(command.Arguments(options=DemoConfig(out="/dev/null/demo")))


def test_a_node_that_ends_by_itself_is_named_with_the_end_of_its_log(domain: int, tmp_path: Path) -> None:
    def ended() -> bool:
        try:
            nodes.check()
        except RosError:
            return True
        return False

    with NodeProcesses(domain, tmp_path) as nodes:
        nodes.start("sequence_player", "player", {"sequence": "nowhere"})
        wait_until(ended)
        with pytest.raises(RosError, match="node player must run to the end of the demo, found exit code 1.*nowhere"):
            nodes.check()


def test_leaving_the_group_ends_every_process_even_one_that_does_not_listen(domain: int, tmp_path: Path) -> None:
    with NodeProcesses(domain, tmp_path) as nodes:
        nodes.start("sequence_player", "player", {"autostart": False})
        process = nodes._started["player"][0]
        os.kill(process.pid, signal.SIGSTOP)
    assert process.poll() is not None


def test_waiting_ends_at_the_deadline_and_at_once_when_a_node_is_gone(domain: int) -> None:
    def gone() -> None:
        raise RosError("node x", "must run")

    with DemoObserver(domain) as seen:
        with pytest.raises(RosError, match="the thing must be there within 0.05 s"):
            seen.wait(lambda: False, 0.05, "the thing", lambda: None)
        with pytest.raises(RosError, match="node x must run"):
            seen.wait(lambda: False, 10, "the thing", gone)


def test_a_node_that_will_not_configure_is_an_error(domain: int, tmp_path: Path) -> None:
    with NodeProcesses(domain, tmp_path) as nodes, DemoObserver(domain) as seen:
        nodes.start("sequence_player", "player", {"sequence": "nowhere", "autostart": False})
        with pytest.raises(RosError, match="node player must configure and activate, found a failed transition"):
            seen.transition("player", 1, 40.0, nodes.check)


def losing(node: Node, kind: type, name: str, callback: Callable[[object, object], object]) -> None:
    """Serve, but lose the first answer, as DDS does when the server has not discovered the client's reader yet."""
    service = node.create_service(kind, name, callback)
    answer, lost = service.send_response, []

    def send(response: object, header: object) -> None:
        answer(response, header) if lost else lost.append(response)

    service.send_response = send


@pytest.mark.parametrize("again", [True, False])
def test_a_lost_answer_is_asked_for_again_and_the_state_tells_whether_the_first_time_worked(
        ros: RosWorld, again: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def change(request: ChangeState.Request, response: ChangeState.Response) -> ChangeState.Response:
        response.success = again or not asked
        asked.append(request.transition.id)
        return response

    def state(request: GetState.Request, response: GetState.Response) -> GetState.Response:
        response.current_state.id = State.PRIMARY_STATE_ACTIVE
        return response

    monkeypatch.setattr("cl_localization.demo.observer.ASK_AGAIN_S", 0.05)
    asked: list[int] = []
    losing(ros.node, ChangeState, "player/change_state", change)
    losing(ros.node, GetState, "player/get_state", state)
    with DemoObserver(ros.domain) as seen:
        seen.transition("player", Transition.TRANSITION_ACTIVATE, WAIT_S, lambda: None)
    assert asked[:2] == [Transition.TRANSITION_ACTIVATE] * 2


class Dropping:
    """Observes a player of a place whose images are worked on by a node that has time for so many a second only."""

    def __init__(self, images: int, share: float, map_version: int = 0) -> None:
        self.images, self.share, self.left, self.map_version = images, share, images, map_version
        self.truths: dict[int, np.ndarray] = {}
        self.map_versions: dict[int, int] = {}
        self.done: set[str] = set()
        self.mapping, self.rates = MappingStatus(), [1.0]

    def estimates(self, since_ns: int) -> list[Estimate]:
        """Return no poses."""
        return []

    def call(self, kind: type, service: str, timeout_s: float, check, parameters: list) -> None:
        self.rates.append(parameters[0].value.double_value)

    def transition(self, name: str, transition: int, timeout_s: float, check) -> None:
        self.left = self.images

    def wait(self, condition, timeout_s: float, what: str, check) -> None:
        while not condition():
            if not self.left:
                raise RosError(what, "must be there")
            number, stamp = self.images - self.left, 1 + len(self.truths)
            self.left -= 1
            self.truths[stamp] = at(number)
            share = min(1.0, self.share / self.rates[-1])
            if int((number + 1) * share) > int(number * share):
                self.map_versions[stamp] = self.map_version
            if not self.left:
                self.done.add("place_0")


def shown_to(seen: Dropping, tmp_path: Path) -> Demo:
    """A demo that shows a place while `seen` observes."""
    demo = Demo(DemoConfig(), tmp_path, lambda progress: None)
    demo._seen, demo._nodes, demo._map_version = seen, NodeProcesses(1, tmp_path), 5
    demo._show(Segment("place_0", "place", "", 1.0), 1)
    return demo


@pytest.mark.parametrize("share, rates", [(1.0, [1.0]), (0.8, [1.0]), (0.5, [1.0, 0.5]), (0.3, [1.0, 0.5, 0.25])])
def test_a_segment_is_shown_again_and_slower_until_most_images_were_worked_on(share: float, rates: list[float],
                                                                                    tmp_path: Path) -> None:
    seen = Dropping(10, share, map_version=5)
    demo = shown_to(seen, tmp_path)
    assert seen.rates == rates and len(demo._images(seen.map_versions, 1)) >= 8


@pytest.mark.parametrize("seen", [Dropping(10, 0.001), Dropping(10, 1.0, map_version=4)], ids=["none", "an old map"])
def test_a_segment_that_no_node_works_on_with_the_whole_map_is_an_error(seen: Dropping, tmp_path: Path) -> None:
    with pytest.raises(RosError, match="segment place_0 must have 80% of its 10 images worked on in 8 showings"):
        shown_to(seen, tmp_path)


def test_images_that_the_mapper_did_not_learn_from_are_not_counted_as_mapped(domain: int) -> None:
    with DemoObserver(domain) as seen:
        for stamp_s, duration_ms in ((1, 0.0), (2, 3.5)):
            status = MappingStatus(duration_ms=duration_ms)
            status.header.stamp.sec = stamp_s
            seen._on_mapping(status)
    assert seen.mapped == {2 * 10**9}


def test_the_demo_maps_recovers_and_tracks_with_real_nodes(domain: int, tmp_path: Path, monkeypatch) -> None:
    stages = []  # below: half of the images of one room instead of all of two
    monkeypatch.setattr("cl_localization.demo.conductor.plan", lambda *args: [
        replace(segment, sequence=segment.sequence.replace("rooms=2", "rooms=1").replace(
            "path=mapping", "path=mapping&frames=70")) for segment in plan(*args)])
    config = DemoConfig(out=str(tmp_path), domain=domain, places=1, place_frames=10, tracking_frames=20)
    found = run_demo(config, lambda progress: stages.append(progress.stage))
    assert list(dict.fromkeys(stages)) == ["starting mapper, localizer and player", "mapping", "place 0", "tracking",
                                           "done"]
    assert found.places[0].recovered and found.wrong_accepted == 0 and found.median_translation_cm < 10
    assert found.codes > 1000 and found.map_path.is_file() and len(found.map_points_m) == found.codes
    assert len(found.mapping_path) > 50 and len(found.tracking) >= 1 and found.overlay.shape == (240, 320, 3)
