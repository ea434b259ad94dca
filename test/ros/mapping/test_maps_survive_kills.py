"""kill -9 at random instants of learning and saving: the map loads, is gone on from, and lacks at most one autosave
period."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("cl_localization.msg", reason="ROS 2 or the built messages are not here: run scripts/test")

from cl_localization.msg import MappingStatus

from cl_localization.config import MapCodeConfig
from cl_localization.map.map_store import MapStore
from ros_faults import starved_cpu
from ros_processes import mapper_process
from ros_robot import SHOW_PERIOD_S, Robot
from ros_world import RosWorld

PERIOD_S = 0.5
START_S, LIFE_S, STARTS = 30.0, 1.5, 3
WRITING_S = 2.0
"""What a save may take beside the period on a machine that is busy with other mappers."""

TICK_S, HELD_S = 0.02, 0.5

PARAMETERS = {"poses.source": "pose", "keyframes.min_translation_m": 0.0, "autosave_period_s": PERIOD_S,
              "autosave_keyframes": 10,
              "encoder.max_keypoints": 300, "encoder.max_image_side_px": 160, "threads": 1, "map_code.budget_mb": 2.0}


class RunningClock:
    """Counts the time in which this machine runs: a virtual machine that is held for seconds saves nothing meanwhile,
    nor loses anything.

    Attributes:
        now_s: the time.
        longest_hold_s: the longest time that was not counted.
    """

    def __init__(self) -> None:
        self.now_s = self.longest_hold_s = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._tick)
        self._thread.start()

    def _tick(self) -> None:
        last_s = time.monotonic()
        while not self._ended.wait(TICK_S):
            passed_s, last_s = time.monotonic() - last_s, time.monotonic()
            self.now_s += min(passed_s, HELD_S)
            self.longest_hold_s = max(self.longest_hold_s, passed_s - HELD_S)

    def close(self) -> None:
        """End the thread."""
        self._ended.set()
        self._thread.join()


@dataclass
class Mappers:
    """A place where one mapper after the other lives, learns and is killed.

    Attributes:
        store: its map.
        heard: when each status of the mapper that lives now came, and the status; each mapper learns into a map with
            another id.
        dead: ids of the maps of mappers that were killed; what they said last may come late.
        lost_s, lost_keyframes: of each kill, how long before it the oldest thing happened that the map lacks, and how
            many keyframes.
        caught_writing: kills while a file was being written.
        deaf: starts of a mapper that never heard the robot: kill -9 leaves locks of Fast DDS in shared memory.
        ending: how mappers end, and the exit codes of those that were told to by Ctrl-C.
    """

    name: str
    store: MapStore
    clock: RunningClock
    heard: list[tuple[float, MappingStatus]] = field(default_factory=list)
    dead: set[str] = field(default_factory=set)
    lost_s: list[float] = field(default_factory=list)
    lost_keyframes: list[int] = field(default_factory=list)
    caught_writing: int = 0
    deaf: int = 0
    ending: signal.Signals = signal.SIGKILL
    exit_codes: list[int] = field(default_factory=list)

    @property
    def partial(self) -> Path:
        """The file that is being written, while there is one."""
        return self.store.path.with_name(f".{self.store.path.name}.partial")

    def hear(self, status: MappingStatus) -> None:
        """Note what the mapper says."""
        if status.map_id not in self.dead:
            self.heard.append((self.clock.now_s, status))

    def arguments(self) -> list[str]:
        """The mapper's command line."""
        texts = {name: str(value).lower() for name, value in {**PARAMETERS, "map_file": self.store.path}.items()}
        parameters = [word for name, text in texts.items() for word in ("-p", f"{name}:={text}")]
        return ["-r", f"__node:={self.name}", "-r", f"map_code:={self.name}/map_code", *parameters]

    def inspect(self, killed_s: float) -> None:
        """Check what a kill at this time has left."""
        self.caught_writing += self.partial.exists()
        map_code, warning = self.store.load("xfeat", MapCodeConfig())
        assert warning == ""
        saved = -1 if map_code is None else map_code.version
        lost = [(at_s, status) for at_s, status in self.heard if status.map_version > max(saved, 0)]
        self.lost_s.append(killed_s - lost[0][0] if lost else 0.0)
        self.lost_keyframes.append(sum(status.is_keyframe for _, status in lost))
        lived_s = killed_s - self.heard[0][0]
        assert self.lost_s[-1] < PERIOD_S + WRITING_S, f"of {lived_s:.1f} s and {len(self.heard)} images"
        if map_code is not None:
            assert len(list(self.store.path.parent.glob("*.safetensors"))) <= 2

    def learning(self, start: Callable[[Mappers], Any]) -> Any:
        """Start a mapper and return its process once it learns."""
        self.dead |= {status.map_id for _, status in self.heard}
        self.heard.clear()
        for _ in range(STARTS):
            process, pause, deadline_s = start(self), threading.Event(), time.monotonic() + START_S
            while not self.heard and time.monotonic() < deadline_s:
                pause.wait(0.005)
            if self.heard:
                return process
            process.kill()
            self.deaf += 1
        raise AssertionError(f"{self.name} never learned in {STARTS} starts")

    def survive(self, start: Callable[[Mappers], Any], random: np.random.Generator, kills: int) -> None:
        """Start a mapper, kill it at a random instant or in the middle of a save, look at its map, and so on."""
        for number in range(kills):
            before = self.store.load("xfeat", MapCodeConfig())[0]
            process, pause = self.learning(start), threading.Event()
            assert before is None or self.heard[0][1].map_version >= before.version
            killed_s = time.monotonic() + random.uniform(0, LIFE_S)
            while time.monotonic() < killed_s and not (number % 2 and self.partial.exists()):
                pause.wait(0.0005 if number % 2 else 0.005)
            os.kill(process.pid, self.ending)
            killed_s = self.clock.now_s
            process.join(60)
            self.inspect(killed_s)
            if self.ending != signal.SIGKILL:
                self.exit_codes.append(process.exitcode)
                assert self.lost_keyframes[-1] <= 1 and process.exitcode >= self.lost_keyframes[-1]


