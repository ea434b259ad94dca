"""Mistakes with poses, cameras and depth: the map warns of each with its cause, and a right one does not warn."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import faults as bench_faults
from benchmarks.faults import DRIFT, FAULTS, OTHER_FRAME, RIGHT, SECOND_RIGHT, Fault, FaultRun
from cl_localization.cli.main import main
from cl_localization.data.frame import Frame
from cl_localization.mapper import Mapper
from cl_localization.mapping.audit.health import MapHealth
from core_makers import PointScene, SceneEncoder, look_at, motion

CAUSES = {"depth in mm, read as 1/5000 m": r"depth is 0\.2 times what .*unit of the depth",
          "focal length 15 % too long": r"0\.87 times the focal length",
          "focal length 15 % too short": r"1\.\d\d times the focal length",
          "calibration of another camera": "check the (focal length|calibration)",
          "camera axes of OpenGL": "axes of OpenGL", "quaternions w first": "order w x y z",
          "world-to-camera poses": "world-to-camera", "image frame not optical": "base_link or camera_link",
          "odometry of the robot's base": "base_link or camera_link|frames of image and odometry"}
KEYFRAMES = 24
OPENGL = next(fault for fault in FAULTS if fault.name == "camera axes of OpenGL")


def way() -> list[np.ndarray]:
    """Poses of a camera that goes once to and fro before the scene, up and down, turning and tilted."""
    share = np.linspace(0, 2 * np.pi, KEYFRAMES, endpoint=False)
    return [look_at((1.2 * np.sin(t), 0.3 * np.sin(2 * t), 0.4 * np.sin(3 * t)),
                    (1.2 * np.cos(3 * t), 0.8 * np.sin(2 * t), 3.5))
            @ motion(np.array([0.0, 0.0, 0.5 * np.sin(2 * t)]), np.zeros(3)) for t in share]


def with_depth(encoder: SceneEncoder, frame: Frame) -> Frame:
    """Return a frame with the depth of the scene's points around each of them."""
    depth_m = np.zeros((frame.camera.height_px, frame.camera.width_px), np.float32)
    seen, pixels = encoder.scene.visible(frame.world_T_cam, frame.camera)
    z_m = (encoder.scene.points_m[seen] - frame.world_T_cam[:3, 3]) @ frame.world_T_cam[:3, 2]
    for (x, y), z in zip(pixels.astype(int), z_m):
        depth_m[max(y - 2, 0):y + 3, max(x - 2, 0):x + 3] = z
    return replace(frame, depth_m=depth_m)


def health_of(fault: Fault, use_depth: bool = True, noise_px: float = 0.3) -> MapHealth:
    """Return the health of a map of the scene that was made with a mistake."""
    encoder = SceneEncoder(PointScene.room(300), noise_px=noise_px, similarity=0.95)
    mapper = Mapper(encoder=encoder)
    for pose in way():
        frame = with_depth(encoder, encoder.frame(pose))
        mapper.add(fault.bend(frame if use_depth else replace(frame, depth_m=None)))
    mapper.finish()
    return mapper.examine()


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_map_with_a_mistake_warns_and_names_the_cause(fault: Fault) -> None:
    health = health_of(fault)
    assert len(health.warnings) == 1, health
    assert re.search(CAUSES[fault.name], health.warnings[0])


def test_a_map_without_depth_warns_too() -> None:
    assert "axes of OpenGL" in health_of(OPENGL, use_depth=False).warnings[0]


@pytest.mark.parametrize("use_depth, noise_px", [(True, 0.0), (True, 0.7), (False, 0.3)])
def test_a_right_map_does_not_warn(use_depth: bool, noise_px: float) -> None:
    health = health_of(RIGHT, use_depth, noise_px)
    assert health.warnings == () and health.keyframe_pairs >= 15 and health.matches_agree_percent > 90


def test_odometry_that_drifts_is_told_where_a_place_is_seen_again() -> None:
    encoder, share = SceneEncoder(PointScene.room(300), noise_px=0.3, similarity=0.95), np.linspace(0, 1, 3 * KEYFRAMES)
    mapper = Mapper(encoder=encoder)
    for pose, drift in zip([*way(), *way(), *way()], share):
        frame = replace(encoder.frame(pose), odom_T_cam=motion(np.array([0.0, 0.3 * drift, 0.0]), np.zeros(3)) @ pose)
        mapper.add(DRIFT.bend(with_depth(encoder, frame)))
    health = mapper.examine()
    assert len(health.warnings) == 1 and "the poses drift" in health.warnings[0], health


def test_too_few_keyframes_are_no_evidence() -> None:
    encoder = SceneEncoder(PointScene.room(300))
    mapper = Mapper(encoder=encoder)
    for pose in way()[:6]:
        mapper.add(OPENGL.bend(with_depth(encoder, encoder.frame(pose))))
    health = mapper.examine()
    assert health.warnings == () and health.keyframe_pairs < 8
    assert (health.codes_seen_once_percent, health.pose_innovation_factor) == (None, None)


def test_the_bench_has_a_row_for_each_mistake_and_counts_warnings(tmp_path: Path,
                                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    def run_set(place: str, spec: str, faults: Iterable[Fault], *_: object, **__: object) -> Iterator[FaultRun]:
        for fault in faults:
            yield FaultRun(place, fault.name, MapHealth(("axes",) if fault is not RIGHT else (), 12.0))

    def run_sessions(place: str, *_: object) -> Iterator[FaultRun]:
        yield FaultRun(place, OTHER_FRAME.name, MapHealth(("frame",), 12.0))
        yield FaultRun(place, SECOND_RIGHT, MapHealth())

    monkeypatch.setattr(bench_faults, "run_set", run_set)
    monkeypatch.setattr(bench_faults, "run_sessions", run_sessions)
    monkeypatch.delenv("CL_LOCALIZATION_DATA", raising=False)
    assert main(["bench", "faults", "--out", str(tmp_path)]) == 0
    rows = json.loads((tmp_path / "bench.json").read_text())["faults"]
    faults = (*FAULTS, DRIFT, RIGHT, OTHER_FRAME)
    assert {row["fault"] for row in rows} == {SECOND_RIGHT, *(fault.name for fault in faults)}
    text = (tmp_path / "bench.md").read_text()
    assert "14 of 14 maps with a mistake warn, 0 of 6 right ones." in text
    assert "| house 7 | all right | no | - | - | - | 12 | - | - |" in text


@pytest.mark.parametrize("moved_m, turned_rad, warnings", [(0.0, 0.0, 0), (0.6, 0.0, 1), (0.0, 0.3, 1)])
def test_poses_in_another_frame_than_the_map_that_they_extend_are_told(moved_m: float, turned_rad: float,
                                                                       warnings: int) -> None:
    encoder = SceneEncoder(PointScene.room(300), noise_px=0.3, similarity=0.95)
    first = Mapper(encoder=encoder)
    for pose in way():
        first.add(with_depth(encoder, encoder.frame(pose)))
    assert first.examine().warnings == ()
    second = Mapper(encoder=encoder, map_code=first.map_code.fork())
    other_T_map = motion(np.array([0.0, turned_rad, 0.0]), np.array([moved_m, 0.0, 0.0]))
    for pose in way()[3:19]:
        frame = with_depth(encoder, encoder.frame(pose @ motion(np.zeros(3), np.array([0.1, 0.05, 0.1]))))
        second.add(replace(frame, world_T_cam=other_T_map @ frame.world_T_cam))
    health = second.examine()
    assert sum("contradict those of the map" in one for one in health.warnings) == warnings, health
