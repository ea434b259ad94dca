"""Saving beside learning: one copy at a time, failures are said and tried again, and nothing is saved twice."""

from __future__ import annotations

import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("cl_localization.msg", reason="ROS 2 or the built messages are not here: run scripts/test")

from cl_localization.srv import SaveMap

from cl_localization.config import MapCodeConfig
from cl_localization.errors import MapError
from cl_localization.map.map_code import MapCode
from cl_localization.map.map_file import load_map
from cl_localization.map.map_store import MapStore
from cl_localization.mapping.mapping_result import MappingResult
from cl_localization.ros.mapping import unsaved_changes
from cl_localization.ros.mapping.map_saver import MapSaver
from cl_localization.ros.workers.worker import Worker
from map_makers import assert_same_map, empty_map, grow
from ros_world import WAIT_S, wait_until

KEYFRAME = MappingResult(True, "new view", 5, 0, 0, 0, 1, 0.0)
NOT_NEW = MappingResult(False, "known view", 0, 0, 0, None, 1, 0.0)


class Learner:
    """A worker that lets a map grow, as the mapper does."""

    def __init__(self, path: Path | str, every_keyframes: int = 0, map_code: MapCode | None = None) -> None:
        self.map_code = empty_map() if map_code is None else map_code
        self.errors: list[Exception] = []
        self.refined: list[bool] = []
        self.worker: Worker[None] = Worker(lambda _: None, self.errors.append)
        self.saver = MapSaver(str(path), every_keyframes, lambda refine: self.worker.run(lambda: self._copy(refine)),
                              self.errors.append)
        self.saver.use_map(self.map_code)

    def _copy(self, refine: bool) -> Any:
        self.refined.append(refine)
        self.saver.note_copy()
        return self.map_code.delta_since(0)

    def learn(self, count: int = 5) -> None:
        """Learn a keyframe, in the worker."""
        self.worker.run(lambda: grow(self.map_code, count)).result(WAIT_S)
        self.worker.run(lambda: self.saver.observe(KEYFRAME, self.map_code)).result(WAIT_S)

    def save(self, path: str = "") -> SaveMap.Response:
        """Have the map saved as the service does."""
        response = SaveMap.Response()
        self.saver.serve(SaveMap.Request(path=path), response).result(WAIT_S)
        return response

    def close(self) -> None:
        """End both threads."""
        self.worker.stop()
        self.saver.close()


@pytest.fixture
def learning(tmp_path: Path) -> Iterator[Callable[..., Learner]]:
    """Makes learners that save to map.safetensors."""
    made: list[Learner] = []

    def make(*arguments: Any, path: Path | str = tmp_path / "map.safetensors") -> Learner:
        made.append(Learner(path, *arguments))
        return made[-1]
    yield make
    for each in made:
        each.close()


def test_so_many_new_keyframes_are_saved_and_images_that_show_nothing_new_are_not_counted(learning, tmp_path) -> None:
    learner = learning(3)
    learner.learn()
    for _ in range(5):
        learner.worker.run(lambda: learner.saver.observe(NOT_NEW, learner.map_code))
        learner.worker.run(lambda: learner.saver.observe(None, learner.map_code))
    learner.learn()
    assert learner.saver.unsaved_keyframes == 2 and not (tmp_path / "map.safetensors").exists()
    learner.learn()
    wait_until(lambda: learner.saver.unsaved_keyframes == 0)
    assert load_map(tmp_path / "map.safetensors").version == learner.saver.saved_version == learner.map_code.version
    assert learner.refined == [False]


def test_a_map_that_has_not_changed_is_not_saved(learning, tmp_path) -> None:
    learner = learning()
    learner.saver.autosave(learner.map_code)
    learner.saver.save_last(learner.map_code)
    learner.learn()
    learner.save()
    learner.saver.autosave(learner.map_code)
    learner.saver.save_last(learner.map_code)
    assert learner.refined == [True] and not (tmp_path / "map.previous.safetensors").exists()


def test_a_map_that_is_asked_for_is_saved_refined_where_it_is_asked_for(learning, tmp_path) -> None:
    learner = learning()
    learner.learn()
    answer = learner.save(str(tmp_path / "elsewhere" / "a.map"))
    assert answer.path == str(tmp_path / "elsewhere" / "a.map") and answer.bytes == Path(answer.path).stat().st_size
    assert learner.saver.unsaved_keyframes == 1 and learner.refined == [True]
    assert learner.save().path == str(tmp_path / "map.safetensors") and learner.saver.unsaved_keyframes == 0


def test_without_a_path_and_map_file_it_is_said_and_nothing_is_saved_by_itself(learning) -> None:
    learner = learning(1, path="")
    learner.learn()
    learner.saver.save_last(learner.map_code)
    with pytest.raises(MapError, match="path of the map must be given"):
        learner.save()
    assert learner.errors == [] and learner.saver.load("xfeat", MapCodeConfig()) == (None, "")