@pytest.fixture
def shown(ros: RosWorld, room: Any, frames: list[Any]) -> Iterator[None]:
    """A robot in the room that shows what it sees as long as the test runs."""
    robot, done = Robot(ros, room), threading.Event()
    robot.send_poses()

    def show() -> None:
        number = 0
        while not done.wait(SHOW_PERIOD_S):
            robot.show(frames[number % len(frames)])
            number += 1

    thread = threading.Thread(target=show)
    thread.start()
    yield
    done.set()
    thread.join()


def killed_mappers(ros: RosWorld, folder: Path, count: int, kills: int, start: Callable[[Mappers], Any],
                   ending: signal.Signals = signal.SIGKILL) -> list[Mappers]:
    """Let several mappers live side by side, each killed so many times; return what became of their maps."""
    clock = RunningClock()
    mappers = [Mappers(f"mapper_{number}", MapStore(folder / str(number) / "map.safetensors"), clock, ending=ending)
               for number in range(count)]
    failures: list[BaseException] = []
    for each in mappers:
        ros.node.create_subscription(MappingStatus, f"/{each.name}/status", each.hear, 10)

    def run(number: int) -> None:
        try:
            mappers[number].survive(start, np.random.default_rng(number), kills)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    clock.close()
    if failures:
        raise failures[0]
    return mappers


def say(mappers: list[Mappers]) -> None:
    """Print the figures."""
    lost_s, keyframes = (
        np.concatenate([each.lost_s for each in mappers]),
        np.concatenate([each.lost_keyframes for each in mappers]),
    )
    print(f"{len(lost_s)} kills, {sum(each.caught_writing for each in mappers)} while a map was being written: every "
          "map loads; "
          f"lost since the last save: median {np.median(lost_s):.2f} s, at most {lost_s.max():.2f} s and "
          f"{keyframes.max()} keyframes "
          f"(autosave every {PERIOD_S} s or {PARAMETERS['autosave_keyframes']} keyframes); "
          f"{sum(each.deaf for each in mappers)} starts heard nothing of the robot and were repeated; the machine was "
          "held for up to "
          f"{mappers[0].clock.longest_hold_s:.1f} s")


@pytest.fixture
def start(domain: int, monkeypatch: pytest.MonkeyPatch) -> Callable[[Mappers], Any]:
    """Starts mappers by a server that has imported what takes long; each is a process of its own."""
    monkeypatch.setenv("ROS_DOMAIN_ID", str(domain))
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["cl_localization.ros.nodes.mapper", "cl_localization.features.xfeat"])

    def start(mappers: Mappers) -> Any:
        process = context.Process(target=mapper_process, args=(mappers.arguments(),))
        process.start()
        return process
    return start


@pytest.mark.parametrize("side_by_side, kills", [(3, 2), pytest.param(4, 50, marks=pytest.mark.long)])
def test_maps_survive_kills(ros, shown, tmp_path, start, side_by_side, kills) -> None:
    say(killed_mappers(ros, tmp_path, side_by_side, kills, start))


@pytest.mark.long
def test_ctrl_c_at_any_instant_loses_at_most_the_keyframe_in_work_and_the_exit_code_tells(ros, shown, tmp_path,
                                                                                         start) -> None:
    with starved_cpu():
        ended = killed_mappers(ros, tmp_path, 1, 50, start, signal.SIGINT)
    codes, lost = ended[0].exit_codes, ended[0].lost_keyframes
    print(f"{len(codes)} times Ctrl-C: every map loads; {sum(lost)} keyframes lost, never more than {max(lost)}; exit "
          f"code 0 {codes.count(0)} times, 1 {codes.count(1)} times")
