"""Tracking on a processor of a given speed: what is localized, when it is ready, and what is answered."""

from __future__ import annotations

import pytest

from benchmarks.following import TrackedImages
from cl_localization.config import FlowConfig
from cl_localization.data.frame import Frame
from cl_localization.geometry.se3 import pose_error
from cl_localization.localization.result import Localization
from flow_makers import PERIOD_NS, localized, pose, wall_frame

PERIOD_S = PERIOD_NS / 1e9


def shown(count: int, look_s: float, **flow: float) -> tuple[TrackedImages, list[Frame], list[int]]:
    """Show images of a robot that drives along the wall; return the tracker, the images and the stamps localized."""
    asked: list[int] = []

    def localize(frame: Frame) -> Localization:
        asked.append(frame.stamp_ns)
        return localized(frame, support=500)

    run = TrackedImages(localize, look_s, FlowConfig(**flow))
    frames = [wall_frame(pose(0.01 * number), number) for number in range(count)]
    for frame in frames:
        run.show(frame)
    return run, frames, asked


def test_every_image_after_the_first_localization_has_an_answer_that_is_right():
    run, frames, asked = shown(20, 3.5 * PERIOD_S, period_s=0.2)
    answers = {answer.found.stamp_ns: answer for answer in run.finish()}
    assert set(answers) == {frames[0].stamp_ns, *(frame.stamp_ns for frame in frames[4:])}
    assert all(answer.trusted for answer in answers.values()) and run.looks == len(asked) < 7
    for answer in answers.values():
        assert pose_error(answer.found.world_T_cam, answer.true_world_T_cam)[0] < 0.02
    assert max(answer.found.carried_ns for answer in answers.values()) < 0.4e9


def test_without_flow_a_slow_processor_answers_only_what_it_gets_to():
    run, _, asked = shown(20, 3.5 * PERIOD_S, enabled=False)
    answers = run.finish()
    assert [answer.found.stamp_ns for answer in answers] == asked and len(asked) == pytest.approx(20 / 3.5, abs=2)
    assert not any(answer.found.carried_ns for answer in answers)


def test_a_processor_as_fast_as_the_images_localizes_each_of_them():
    run, frames, asked = shown(6, 0.9 * PERIOD_S, enabled=False)
    assert len(run.finish()) == run.looks == 6 and asked == [frame.stamp_ns for frame in frames]