def test_a_failure_is_reported_until_the_map_is_saved_and_not_for_every_image(learning, tmp_path) -> None:
    (tmp_path / "file").write_text("")
    learner = learning(2, path=tmp_path / "file" / "map.safetensors")
    for _ in range(3):
        learner.learn()
    wait_until(lambda: learner.errors)
    assert (
        "must be writable" in learner.saver.problem
        and learner.saver.unsaved_keyframes == 3
        and len(learner.errors) == 1
    )
    (tmp_path / "file").unlink()
    (tmp_path / "file").mkdir()
    learner.learn()
    wait_until(lambda: learner.saver.unsaved_keyframes == 0)
    assert learner.saver.problem == ""


def test_a_failure_elsewhere_is_no_problem_of_the_map_file(learning, tmp_path) -> None:
    learner, notes = learning(), tmp_path / "notes.txt"
    notes.write_text("what to do today")
    learner.learn()
    for path in ("/dev/null/a.map", str(notes)):
        with pytest.raises(MapError, match="must be"):
            learner.save(path)
    assert learner.saver.problem == "" and [file.name for file in tmp_path.iterdir()] == [notes.name]
    assert notes.read_text() == "what to do today"


def test_what_was_wrong_at_the_start_is_said_until_the_map_is_saved(learning) -> None:
    learner = learning()
    learner.saver.use_map(learner.map_code, "map_file was damaged")
    assert learner.saver.problem == "map_file was damaged" and "map_file was damaged" in str(learner.errors[0])
    learner.learn()
    learner.save()
    assert learner.saver.problem == ""


def test_what_was_not_saved_is_saved_at_the_end_when_the_worker_has_ended(learning, tmp_path) -> None:
    learner = learning()
    learner.learn()
    learner.worker.stop()
    learner.saver.autosave(learner.map_code)
    learner.saver.save_last(learner.map_code)
    assert load_map(tmp_path / "map.safetensors").version == learner.map_code.version and learner.errors == []


def test_there_is_one_copy_of_the_map_at_a_time(learning, monkeypatch) -> None:
    learner, written, alive = learning(), threading.Event(), []
    monkeypatch.setattr("cl_localization.map.map_store.MapStore.save",
                        lambda store, snapshot: (alive.append(snapshot), written.wait(WAIT_S))[1])
    learner.learn()
    waiting = [learner.saver.serve(SaveMap.Request(), SaveMap.Response()) for _ in range(10)]
    wait_until(lambda: alive)
    assert len(alive) == 1 and not any(future.done() for future in waiting)
    written.set()
    for future in waiting:
        future.result(WAIT_S)


def large_map(size_mb: float) -> MapCode:
    """A map of about this size with XFeat's 64 dimensions."""
    map_code = empty_map(dim=64)
    while map_code.size_bytes < size_mb * 1e6:
        grow(map_code, 5000)
    return map_code


@pytest.mark.parametrize("size_mb, saves", [(1.0, 2), pytest.param(64.0, 10, marks=pytest.mark.long)])
def test_learning_goes_on_while_a_large_map_is_saved(tmp_path, size_mb, saves) -> None:
    learner = Learner(tmp_path / "map.safetensors", 0, large_map(size_mb))
    pauses_ms: dict[bool, list[float]] = {False: [], True: []}
    copies_ms, seconds, ended = [], [], threading.Event()
    copy = learner._copy

    def timed_copy(refine: bool) -> Any:
        begun_s = time.perf_counter()
        copied = copy(refine)
        copies_ms.append(1e3 * (time.perf_counter() - begun_s))
        return copied

    learner._copy, saving = timed_copy, threading.Event()

    def step() -> None:
        np.linalg.svd(np.eye(40))

    def learn() -> None:
        while not ended.is_set():
            during, begun_s = saving.is_set(), time.perf_counter()
            learner.worker.run(step).result(WAIT_S)
            pauses_ms[during].append(1e3 * (time.perf_counter() - begun_s))

    thread = threading.Thread(target=learn)
    thread.start()
    wait_until(lambda: len(pauses_ms[False]) > 200)
    tracemalloc.start()
    for _ in range(saves):
        saving.set()
        begun_s = time.perf_counter()
        learner.save()
        seconds.append(time.perf_counter() - begun_s)
        saving.clear()
    peak_mb = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    ended.set()
    thread.join()
    learner.close()
    print(f"map of {learner.map_code.size_bytes / 1e6:.0f} MB saved {saves} times in {np.median(seconds):.2f} s each; "
          "the copy holds the "
          f"worker up for {np.median(copies_ms):.0f} ms (at most {max(copies_ms):.0f} ms); a step of the worker: "
          "median "
          f"{np.median(pauses_ms[False]):.2f} ms, {np.median(pauses_ms[True]):.2f} ms while saving, at most "
          f"{max(pauses_ms[True]):.0f} ms; "
          f"memory for it {peak_mb:.0f} MB")
    assert pauses_ms[True] and peak_mb < 1.3 * learner.map_code.size_bytes / 1e6 + 2
    assert len(load_map(tmp_path / "map.safetensors")) == len(learner.map_code)


