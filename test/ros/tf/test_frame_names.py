"""Names of frames."""

from __future__ import annotations

import numpy as np
import pytest

from cl_localization.ros.tf.frame_names import looks_up, near_names, plain

FORWARD = np.array([[0, 0, 1, 0.1], [-1, 0, 0, 0], [0, -1, 0, 0.9], [0, 0, 0, 1.0]])


@pytest.mark.parametrize(("given", "name"), [("/cam", "cam"), ("cam", "cam"), ("robot/cam", "robot/cam"), ("", "")])
def test_a_leading_slash_is_no_part_of_a_name(given: str, name: str) -> None:
    assert plain(given) == name


def test_names_that_are_alike_are_advised() -> None:
    assert near_names("cam", {"camera", "base_link", "odom", "map"}).startswith("similar frames on tf: camera")
    assert near_names("cam", set()) == "tf has no frames"


def test_a_body_looks_up_and_an_optical_frame_ahead() -> None:
    assert looks_up("camera_link", np.eye(4)) and not looks_up("camera_link", FORWARD)
    assert not looks_up("ceiling_optical_frame", np.eye(4))
