"""The calibration check: poses are refused while images say that the focal length is wrong, and only then."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from cl_localization.data.frame import Frame
from cl_localization.geometry.camera import Camera
from cl_localization.geometry.pnp import FocalMisfit
from cl_localization.localization import calibration_check
from cl_localization.localization.calibration_check import ENOUGH, KEPT, LATER_EVERY, CalibrationCheck
from cl_localization.localization.result import Localization
from cl_localization.localizer import Localizer
from core_makers import CAMERA, PointScene, SceneEncoder, look_at
from test_localizer import map_of

ROOM = PointScene.room(400)


def way(count: int = 3 * ENOUGH) -> list[np.ndarray]:
    """Poses of a camera that goes to and fro before the room."""
    return [look_at((0.8 * np.sin(t), 0.2 * np.cos(2 * t), 0.4 * np.sin(3 * t)), (0.3 * np.cos(t), 0.0, 3.8))
            for t in np.linspace(0, 2 * np.pi, count)]


def frames(encoder: SceneEncoder, focal_factor: float, count: int = 3 * ENOUGH) -> list[Frame]:
    """Frames whose calibration has a focal length that is wrong by a factor."""
    return [replace(encoder.frame(pose, posed=False), camera=encoder.camera.with_focal_factor(focal_factor))
            for pose in way(count)]


def localizer_in(scene: PointScene = ROOM, camera: Camera = CAMERA) -> tuple[Localizer, SceneEncoder]:
    encoder = SceneEncoder(scene, camera, noise_px=0.4, similarity=0.92)
    return Localizer(map_of(scene), encoder=encoder), encoder


@pytest.mark.parametrize("focal_factor, said", [(0.85, "longer by about 1[5-8] %"), (1.15, "shorter by about 1[1-3] %"),
                                                (1.33, "shorter by about 2[0-5] %")])
def test_poses_are_refused_once_enough_images_contradict_the_focal_length(focal_factor, said):
    localizer, encoder = localizer_in()
    found = [localizer.localize(frame) for frame in frames(encoder, focal_factor)]
    assert [one.accepted for one in found[:ENOUGH - 1]] == (ENOUGH - 1) * [True]
    assert not any(one.accepted for one in found[ENOUGH - 1:])
    assert found[-1].reason == localizer.calibration.problem
    assert re.search(f"a focal length {said}.*is the calibration that of this camera", found[-1].reason)


@pytest.mark.parametrize("focal_factor", [0.98, 1.0, 1.02])
def test_a_calibration_that_is_right_or_nearly_so_is_believed(focal_factor):
    localizer, encoder = localizer_in()
    assert all(localizer.localize(frame).accepted for frame in frames(encoder, focal_factor))
    assert localizer.calibration.problem == ""


def test_a_lens_with_distortion_is_no_wrong_focal_length():
    localizer, encoder = localizer_in(camera=Camera(320, 240, 250.0, 252.0, 161.0, 119.0, "plumb_bob",
                                                    (-0.25, 0.08, 0.0, 0.0)))
    assert all(localizer.localize(frame).accepted for frame in frames(encoder, 1.0))


def test_a_wall_that_is_seen_almost_squarely_tells_nothing_of_the_focal_length():
    scene = PointScene.wall()
    localizer, encoder = localizer_in(scene)
    almost = look_at((0.2, 0.0, 0.0), (0.0, 0.0, 4.0))
    square = replace(encoder.frame(almost, posed=False), camera=CAMERA.with_focal_factor(1.15))
    assert all(localizer.localize(square).accepted for _ in range(2 * ENOUGH))
    assert localizer.calibration.focal_factor == 1.0


def test_with_the_right_calibration_poses_are_accepted_again_at_once():
    localizer, encoder = localizer_in()
    for frame in frames(encoder, 1.15):
        localizer.localize(frame)
    assert localizer.calibration.problem
    assert localizer.localize(encoder.frame(way()[0], posed=False)).accepted and not localizer.calibration.problem


def test_a_reset_forgets_what_images_before_said():
    localizer, encoder = localizer_in()
    for frame in frames(encoder, 1.15):
        localizer.localize(frame)
    localizer.reset()
    assert not localizer.calibration.problem and localizer.localize(frames(encoder, 1.15, 1)[0]).accepted


def test_an_image_is_localized_with_the_focal_length_that_it_asks_for_a_step_at_a_time(monkeypatch):
    asked_for, tried_px = iter([-0.2, 0.05, -0.004]), []
    monkeypatch.setattr(calibration_check, "focal_misfit", lambda *_: FocalMisfit(next(asked_for), 0.01))
    found = Localization(accepted=True, world_T_cam=np.eye(4))
    reading = calibration_check._reading(found, CAMERA, lambda camera: tried_px.append(camera.fx_px) or found)
    assert tried_px == pytest.approx([CAMERA.fx_px * np.exp(-0.25), CAMERA.fx_px * np.exp(-0.15)])
    assert reading == pytest.approx(-0.154)


def test_an_image_that_is_not_localized_with_the_focal_length_that_it_asks_for_tells_nothing(monkeypatch):
    monkeypatch.setattr(calibration_check, "focal_misfit", lambda *_: FocalMisfit(-0.1, 0.01))
    found = Localization(accepted=True, world_T_cam=np.eye(4))
    assert calibration_check._reading(found, CAMERA, lambda camera: Localization()) is None


class Read:
    """A check whose images say what they are told: the logarithms of factors of the focal length."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.check, self.reads, self._said = CalibrationCheck(), 0, 0.0
        monkeypatch.setattr(calibration_check, "_reading", lambda *_: self._read())

    def accepts(self, said: float | None, images: int = 1) -> bool:
        """Show so many images that say something; return whether the last is accepted."""
        self._said = said
        return [self.check.judge(Localization(accepted=True, reason="ok"), CAMERA, None).accepted
                for _ in range(images)][-1]

    def _read(self) -> float | None:
        self.reads += 1
        return self._said


def test_a_verdict_is_withdrawn_when_later_images_disagree(monkeypatch):
    read = Read(monkeypatch)
    assert not read.accepts(-0.1, ENOUGH)
    assert not read.accepts(0.0, LATER_EVERY)
    assert read.accepts(0.0, LATER_EVERY * KEPT) and read.check.problem == ""


def test_a_few_images_that_contradict_decide_nothing(monkeypatch):
    read = Read(monkeypatch)
    assert read.accepts(-0.3, ENOUGH // 2) and read.accepts(0.0, ENOUGH) and read.check.problem == ""


def test_images_that_tell_nothing_decide_nothing(monkeypatch):
    assert Read(monkeypatch).accepts(None, 10 * ENOUGH)


def test_once_enough_is_known_few_images_are_read(monkeypatch):
    read = Read(monkeypatch)
    read.accepts(0.0, ENOUGH)
    assert read.reads == ENOUGH
    read.accepts(0.0, 10 * LATER_EVERY)
    assert read.reads == ENOUGH + 10


def test_images_without_an_accepted_pose_are_not_read(monkeypatch):
    read = Read(monkeypatch)
    rejected = Localization(reason="3 inliers, 12 needed")
    assert read.check.judge(rejected, CAMERA, None) is rejected and read.reads == 0


def test_a_right_calibration_is_not_searched_for_another(monkeypatch):
    localizer, encoder = localizer_in()
    searched, find = [], localizer._search.find
    monkeypatch.setattr(localizer._search, "find", lambda features, camera, *around: (
        searched.append(camera) or find(features, camera, *around)))
    for frame in frames(encoder, 1.0):
        localizer.localize(frame)
    assert searched == 3 * ENOUGH * [CAMERA]
