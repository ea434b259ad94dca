"""The table of wrong focal lengths, in a scene whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import focal_lengths
from benchmarks.focal_lengths import HEADERS, FocalRun, focal_table, localized
from cl_localization.config import LocalizerConfig, MapperConfig
from cl_localization.data.frame import Frame
from cl_localization.localization.calibration_check import ENOUGH
from core_makers import PointScene, SceneEncoder, look_at
from test_localizer import map_of

ROOM = PointScene.room(400)


def asked(encoder: SceneEncoder) -> list[Frame]:
    """Frames of a camera that goes to and fro before the room."""
    return [encoder.frame(look_at((0.8 * np.sin(t), 0.2 * np.cos(2 * t), 0.4 * np.sin(3 * t)), (0.0, 0.0, 3.8)))
            for t in np.linspace(0, 2 * np.pi, 2 * ENOUGH)]


@pytest.mark.parametrize("factor, accepted, warned_at", [(1.0, 2 * ENOUGH, None), (1.33, ENOUGH - 1, ENOUGH)])
def test_poses_are_counted_with_and_without_those_that_are_refused(factor, accepted, warned_at):
    encoder = SceneEncoder(ROOM, noise_px=0.4, similarity=0.92)
    run, = localized("room", "as mapped", map_of(ROOM), asked(encoder), (factor,), LocalizerConfig(), encoder)
    assert (run.poses, run.accepted, run.warned_at) == (2 * ENOUGH, accepted, warned_at)
    assert (run.wrong_poses, run.wrong) == ((0, 0) if factor == 1 else (2 * ENOUGH, ENOUGH - 1))
    assert run.asked_for == pytest.approx(1 / factor, rel=0.05)


def test_warnings_of_wrong_and_of_right_calibrations_are_counted(monkeypatch):
    runs = [FocalRun("room", "as mapped", 1.0, 9, 0, 9, 0, None, 1.001),
            FocalRun("own", "", 1.15, 9, None, 7, None, 8, 0.9)]
    monkeypatch.setattr(focal_lengths, "run_focal_lengths", lambda *_: iter(runs))
    table = focal_table(None, None, 7, MapperConfig(), LocalizerConfig())
    assert table.sentence == "1 of 1 wrong calibrations warn, 0 of 1 right ones."
    assert [len(row) for row in table.rows] == 2 * [len(HEADERS)]
    assert table.rows[1] == ("own", "", "x 1.15", "9", "-", "7", "-", "8", "x 0.900")
