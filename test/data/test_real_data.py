"""The readers on real sequences; skipped where the development data is not there."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from cl_localization.data import open_sequence, select
from cl_localization.data.bag_writer import write_bag
from cl_localization.data.export import export_7scenes
from cl_localization.data.frame import Frame
from cl_localization.geometry.se3 import inverse, transform

EVERY_PX = 13


def disagreement(first: Frame, second: Frame) -> tuple[float, float]:
    """Return mean grey difference and median depth difference [m] of the first frame's points seen in the second."""
    rows, columns = (index[::EVERY_PX] for index in np.nonzero(first.depth_m > 0))
    rays = np.column_stack([first.camera.normalize(np.column_stack([columns, rows]) + 0.5), np.ones(len(rows))])
    points = transform(inverse(second.world_T_cam) @ first.world_T_cam, rays * first.depth_m[rows, columns, None])
    pixels = second.camera.project(points)
    seen = (points[:, 2] > 0) & second.camera.contains(pixels)
    sampled = cv2.remap(grey(second), *(pixels[seen, axis].astype(np.float32)[None] - 0.5 for axis in (0, 1)),
                        cv2.INTER_LINEAR)[0]
    depth_m = second.depth_m[pixels[seen, 1].astype(int), pixels[seen, 0].astype(int)]
    known = depth_m > 0
    return (float(np.abs(sampled - grey(first)[rows[seen], columns[seen]]).mean()),
            float(np.median(np.abs(depth_m - points[seen, 2])[known])))


def grey(frame: Frame) -> np.ndarray:
    """Return a slightly blurred grey image, float32."""
    return cv2.GaussianBlur(cv2.cvtColor(frame.image, cv2.COLOR_RGB2GRAY), (0, 0), 1.5).astype(np.float32)


def test_the_kitchen_is_read_whole(kitchen_folder):
    sequence = open_sequence(kitchen_folder)
    assert (len(sequence), sequence.skipped, sequence.names[-1]) == (300, [], "frame-000598")
    assert all(sequence.pose(index) is not None for index in range(300))
    assert 0.6 < (sequence[0].depth_m > 0).mean() < 0.9


def test_the_published_calibration_makes_kitchen_frames_agree(kitchen_folder):
    pairs = [(index, index + 10) for index in range(0, 280, 70)]
    calibrated, raw = (np.mean([disagreement(sequence[one], sequence[other]) for one, other in pairs], axis=0)
                       for sequence in (open_sequence(kitchen_folder), open_sequence(kitchen_folder, calibrated=False)))
    assert calibrated[0] < 0.97 * raw[0]
    assert calibrated[1] < 0.7 * raw[1]
    assert calibrated[1] < 0.015


@pytest.mark.parametrize(("slices", "count"), [("[:200]", 200), ("[200:]", 100), ("[0:75,100:175,200:275]", 225),
                                               ("[75:100,175:200,275:300]", 75)])
def test_the_splits_of_the_kitchen_can_be_written_as_slices(kitchen_folder, slices, count):
    names = open_sequence(f"{kitchen_folder}{slices}").names
    numbers = [int(name[-6:]) for name in names]
    far = {"[:200]": lambda n: n < 400, "[200:]": lambda n: n >= 400}
    near = {225: lambda n: (n // 50) % 4 != 3, 75: lambda n: (n // 50) % 4 == 3}
    assert len(names) == count
    assert all(map(far.get(slices) or near[count], numbers))


def test_kitchen_frames_survive_a_bag_and_an_export(kitchen_folder, tmp_path):
    some = select(open_sequence(kitchen_folder), [30, 60])
    write_bag(some, tmp_path / "bag")
    export_7scenes(some, tmp_path / "exported")
    for copy in (open_sequence(tmp_path / "bag"), open_sequence(tmp_path / "exported")):
        for before, after in zip(some, copy, strict=True):
            assert np.array_equal(after.image, before.image)
            assert np.abs(after.depth_m - before.depth_m).max() < 0.00051
            assert after.world_T_cam == pytest.approx(before.world_T_cam, abs=1e-9)
            assert after.camera == before.camera


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_lego_is_read_with_white_background(data_folder, split):
    file = data_folder / "lego" / f"transforms_{split}.json"
    if not file.is_file():
        pytest.skip("no lego: transforms of the synthetic NeRF scenes are missing")
    sequence = open_sequence(file)
    frame = sequence[0]
    assert len(sequence) == 100
    assert frame.image.shape == (128, 128, 3)
    assert frame.image[0, 0].tolist() == [255, 255, 255]
    looks_at = frame.world_T_cam[:3, 2] @ -frame.world_T_cam[:3, 3] / np.linalg.norm(frame.world_T_cam[:3, 3])
    assert looks_at > 0.98
