"""`map` with the real core, where the poses come from the map itself or from odometry."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from cl_localization.cli.main import main
from cl_localization.data import open_sequence
from cl_localization.data.trajectory import read_trajectory
from cl_localization.evaluation.trajectory_error import aligned_errors_m
from cl_localization.map.map_file import load_map
from cl_localization.mapping.audit.health import noted_health

ROOM = "sim:3?rooms=1&frames=120&size=200x150"
PART = f"{ROOM}[:24]"
ELSEWHERE = "sim:4?rooms=1&frames=120&size=200x150"
SLOWLY = "sim:3?rooms=1&frames=480&size=320x240[:24]"


def run(*words: object) -> int:
    """Run the command line."""
    return main([str(word) for word in words])


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a map with own poses of a part of a room, and of their file."""
    folder = tmp_path_factory.mktemp("own")
    words = "map", PART, "--poses", "self", "--out", folder / "own.map", "--trajectory", folder / "own.txt"
    assert run(*words) == 0
    return folder


def offsets_m(path: Path, spec: str) -> np.ndarray:
    """Return how far positions in a file are from the true ones, in the frame of the first image."""
    true = {frame.stamp_ns: frame.world_T_cam for frame in open_sequence(spec)}
    first = next(iter(true.values()))
    found = read_trajectory(path)
    return np.array([np.linalg.norm((first @ pose)[:3, 3] - true[stamp][:3, 3])
                     for stamp, pose in zip(found.stamps_ns.tolist(), found.poses)])


def test_a_map_finds_the_poses_of_a_camera_with_depth(own: Path) -> None:
    errors_m = offsets_m(own / "own.txt", PART)
    assert len(errors_m) >= 22 and errors_m.max() < 0.05


def test_a_map_with_own_poses_is_gone_on_from_in_its_frame(own: Path, tmp_path: Path) -> None:
    words = "map", f"{ROOM}[10:30]", "--poses", "self", "--update", own / "own.map"
    assert run(*words, "--out", tmp_path / "more.map", "--trajectory", tmp_path / "more.txt") == 0
    errors_m = offsets_m(tmp_path / "more.txt", f"{ROOM}[:30]")
    assert len(errors_m) >= 15 and errors_m.max() < 0.08


def test_given_poses_are_written_as_they_are(tmp_path: Path) -> None:
    assert run("map", f"{ROOM}[:3]", "--out", tmp_path / "a.map", "--trajectory", tmp_path / "a.txt") == 0
    true = [frame.world_T_cam for frame in open_sequence(f"{ROOM}[:3]")]
    assert np.allclose(read_trajectory(tmp_path / "a.txt").poses, true, atol=1e-6)


