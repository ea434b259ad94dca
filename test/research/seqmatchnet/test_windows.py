from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cl_localization.errors import DataError
from cl_localization.research.seqmatchnet.windows import centred_windows, inner_images

BOUNDS = np.array([[0, 6], [6, 8], [9, 15]])


@given(st.integers(1, 6))
def test_windows_hold_their_image_and_stay_in_its_stretch(length: int) -> None:
    windows, fits = centred_windows(BOUNDS, 15, length)
    for image in range(15):
        stretch = [bounds for bounds in BOUNDS if bounds[0] <= image < bounds[1]]
        assert fits[image] == bool(stretch and stretch[0][1] - stretch[0][0] >= length)
        if fits[image]:
            assert image in windows[image] and windows[image][0] >= stretch[0][0] and windows[image][-1] < stretch[0][1]


def test_a_window_is_centred_where_there_is_room_and_moved_inwards_elsewhere() -> None:
    windows, _ = centred_windows(np.array([[0, 9]]), 9, 4)
    assert (
        windows[4].tolist() == [2, 3, 4, 5]
        and windows[0].tolist() == [0, 1, 2, 3]
        and windows[8].tolist() == [5, 6, 7, 8]
    )


def test_inner_images_are_those_whose_window_is_not_moved() -> None:
    windows, fits = centred_windows(BOUNDS, 15, 4)
    unmoved = fits & (windows[:, 0] == np.arange(15) - 2)
    assert inner_images(BOUNDS, 15, 4).tolist() == unmoved.tolist()


def test_a_traverse_of_short_stretches_is_refused() -> None:
    with pytest.raises(DataError, match="traverse must have 7 images in a row for that sequence length, found 6"):
        centred_windows(BOUNDS, 15, 7)