class Hanging:
    """A learner whose worker hangs in an image from now on."""

    def __init__(self, learner: Learner) -> None:
        self._go_on, began = threading.Event(), threading.Event()
        learner.worker.run(lambda: (began.set(), self._go_on.wait(WAIT_S)))
        assert began.wait(WAIT_S)

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        self._go_on.set()


def test_while_the_worker_hangs_all_keyframes_before_it_are_saved_and_the_loss_is_said(learning, tmp_path) -> None:
    learner, path = learning(), tmp_path / "map.safetensors"
    learner.learn()
    learner.learn()
    with Hanging(learner):
        assert not learner.saver.save_last(None)
    assert load_map(path).version == learner.map_code.version and len(load_map(path)) == len(learner.map_code)
    assert "the image in work was not mapped in time and is lost" in str(learner.errors[0])


def test_what_the_file_lacks_is_added_to_it_while_the_worker_hangs(learning, tmp_path) -> None:
    learner, path = learning(), tmp_path / "map.safetensors"
    learner.learn()
    learner.save()
    learner.learn()
    learner.saver.autosave(learner.map_code)
    wait_until(lambda: learner.saver.unsaved_keyframes == 0)
    learner.learn()
    with Hanging(learner):
        learner.saver.autosave(learner.map_code)  # it waits for a copy
        assert not learner.saver.save_last(None)
        assert_same_map(load_map(path), learner.map_code)


def test_a_resumed_map_is_saved_with_its_new_keyframes_while_the_worker_hangs(learning, tmp_path) -> None:
    path = tmp_path / "map.safetensors"
    first = learning()
    first.learn()
    assert first.saver.save_last(first.map_code)
    second = learning()
    resumed, _ = second.saver.load("xfeat", MapCodeConfig())
    second.map_code = resumed.fork()
    second.saver.use_map(second.map_code)
    second.learn()
    with Hanging(second):
        assert not second.saver.save_last(None)
    assert_same_map(load_map(path), second.map_code)


def test_a_map_resumed_from_the_previous_file_is_saved_whole_while_the_worker_hangs(learning, tmp_path) -> None:
    path = tmp_path / "map.safetensors"
    first = learning()
    for _ in range(2):
        first.learn()
        first.save()
    path.write_bytes(path.read_bytes()[:-1])
    second = learning()
    resumed, problem = second.saver.load("xfeat", MapCodeConfig())
    assert "resuming from" in problem
    second.map_code = resumed.fork()
    second.saver.use_map(second.map_code, problem)
    second.learn()
    with Hanging(second):
        assert not second.saver.save_last(None)
    assert_same_map(load_map(path), second.map_code)


def test_nothing_is_lost_or_saved_where_no_keyframe_is_new(learning, tmp_path) -> None:
    learner = learning()
    assert learner.saver.save_last(learner.map_code)
    with Hanging(learner):
        assert not learner.saver.save_last(None)
    assert not (tmp_path / "map.safetensors").exists()


def test_keyframes_that_were_not_copied_are_told_while_the_worker_hangs(learning, tmp_path, monkeypatch) -> None:
    learner, path = learning(), tmp_path / "map.safetensors"
    monkeypatch.setattr(unsaved_changes, "QUICK_S", -1.0)
    monkeypatch.setattr(unsaved_changes, "PAUSE_FACTOR", 1e9)
    for _ in range(3):
        learner.learn()
    with Hanging(learner):
        assert not learner.saver.save_last(None)
    assert "has all keyframes before it but the last 2" in str(learner.errors[0])
    assert len(load_map(path).keyframes) == 1


def test_a_save_that_ends_after_a_reset_says_nothing_of_the_new_map(learning, tmp_path, monkeypatch) -> None:
    learner, go_on, path = learning(), threading.Event(), tmp_path / "map.safetensors"
    save, begun = MapStore.save, threading.Event()
    monkeypatch.setattr(MapStore, "save", lambda *arguments: (begun.set(), go_on.wait(WAIT_S), save(*arguments))[-1])
    learner.learn()
    saving = learner.saver.serve(SaveMap.Request(), SaveMap.Response())
    assert begun.wait(WAIT_S)
    new = learner.map_code = empty_map()
    learner.worker.run(lambda: learner.saver.use_map(new)).result(WAIT_S)
    go_on.set()
    saving.result(WAIT_S)
    assert learner.saver.save_last(new) and load_map(path).map_id != new.map_id  # nothing is in it yet
    learner.learn()
    assert learner.saver.unsaved_keyframes == 1
    with Hanging(learner):
        assert not learner.saver.save_last(None)
    assert_same_map(load_map(path), new)