def test_odometry_as_it_is_is_warned_of_after_some_metres(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    way = f"{ROOM}[::4]"
    assert run("map", way, "--poses", "odometry", "--out", tmp_path / "a.map", "--trajectory", tmp_path / "a.txt") == 0
    assert "--poses self" in capsys.readouterr().err
    odometry = [frame.odom_T_cam for frame in open_sequence(way)]
    assert np.allclose(read_trajectory(tmp_path / "a.txt").poses, odometry, atol=1e-6)


def dark_folder(path: Path, count: int) -> Path:
    """Make a folder of black images."""
    path.mkdir()
    (path / "camera.yaml").write_text("image_width: 160\nimage_height: 120\ncamera_matrix: {rows: 3, cols: 3, "
                                      "data: [120, 0, 80, 0, 120, 60, 0, 0, 1]}\n")
    for number in range(count):
        cv2.imwrite(str(path / f"{number}.png"), np.zeros((120, 160, 3), np.uint8))
    return path


def image_folder(path: Path, spec: str) -> Path:
    """Make a folder of the images of a sequence, with their camera, and nothing else."""
    path.mkdir()
    for number, frame in enumerate(open_sequence(spec)):
        cv2.imwrite(str(path / f"{number:03d}.png"), frame.image[..., ::-1])
    camera = frame.camera
    (path / "camera.yaml").write_text(
        f"image_width: {camera.width_px}\nimage_height: {camera.height_px}\ncamera_matrix: {{rows: 3, cols: 3, data: "
        f"[{camera.fx_px}, 0, {camera.cx_px - 0.5}, 0, {camera.fy_px}, {camera.cy_px - 0.5}, 0, 0, 1]}}\n")
    return path


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A map of a part of one room and of another that was begun there, unknown how they lie, and what `map` said."""
    path = tmp_path_factory.mktemp("parts") / "parts.map"
    words = PART, f"{ELSEWHERE}[:12]", "--poses", "self", "--slam.begin-after-frames", "2", "--out", path
    err = io.StringIO()
    with contextlib.redirect_stderr(err):
        assert run("map", *words, "--trajectory", path.with_suffix(".txt")) == 0
    return path, " ".join(err.getvalue().split())


def test_a_map_in_parts_says_so_with_what_to_do(parts: tuple[Path, str], capsys: pytest.CaptureFixture) -> None:
    path, said = parts
    assert "the map is in 2 parts that are not joined" in said and "default 2 (" in said and "map --poses self" in said
    assert "parts.txt lacks 1" in said and len(read_trajectory(path.with_suffix(".txt")).poses) >= 22
    assert run("info", path, "--json") == 0
    assert list(json.loads(capsys.readouterr().out)["health"]["unjoined_parts"]) == ["default", "default 2"]


def test_of_a_map_in_parts_one_is_exported(parts: tuple[Path, str], tmp_path: Path,
                                           capsys: pytest.CaptureFixture) -> None:
    path, words = parts[0], ("--format", "colmap", "--out", tmp_path / "model")
    assert run("export", path, *words) == 1 and "name a scene (--scene NAME)" in capsys.readouterr().err
    assert run("export", path, *words, "--scene", "attic") == 1
    assert "default, default 2, found attic" in capsys.readouterr().err
    assert run("export", path, *words, "--scene", "default 2") == 0
    keyframes = noted_health(load_map(path)).unjoined_parts["default 2"]
    assert f"{keyframes} colmap poses" in capsys.readouterr().out
    assert run("export", PART, *words, "--scene", "default", "--force") == 1


def test_poses_in_a_map_in_parts_say_which_they_are_in(parts: tuple[Path, str], tmp_path: Path,
                                                       capsys: pytest.CaptureFixture) -> None:
    outputs = "--out", tmp_path / "poses.txt", "--status", tmp_path / "poses.csv"
    assert run("localize", parts[0], f"{ELSEWHERE}[:4]", *outputs) == 0
    told = capsys.readouterr()
    assert "2 parts that are not joined" in " ".join(told.err.split()) and "localized in default 2" in told.out
    assert (tmp_path / "poses.csv").read_text().splitlines()[1].endswith(",default 2")


def test_who_draws_a_map_in_parts_is_told(parts: tuple[Path, str], tmp_path: Path,
                                          capsys: pytest.CaptureFixture) -> None:
    assert run("plot", parts[0], "--out", tmp_path / "map.png") == 0
    assert "2 parts that are not joined" in " ".join(capsys.readouterr().err.split())


def test_a_folder_of_images_is_mapped_up_to_scale_and_the_map_says_so(tmp_path: Path,
                                                                     capsys: pytest.CaptureFixture) -> None:
    folder = image_folder(tmp_path / "images", SLOWLY)
    assert run("map", folder, "--out", tmp_path / "alone.map", "--trajectory", tmp_path / "alone.txt") == 0
    assert "the scale of default is unknown" in " ".join(capsys.readouterr().err.split())
    found = read_trajectory(tmp_path / "alone.txt").poses[:, :3, 3]
    true = np.array([frame.world_T_cam[:3, 3] for frame in open_sequence(SLOWLY)])
    assert aligned_errors_m(found, true, with_scale=True).max() < 0.05
    assert run("info", tmp_path / "alone.map", "--json") == 0
    assert json.loads(capsys.readouterr().out)["health"]["scenes_without_scale"] == ["default"]


def test_without_depth_odometry_tells_the_scale(tmp_path: Path) -> None:
    words = "map", SLOWLY, "--poses", "self", "--no-depth", "--out", tmp_path / "odometry.map"
    assert run(*words, "--trajectory", tmp_path / "odometry.txt") == 0
    assert offsets_m(tmp_path / "odometry.txt", SLOWLY).max() < 0.1


def test_images_of_which_none_can_be_posed_make_no_map(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    folder = dark_folder(tmp_path / "dark", 4)
    assert run("map", folder, "--poses", "self", "--out", tmp_path / "dark.map") == 1
    assert not (tmp_path / "dark.map").exists()
    assert "no frame got a pose" in capsys.readouterr().err


def test_odometry_that_is_not_there_is_said_to_be_missing(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    folder = dark_folder(tmp_path / "dark", 1)
    assert run("map", folder, "--poses", "odometry", "--out", tmp_path / "a.map") == 1
    assert "must have odometry" in capsys.readouterr().err
