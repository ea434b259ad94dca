"""Record3D and Polycam: matrices by columns, poses that drift or are missing, depth of every kind."""

from __future__ import annotations

import json
import sys

import cv2
import numpy as np
import pytest

from cl_localization.data import open_sequence
from cl_localization.errors import DataError, GeometryError
from data.layout_makers import half_depth, polycam, r3d, record3d, rendered_frames


@pytest.fixture(scope="module")
def frames():
    """Two frames."""
    return rendered_frames(2)


def changed(place, **changes):
    """Change entries of Record3D's metadata and return the folder."""
    file = place / "metadata.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))
    return place


def test_a_matrix_by_rows_is_read_too_with_a_note(tmp_path, frames):
    place = changed(record3d(tmp_path, frames), K=frames[0].camera.matrix.ravel().tolist())
    sequence = open_sequence(place)
    assert sequence.camera_at(0).cx_px == pytest.approx(frames[0].camera.cx_px)
    assert "is written row by row, unlike Record3D's own" in sequence.notes[0]


@pytest.mark.parametrize(("changes", "message"), [
    ({"K": [500.0, 0, 0, 4.26, 500, 0, 72, 50, 1]}, "K of .*metadata.json must have no skew, found skew 4.26 px"),
    ({"K": [0.82, 0, 0, 0, 0.82, 0, 72, 50, 1]}, "K of .*metadata.json must have focal lengths"),
    ({"K": [1, 2]}, "K of .*metadata.json must be a list of 9 numbers"),
    ({"poses": [[0, 0, 0, 1, 0, 0, 0]]}, "poses of .*metadata.json must be one for each of 2 images, found 1"),
    ({"w": "wide"}, "w and h of .*metadata.json must be the size"),
    ({"fps": 0}, "fps of .*metadata.json must be a rate")])
def test_metadata_that_make_no_sense_are_named(tmp_path, frames, changes, message):
    with pytest.raises((DataError, GeometryError), match=message):
        open_sequence(changed(record3d(tmp_path, frames), **changes))


def test_time_stamps_win_over_the_rate_and_a_pose_of_nan_costs_one_frame(tmp_path, frames):
    place = record3d(tmp_path, frames)
    poses = json.loads((place / "metadata.json").read_text())["poses"]
    sequence = open_sequence(changed(place, frameTimestamps=[10.5, 11.0], poses=[poses[0], [float("nan")] * 7]))
    assert (len(sequence), sequence.skipped, sequence[0].stamp_ns) == (1, ["1"], 10_500_000_000)


def test_an_unpacked_r3d_has_its_depth(tmp_path, frames):
    sequence = open_sequence(r3d(tmp_path, frames))
    assert sequence.has_depth(0) and sequence.notes == ["frames are stamped by a rate of 10 Hz"]
    np.testing.assert_allclose(sequence[1].depth_m[::2, ::2], half_depth(frames[1]), atol=1e-6)
    np.testing.assert_array_equal(sequence[1].image, frames[1].image)


def test_an_r3d_that_is_still_packed_is_to_be_unpacked(tmp_path):
    (tmp_path / "walk.r3d").write_bytes(b"PK")
    with pytest.raises(DataError, match="has no layout that is recognised.*: unzip walk.r3d -d walk"):
        open_sequence(tmp_path / "walk.r3d")


def test_without_lzfse_the_remedy_is_said_and_images_can_be_read_alone(tmp_path, frames, monkeypatch):
    place = r3d(tmp_path, frames)
    monkeypatch.setitem(sys.modules, "lzfse", None)
    with pytest.raises(DataError, match="depth of .* needs the package lzfse; pip install lzfse, or .*depth=false"):
        open_sequence(place)
    assert open_sequence(f"{place}?depth=false")[0].depth_m is None


@pytest.mark.parametrize(("change", "message"), [
    (lambda data: b"x" + data, "depth image .*0.depth must be compressed by LZFSE"),
    (lambda data: data[:len(data) // 2], "depth image .*0.depth (cannot be decompressed|must have the ratio)"),
    (lambda data: data[:4], "depth image .*0.depth (cannot be decompressed|must have the ratio)")])
def test_damaged_compressed_depth_is_named(tmp_path, frames, change, message):
    place = r3d(tmp_path, frames)
    file = place / "rgbd" / "0.depth"
    file.write_bytes(change(file.read_bytes()))
    with pytest.raises(DataError, match=message):
        open_sequence(place)[0]


def test_compressed_depth_of_another_ratio_is_named(tmp_path, frames):
    lzfse = pytest.importorskip("lzfse")
    place = r3d(tmp_path, frames, lambda data: lzfse.compress(data[:-4]))
    with pytest.raises(DataError, match="0.depth must have the ratio of its image of 144x100"):
        open_sequence(place)[0]


def test_depth_as_exr_is_metres(tmp_path, frames, monkeypatch):
    monkeypatch.setenv("OPENCV_IO_ENABLE_OPENEXR", "1")
    place = record3d(tmp_path, frames)
    for index, frame in enumerate(frames):
        (place / "depth" / f"{index}.tiff").unlink()
        assert cv2.imwrite(str(place / "depth" / f"{index}.exr"), half_depth(frame))
    np.testing.assert_allclose(open_sequence(place)[1].depth_m[::2, ::2], half_depth(frames[1]), atol=1e-6)


def test_depth_of_another_ratio_is_refused_with_a_way_out(tmp_path, frames):
    place = record3d(tmp_path, frames)
    cv2.imwrite(str(place / "depth" / "0.tiff"), np.ones((50, 50), np.float32))
    with pytest.raises(DataError, match="must have the ratio of its image of 144x100, found 50x50; .*depth=false"):
        open_sequence(place)[0]
    assert open_sequence(f"{place}?depth=false")[0].depth_m is None


def test_polycams_own_poses_are_told_to_drift(tmp_path, frames):
    place = polycam(tmp_path, frames)
    for name in ("images", "cameras"):
        (place / "keyframes" / f"corrected_{name}").rename(place / "keyframes" / name)
    sequence = open_sequence(place)
    assert "poses are ARKit's own, which drift" in sequence.notes[0] and sequence.has_depth(1)


def test_an_image_without_a_camera_is_counted_and_a_camera_without_numbers_named(tmp_path, frames):
    place = polycam(tmp_path, frames)
    cameras = sorted((place / "keyframes" / "corrected_cameras").iterdir())
    cameras[0].unlink()
    assert open_sequence(place).skipped == [cameras[0].stem]
    cameras[1].write_text('{"t_00": "a"}')
    with pytest.raises(DataError, match="file .*json must have numbers t_00 to t_23"):
        open_sequence(place)
