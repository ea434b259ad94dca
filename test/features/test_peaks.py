"""Keypoints of a heatmap: where they lie, and in which order they come."""

from __future__ import annotations

import numpy as np

from cl_localization.features.xfeat import NMS_RADIUS_PX, refined_peaks, strongest_peaks


def bumps(centres: np.ndarray, width_px: int = 64, height_px: int = 48) -> np.ndarray:
    """Return a heatmap with a bump around each centre (N, 2)."""
    x, y = np.meshgrid(np.arange(width_px) + 0.5, np.arange(height_px) + 0.5)
    return sum(np.exp(-((x - cx) ** 2 + (y - cy) ** 2)) for cx, cy in centres).astype(np.float32)


def test_peaks_are_apart_and_refined_to_their_centre_of_mass():
    centres = np.array([[20.3, 15.8], [40.5, 30.2]])
    heatmap = bumps(centres)
    rows, columns, scores = strongest_peaks(heatmap, np.ones((6, 8), np.float32), 10)
    assert len(rows) == 2
    found = refined_peaks(heatmap, rows, columns)
    np.testing.assert_allclose(found[found[:, 0].argsort()], centres, atol=0.05)
    assert (scores[:-1] >= scores[1:]).all()


def test_a_peak_on_the_border_stays_in_the_image():
    heatmap = np.zeros((32, 32), np.float32)
    heatmap[0, 0] = heatmap[31, 31] = 1.0
    rows, columns, _ = strongest_peaks(heatmap, np.ones((4, 4), np.float32), 10)
    assert sorted(refined_peaks(heatmap, rows, columns).tolist()) == [[0.5, 0.5], [31.5, 31.5]]


def test_unreliable_peaks_come_last():
    heatmap = np.zeros((32, 32), np.float32)
    heatmap[4, 4], heatmap[20, 20] = 0.9, 0.5
    reliability = np.ones((4, 4), np.float32)
    reliability[:2, :2] = 0.1
    rows, _, _ = strongest_peaks(heatmap, reliability, 10)
    assert rows.tolist() == [20, 4]
    assert NMS_RADIUS_PX < 16


def test_no_more_peaks_are_given_than_asked_for_and_none_of_nothing():
    heatmap = bumps(np.array([[10.5, 10.5], [30.5, 20.5], [50.5, 40.5]]))
    assert len(strongest_peaks(heatmap, np.ones((6, 8), np.float32), 2)[0]) == 2
    rows, columns, scores = strongest_peaks(np.zeros((48, 64), np.float32), np.ones((6, 8), np.float32), 2)
    assert len(rows) == len(scores) == 0
    assert refined_peaks(heatmap, rows, columns).shape == (0, 2)
